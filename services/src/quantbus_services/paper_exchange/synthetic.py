"""Made-up bars: a deterministic function of seed, symbol and minute.

A day is made at once from its own random stream, so any bar can be computed in any order and comes out the
same after a restart. Days join without a jump: each runs from its own level to the next day's, and levels are
a sum of slow waves, which keeps prices sane for ever. Within a day, regimes of eight minutes to two hours
drift up, down or nowhere, and volatility comes in clusters.
"""

import zlib
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache

import numpy as np

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.listings import Listing
from quantbus_services.paper_exchange.market import DataKind, Span
from quantbus_services.paper_exchange.series import Bars, Floats, floor_to

__all__ = ["SyntheticSource", "day_of_bars", "synthetic_listing"]

_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
_MINUTES = 1_440
_SIGMA = 6e-4  # of one minute's log return; what Bitcoin shows on a lively day
_WAVES = ((3.1, 0.012), (7.7, 0.02), (19.0, 0.04), (53.0, 0.06), (131.0, 0.09))  # days, height in log price
_DRIFTS = np.array([-0.35, -0.2, 0.0, 0.2, 0.35])  # in sigmas a minute
_START_PRICES = {"BTC": 60_000.0, "ETH": 3_000.0, "BNB": 600.0, "SOL": 150.0, "XRP": 0.6, "DOGE": 0.15}
_TYPICAL_TURNOVER = 250_000.0  # quote currency a minute


def _start_price(base: str) -> float:
    return _START_PRICES.get(base) or float(10.0 ** (zlib.crc32(base.encode()) % 300 / 100))


def synthetic_listing(base: str, quote: str) -> Listing:
    """List a made-up market with steps that suit its price: about six digits of price, cents of amount."""
    digits = int(np.floor(np.log10(_start_price(base))))
    return Listing(base, quote, price_decimals=max(2, 5 - digits), amount_decimals=max(0, digits + 1))


def _level(seed: int, listing: Listing, day: int) -> float:
    """Return the log price at which ``day`` (since 1970) opens."""
    phases = np.random.default_rng([seed, zlib.crc32(listing.name.encode())]).uniform(
        0, 2 * np.pi, len(_WAVES)
    )
    waves = sum(
        height * np.sin(2 * np.pi * day / period + phase)
        for (period, height), phase in zip(_WAVES, phases, strict=True)
    )
    return float(np.log(_start_price(listing.base)) + waves)


def _regimes(chance: np.random.Generator) -> tuple[Floats, Floats]:
    """Return drift and volatility multiplier of each minute of a day."""
    lengths = chance.integers(8, 120, size=_MINUTES // 8)
    drifts = np.repeat(chance.choice(_DRIFTS, size=len(lengths)), lengths)[:_MINUTES]
    sizes = np.repeat(np.exp(chance.normal(0, 0.35, size=len(lengths))), lengths)[:_MINUTES]
    return drifts, sizes


def _clusters(chance: np.random.Generator) -> Floats:
    """Return volatility multipliers that rise fast and fade over about half an hour."""
    shocks = chance.standard_exponential(_MINUTES) ** 2
    fading = np.exp(-np.arange(120) / 30)
    clusters: Floats = np.sqrt(0.4 + 0.6 * np.convolve(shocks, fading / fading.sum())[:_MINUTES] / 2)
    return clusters


def day_of_bars(seed: int, listing: Listing, day: int) -> Bars:
    """Return the 1440 one-minute bars of ``day`` (days since 1970)."""
    chance = np.random.default_rng([seed, zlib.crc32(listing.name.encode()), day])
    drifts, sizes = _regimes(chance)
    sigma = _SIGMA * sizes * _clusters(chance)
    path = np.cumsum(sigma * (drifts + chance.standard_normal(_MINUTES)))
    start, end = _level(seed, listing, day), _level(seed, listing, day + 1)
    path += (end - start - path[-1]) * np.arange(1, _MINUTES + 1) / _MINUTES
    logs = start + np.concatenate([np.zeros(1), path])
    edges: Floats = np.exp(logs).round(listing.price_decimals)
    open_, close = edges[:-1], edges[1:]
    reach = sigma * np.abs(chance.standard_normal((2, _MINUTES))) * 0.6
    volume = chance.lognormal(0, 0.5, _MINUTES) * sigma / _SIGMA * _TYPICAL_TURNOVER / close
    return Bars.of(
        day * _DAY_MS + np.arange(_MINUTES, dtype=np.int64) * _MINUTE_MS,
        open_,
        np.round(np.maximum(open_, close) * (1 + reach[0]), listing.price_decimals),
        np.round(np.minimum(open_, close) * (1 - reach[1]), listing.price_decimals),
        close,
        np.round(volume, listing.amount_decimals) + listing.step,
    )


class SyntheticSource:
    """Serves made-up one-minute bars, from ``history`` before the start for ever."""

    kind: DataKind = "SYNTHETIC"
    shift_ms = 0
    base = Timeframe.parse("1m")

    def __init__(self, listings: Iterable[Listing], *, seed: int, now_ms: int, history: timedelta) -> None:
        """Begin at the midnight before ``history`` ago."""
        self.origin = f"seeded generator, seed {seed}"
        self.listings = {listing.name: listing for listing in listings}
        self._start_ms = floor_to(_DAY_MS, now_ms - int(history.total_seconds() * 1000))
        self._seed = seed
        self._day = lru_cache(maxsize=1_024)(self._make_day)

    def span(self, name: str) -> Span:
        """Return a beginning without an end."""
        return Span(self._start_ms, None)

    def bars(self, name: str, start_ms: int, end_ms: int) -> Bars:
        """Return the finished one-minute bars that open in ``[start_ms, end_ms)``."""
        return self._days(name, _MINUTE_MS, start_ms, end_ms)

    def buckets(self, name: str, timeframe: Timeframe, start_ms: int, end_ms: int) -> Bars:
        """Return finished bars of a coarser timeframe; each divides a day."""
        return self._days(name, timeframe.seconds * 1000, start_ms, end_ms)

    def _days(self, name: str, step_ms: int, start_ms: int, end_ms: int) -> Bars:
        start = max(start_ms, self._start_ms)
        days = range(start // _DAY_MS, -(-end_ms // _DAY_MS))
        return Bars.join([self._day(name, step_ms, day) for day in days]).between(start, end_ms)

    def _make_day(self, name: str, step_ms: int, day: int) -> Bars:
        if step_ms > _MINUTE_MS:
            return self._day(name, _MINUTE_MS, day).aggregate(step_ms)
        return day_of_bars(self._seed, self.listings[name], day)
