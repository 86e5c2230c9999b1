"""Perpetual swaps over spot bars: contract and mark follow spot with a basis that is made up from a seed.

The slow part of the basis is the premium: the mark carries it, and funding is made of it. It leans the way
the market has gone in the last days. The contract adds a jitter that is gone the next minute.
"""

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import numpy as np

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.generator.chance import key_of, normals, waves
from quantbus_services.paper_exchange.generator.days import DAY_MS, DayBars
from quantbus_services.paper_exchange.generator.holes import Holes
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.market import BarSource, DataKind, Span
from quantbus_services.paper_exchange.series import Bars, Floats, Integers, floor_to

__all__ = ["BasisSource", "swap_listing"]

_POINT = 1e-4
_MINUTE_MS = 60_000
_BUSIER = 2.5  # what is traded in a swap, in terms of its spot market
_HELD_MINUTES = 1_700  # typical minutes' volume that is held open
_KEPT_DAYS = 64
_Make = Callable[[str, int], Bars]


def swap_listing(spot: Listing) -> Listing:
    """List the swap of a spot market; swaps have coarser amounts."""
    decimals = max(0, spot.amount_decimals - 2)
    return Listing(spot.base, spot.quote, spot.price_decimals, decimals, kind="swap")


@runtime_checkable
class _MadeUp(Protocol):
    """What the generator knows of its markets beyond their bars."""

    def admit(self, base: str, quote: str) -> None: ...

    def recent_change(self, name: str, day: int) -> float: ...

    def typical_volume(self, name: str) -> float: ...


class _Prices:
    """One kind of price of all swaps, as a source of its own."""

    kind: DataKind = "SYNTHETIC"

    def __init__(
        self, what: str, spot: BarSource, listings: dict[str, Listing], make: _Make, *, kept: int = _KEPT_DAYS
    ) -> None:
        """Take what ``make`` gives for a name and a day; ``kept`` days of it stay."""
        self.origin = f"{what} over {spot.origin}, basis made up"
        self.shift_ms = spot.shift_ms
        self.base = spot.base
        self.listings = listings
        self._spot = spot
        self._days = DayBars(make, kept=kept)

    def span(self, name: str) -> Span:
        """Return the time that the spot bars cover."""
        return self._spot.span(name)

    def bars(self, name: str, start_ms: int, end_ms: int) -> Bars:
        """Return the finished base bars that open in ``[start_ms, end_ms)``."""
        return self._days.bars(name, *self._within(name, start_ms, end_ms))

    def buckets(self, name: str, timeframe: Timeframe, start_ms: int, end_ms: int) -> Bars:
        """Return finished bars of a coarser timeframe."""
        return self._days.buckets(name, timeframe, *self._within(name, start_ms, end_ms))

    def _within(self, name: str, start_ms: int, end_ms: int) -> tuple[int, int]:
        span = self.span(name)
        start = max(start_ms, span.start_ms)
        end = end_ms if span.end_ms is None else min(end_ms, span.end_ms)
        return start, max(start, end)


class BasisSource(_Prices):
    """Contract bars of swaps, with the sources of the prices beside them."""

    def __init__(
        self,
        listings: Iterable[Listing],
        spot: BarSource,
        *,
        seed: int,
        holes: Holes | None = None,
        known_ms: int | None = None,
    ) -> None:
        """Lay a basis over the bars of ``spot``, which has every market that ``listings`` (swaps) name.

        What is typical of a recording is taken from its first day, as far as that had passed at ``known_ms``.
        """
        swaps = {listing.name: listing for listing in listings}
        super().__init__("swaps", spot, swaps, self._contract, kept=4 * _KEPT_DAYS)
        self._seed = seed
        self._known_ms = known_ms
        self._holes = holes or Holes(seed)
        self.mark = _Prices("mark", spot, swaps, self._mark)
        self.index = _Prices("index", spot, swaps, self._index)
        self.premium = _Prices("premium", spot, swaps, self._premium)

    def admit(self, base: str, quote: str) -> None:
        """Serve one more pair.

        Raises
        ------
        ConfigError
            If the spot bars are a recording without that pair.
        """
        name = base + quote
        if isinstance(self._spot, _MadeUp):
            self._spot.admit(base, quote)
        if name not in self._spot.listings:
            raise ConfigError(
                f"expected recorded bars of {base}/{quote}, found those of {', '.join(self._spot.listings)}; "
                "name it among the symbols"
            )
        self.listings.setdefault(name, swap_listing(self._spot.listings[name]))

    def open_interest(self, name: str, moments_ms: Integers) -> Floats:
        """Return the open interest at each moment, in units of the base currency."""
        minute = moments_ms // _MINUTE_MS
        keys = (key_of(self._seed, name, "interest", period) for period in (12_960, 1_900, 240))
        heights = zip(keys, (12_960, 1_900, 240), (0.25, 0.1, 0.02), strict=True)
        swings = sum(height * waves(key, minute, period) for key, period, height in heights)
        held = self._typical_volume(name) * _HELD_MINUTES * np.exp(swings)
        amounts: Floats = np.round(held, self.listings[name].amount_decimals)
        return amounts

    def _typical_volume(self, name: str) -> float:
        if isinstance(self._spot, _MadeUp):
            return self._spot.typical_volume(name)
        start, step_ms = self._spot.span(name).start_ms, self.base.seconds * 1000
        closed = start + DAY_MS if self._known_ms is None else floor_to(step_ms, self._known_ms)
        first = self._spot.bars(name, start, min(start + DAY_MS, max(closed, start + step_ms)))
        return float(first.volume.mean()) * _MINUTE_MS / step_ms

    def _spot_day(self, name: str, day: int) -> Bars:
        return self._spot.bars(name, day * DAY_MS, (day + 1) * DAY_MS)

    def _slow(self, name: str, day: int, moments_ms: Integers) -> Floats:
        """Return the premium (log) at moments of a day: some basis points, for hours on one side."""
        minute = moments_ms // _MINUTE_MS
        key = key_of(self._seed, name, "basis")
        swings = (
            4 * waves(key, minute, 700) + 1.2 * waves(key ^ 1, minute, 160) + 0.6 * waves(key ^ 2, minute, 17)
        )
        before, now = self._lean(name, day - 1), self._lean(name, day)
        share = (moments_ms - day * DAY_MS) / DAY_MS
        premium: Floats = _POINT * (1.5 + swings + before + (now - before) * share)
        return premium

    def _lean(self, name: str, day: int) -> float:
        """Return the points that the last days' change adds; all of it was known when ``day`` opened."""
        if not isinstance(self._spot, _MadeUp):
            return 0.0
        return 4 * float(np.tanh(self._spot.recent_change(name, day) / 0.06))

    def _edges(self, name: str, day: int, spot: Bars) -> tuple[Floats, Floats]:
        step_ms = self.base.seconds * 1000
        return self._slow(name, day, spot.open_time), self._slow(name, day, spot.open_time + step_ms)

    def _contract(self, name: str, day: int) -> Bars:
        spot, listing = self._spot_day(name, day), self.listings[name]
        if len(spot) == 0:
            return spot
        minute = spot.open_time // _MINUTE_MS
        key, minutes = key_of(self._seed, name, "jitter"), self.base.seconds // 60
        start, end = self._edges(name, day, spot)
        start = start + 0.6 * _POINT * normals(key, minute)
        end = end + 0.6 * _POINT * normals(key, minute + minutes)
        followed = _followed(spot, start, end).rounded(listing.price_decimals)
        drawn = np.exp(0.2 * normals(key ^ 1, minute))
        volume = np.round(spot.volume * _BUSIER * drawn, listing.amount_decimals)
        swap = Bars.of(followed.open_time, followed.open, followed.high, followed.low, followed.close, volume)
        return self._holes.punch(name + ".P", swap)

    def _mark(self, name: str, day: int) -> Bars:
        spot = self._spot_day(name, day)
        return _without_volume(_followed(spot, *self._edges(name, day, spot)).rounded(8))

    def _index(self, name: str, day: int) -> Bars:
        return _without_volume(self._spot_day(name, day))

    def _premium(self, name: str, day: int) -> Bars:
        spot = self._spot_day(name, day)
        start, end = (np.expm1(edge).round(8) for edge in self._edges(name, day, spot))
        none = np.zeros(len(spot))
        return Bars.of(spot.open_time, start, np.maximum(start, end), np.minimum(start, end), end, none)


def _followed(spot: Bars, start: Floats, end: Floats) -> Bars:
    """Return spot bars moved by a basis (log) that goes from ``start`` to ``end`` of each bar."""
    open_, close = spot.open * np.exp(start), spot.close * np.exp(end)
    middle = np.exp((start + end) / 2)
    high = np.maximum(spot.high * middle, np.maximum(open_, close))
    low = np.minimum(spot.low * middle, np.minimum(open_, close))
    return Bars.of(spot.open_time, open_, high, low, close, spot.volume)


def _without_volume(bars: Bars) -> Bars:
    return Bars.of(bars.open_time, bars.open, bars.high, bars.low, bars.close, np.zeros(len(bars)))
