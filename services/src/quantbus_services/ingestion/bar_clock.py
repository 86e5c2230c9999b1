"""When to look for the next closed bar; pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from quantbus_contracts.timeframe import Timeframe

__all__ = ["next_wake", "next_wake_of"]


def next_wake(now: datetime, timeframe: Timeframe, grace: timedelta = timedelta(0)) -> datetime:
    """Return the first instant after ``now`` that lies exactly ``grace`` after a bar's close.

    Called again at the instant it returned it gives the next bar's, so each bar has one wake.
    """
    return timeframe.floor(now - grace) + timeframe.delta + grace


def next_wake_of(
    now: datetime, timeframes: Iterable[Timeframe], grace: timedelta = timedelta(0)
) -> tuple[datetime, frozenset[Timeframe]]:
    """Return the earliest next wake and every timeframe of which a bar closes there."""
    wakes = {timeframe: next_wake(now, timeframe, grace) for timeframe in timeframes}
    earliest = min(wakes.values())
    return earliest, frozenset(timeframe for timeframe, wake in wakes.items() if wake == earliest)
