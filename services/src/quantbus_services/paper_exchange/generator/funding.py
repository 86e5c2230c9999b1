"""Funding by Binance's formula: the mean premium of eight hours, pulled towards the interest rate."""

from dataclasses import dataclass

import numpy as np

from quantbus_services.paper_exchange.generator.perpetual import PerpetualMarket
from quantbus_services.paper_exchange.series import Bars, Floats, Integers, ceil_to, floor_to

__all__ = ["CAP", "INTEREST", "PERIOD_MS", "Funding", "funding_between", "next_funding"]

PERIOD_MS = 8 * 3_600_000
INTEREST = 0.0001
"""Of one period."""
CAP = 0.02
_PULL = 0.0005


@dataclass(frozen=True, slots=True)
class Funding:
    """What longs pay to shorts at ``time_ms`` as a share of a position's worth at ``mark``."""

    time_ms: int
    rate: float
    mark: float


def funding_between(
    market: PerpetualMarket, name: str, start_ms: int, end_ms: int, now_ms: int
) -> list[Funding]:
    """Return what was paid in ``[start_ms, end_ms]`` and by now, oldest first."""
    base = market.source.base
    begun = market.first_open(name, base, now_ms)
    first = ceil_to(PERIOD_MS, max(start_ms, begun + 1))
    last = floor_to(PERIOD_MS, min(end_ms, now_ms, market.ends_at(name, now_ms) or now_ms))
    if last < first:
        return []
    times = np.arange(first, last + 1, PERIOD_MS, dtype=np.int64)
    premium = market.premium.bars(name, base, first - PERIOD_MS, last, now_ms)
    rates = _rates(premium, times)
    marks = market.mark_prices(name, times, now_ms)
    return [Funding(*row) for row in zip(times.tolist(), rates.tolist(), marks.tolist(), strict=True)]


def next_funding(market: PerpetualMarket, name: str, now_ms: int) -> Funding:
    """Return what would be paid next if the period ended now; the mark is the price now."""
    base = market.source.base
    opened = floor_to(PERIOD_MS, now_ms)
    closed = market.premium.bars(
        name, base, opened, now_ms // (base.seconds * 1000) * base.seconds * 1000, now_ms
    )
    if len(closed) == 0:
        last = market.premium.last_price(name, now_ms)
        closed = Bars.of(np.array([opened]), *(np.array([last]) for _ in range(5)))
    time_ms = opened + PERIOD_MS
    rate = _rates(closed, np.array([time_ms]))[0]
    return Funding(time_ms, float(rate), market.mark_price(name, now_ms))


def _rates(premium: Bars, times: Integers) -> Floats:
    """Return the rate due at each of ``times`` from the bars of the period before it; later bars weigh more."""
    period = (premium.open_time - (times[0] - PERIOD_MS)) // PERIOD_MS
    weight = (premium.open_time % PERIOD_MS + 1).astype(np.float64)
    sums = np.bincount(period, weights=weight * premium.close, minlength=len(times))
    weights = np.bincount(period, weights=weight, minlength=len(times))
    mean = sums / np.where(weights > 0, weights, 1)
    rate = mean + np.clip(INTEREST - mean, -_PULL, _PULL)
    rounded: Floats = np.clip(rate, -CAP, CAP).round(8)
    return rounded
