"""Bars that are made a day at a time, on demand, and kept while there is room."""

from collections.abc import Callable
from functools import lru_cache

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.series import Bars, floor_to

__all__ = ["DAY_MS", "DayBars"]

DAY_MS = 86_400_000
_FINE_DAYS = 384  # some 80 kB each where bars are minutes
_COARSE_DAYS = 4_096


class DayBars:
    """Cuts ranges and coarser bars out of whole days; every timeframe divides a day."""

    def __init__(self, make: Callable[[str, int], Bars], *, kept: int = _FINE_DAYS) -> None:
        """Let ``make`` give the base bars of a name and a day since 1970; ``kept`` days of them stay."""
        self._fine = lru_cache(maxsize=kept)(make)
        self._coarse = lru_cache(maxsize=_COARSE_DAYS)(self._aggregate)

    def bars(self, name: str, start_ms: int, end_ms: int) -> Bars:
        """Return the base bars that open in ``[start_ms, end_ms)``."""
        days = range(floor_to(DAY_MS, start_ms) // DAY_MS, -(-end_ms // DAY_MS))
        return Bars.join([self._fine(name, day) for day in days]).between(start_ms, end_ms)

    def buckets(self, name: str, timeframe: Timeframe, start_ms: int, end_ms: int) -> Bars:
        """Return coarser bars; both bounds are open times of such bars."""
        step_ms = timeframe.seconds * 1000
        days = range(floor_to(DAY_MS, start_ms) // DAY_MS, -(-end_ms // DAY_MS))
        return Bars.join([self._coarse(name, step_ms, day) for day in days]).between(start_ms, end_ms)

    def _aggregate(self, name: str, step_ms: int, day: int) -> Bars:
        return self._fine(name, day).aggregate(step_ms)
