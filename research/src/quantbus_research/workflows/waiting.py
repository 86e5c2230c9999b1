"""Waits, within bounds, until the bus holds the bars that are needed."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from quantbus_contracts.clock import Clock
from quantbus_contracts.ports import CandleReader
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = ["POLL_SECONDS", "Pause", "newest_bar", "wait_for_bar"]

POLL_SECONDS = 0.2
Pause = Callable[[float], bool]
"""Waits so many seconds; returns True if the process was asked to stop meanwhile."""

_FIRST = timedelta(days=366 * 30)


def newest_bar(
    candles: CandleReader, instruments: Sequence[Instrument], timeframe: Timeframe, as_of: datetime
) -> datetime | None:
    """Return the open time of the newest stored bar of any instrument that was closed at ``as_of``."""
    end = timeframe.last_closed(as_of) + timeframe.delta
    found = [
        bar.open_time
        for item in instruments
        for bar in candles.candles(item.symbol, timeframe, end - _FIRST, end, limit=1)
    ]
    return max(found, default=None)


def wait_for_bar(
    candles: CandleReader,
    instruments: Sequence[Instrument],
    timeframe: Timeframe,
    bar: datetime,
    *,
    until: datetime,
    clock: Clock,
    pause: Pause,
) -> list[Instrument]:
    """Ask until every instrument has the bar, the time is up, or the process stops; return who lacks it."""
    missing = list(instruments)
    while True:
        missing = [
            item
            for item in missing
            if not candles.open_times(item.symbol, timeframe, bar, bar + timeframe.delta)
        ]
        if not missing or clock.now() >= until or pause(POLL_SECONDS):
            return missing
