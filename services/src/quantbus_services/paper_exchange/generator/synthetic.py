"""Made-up bars: a deterministic function of seed, pair and minute, computed in any order."""

from collections.abc import Iterable
from datetime import timedelta

import numpy as np

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.generator.assets import Assets, start_price, turnover
from quantbus_services.paper_exchange.generator.chance import key_of, normals, uniforms
from quantbus_services.paper_exchange.generator.days import DAY_MS, DayBars
from quantbus_services.paper_exchange.generator.holes import Holes
from quantbus_services.paper_exchange.generator.walks import MINUTES
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.market import DataKind, Span
from quantbus_services.paper_exchange.series import MOST_DECIMALS, Bars, Floats, floor_to

__all__ = ["SyntheticSource", "synthetic_listing"]

_MINUTE_MS = 60_000
_TYPICAL_SIGMA = 6.5e-4  # of a minute


def synthetic_listing(base: str, quote: str) -> Listing:
    """List a made-up market with steps that suit its price: about six digits of price, cents of amount."""
    digits = int(np.floor(np.log10(start_price(base) / start_price(quote))))
    worth = int(np.floor(np.log10(start_price(base))))
    return Listing(
        base, quote, price_decimals=min(max(2, 5 - digits), MOST_DECIMALS), amount_decimals=max(0, worth + 1)
    )


class SyntheticSource:
    """Serves made-up one-minute bars, from ``history`` before the start for ever."""

    kind: DataKind = "SYNTHETIC"
    shift_ms = 0
    base = Timeframe.parse("1m")

    def __init__(
        self,
        listings: Iterable[Listing],
        *,
        seed: int,
        now_ms: int,
        history: timedelta,
        holes: Holes | None = None,
    ) -> None:
        """Begin at the midnight before ``history`` ago."""
        self.origin = f"seeded generator, seed {seed}"
        self.listings = {listing.name: listing for listing in listings}
        self._start_ms = floor_to(DAY_MS, now_ms - int(history.total_seconds() * 1000))
        self._seed = seed
        self._assets = Assets(seed)
        self._holes = holes or Holes(seed)
        self._days = DayBars(self._make_day)

    def admit(self, base: str, quote: str) -> None:
        """Serve one more pair."""
        listing = synthetic_listing(base, quote)
        self.listings.setdefault(listing.name, listing)

    def span(self, name: str) -> Span:
        """Return a beginning without an end."""
        return Span(self._start_ms, None)

    def bars(self, name: str, start_ms: int, end_ms: int) -> Bars:
        """Return the finished one-minute bars that open in ``[start_ms, end_ms)``."""
        return self._days.bars(name, max(start_ms, self._start_ms), end_ms)

    def buckets(self, name: str, timeframe: Timeframe, start_ms: int, end_ms: int) -> Bars:
        """Return finished bars of a coarser timeframe."""
        return self._days.buckets(name, timeframe, max(start_ms, self._start_ms), end_ms)

    def recent_change(self, name: str, day: int) -> float:
        """Return the log return of the three days before ``day`` opens."""
        listing = self.listings[name]
        now, before = (
            self._assets.level(listing.base, at) - self._assets.level(listing.quote, at)
            for at in (day, day - 3)
        )
        return now - before

    def typical_volume(self, name: str) -> float:
        """Return what is typically traded in a minute, in the base currency."""
        base = self.listings[name].base
        return turnover(base) / start_price(base)

    def _make_day(self, name: str, day: int) -> Bars:
        """Return the one-minute bars of ``day`` (days since 1970)."""
        listing = self.listings[name]
        base, quote = (self._assets.day(asset, day) for asset in (listing.base, listing.quote))
        edges: Floats = np.exp(base.edges - quote.edges).round(listing.price_decimals)
        edges = np.maximum(edges, listing.tick)
        sigma = np.hypot(base.sigma, quote.sigma)
        open_, close = edges[:-1], edges[1:]
        minute = day * MINUTES + np.arange(MINUTES, dtype=np.int64)
        up, down = (
            -0.45 * sigma * np.log(uniforms(key_of(self._seed, name, side), minute))
            for side in ("high", "low")
        )
        high = np.round(np.maximum(open_, close) * (1 + up), listing.price_decimals)
        low = np.round(np.minimum(open_, close) * (1 - down), listing.price_decimals)
        moved = np.abs(np.log(close / open_)) / np.maximum(sigma, 1e-9)
        amount = turnover(listing.base) / np.exp(base.edges[:-1]) * sigma / _TYPICAL_SIGMA
        amount *= (0.6 + 0.5 * np.minimum(moved, 5)) * np.exp(
            0.45 * normals(key_of(self._seed, name, "volume"), minute)
        )
        least: Floats = np.maximum(amount, listing.step)
        volume = least.round(listing.amount_decimals)
        bars = Bars.of(minute * _MINUTE_MS, open_, high, np.maximum(low, listing.tick), close, volume)
        return self._holes.punch(name, bars)
