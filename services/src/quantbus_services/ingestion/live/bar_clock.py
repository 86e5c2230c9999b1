"""When bars are due: each exactly once, whatever the clock does.

A bar is due once it has been closed for the grace, by the clock that is asked. A clock that is set back makes no bar
due a second time; one that leaps ahead, or a machine that slept, makes all bars in between due at once, in one firing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantbus_contracts.clock import Clock
from quantbus_contracts.timeframe import Timeframe

__all__ = ["BarClock", "Firing"]


@dataclass(frozen=True, slots=True)
class Firing:
    """Bars of a timeframe that have become due together, by their open times; usually one."""

    timeframe: Timeframe
    first: datetime
    last: datetime


class BarClock:
    """Tells which bars have become due since it was last asked; starts with the bars that close from now on."""

    def __init__(self, clock: Clock, timeframes: Iterable[Timeframe], grace: timedelta) -> None:
        """Take the venue's clock; what is due already at this moment belongs to the past."""
        self._clock = clock
        self._grace = grace
        now = clock.now()
        self._newest = {timeframe: timeframe.last_closed(now, grace) for timeframe in timeframes}

    def ring(self) -> list[Firing]:
        """Return the bars that have become due, at most one firing a timeframe."""
        now = self._clock.now()
        firings = []
        for timeframe, before in self._newest.items():
            newest = timeframe.last_closed(now, self._grace)
            if newest > before:
                self._newest[timeframe] = newest
                firings.append(Firing(timeframe, before + timeframe.delta, newest))
        return firings

    def next_wake(self) -> datetime:
        """Return when the next bar of any timeframe becomes due; in the past if some are already."""
        return min(newest + 2 * timeframe.delta + self._grace for timeframe, newest in self._newest.items())
