"""The bus's clock, as seen from here: what this machine's own clock says, or is set to, does not matter."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from quantbus_contracts.clock import Clock, SystemClock
from quantbus_contracts.errors import BusError

__all__ = ["BusClock"]

# An answer that took longer says too little about when it was given.
_LONGEST_ROUND_TRIP_SECONDS = 1.0


class BusClock:
    """Goes on from the last time the bus told, by a counter that nobody sets; until it told one, by the own clock."""

    def __init__(
        self,
        ask: Callable[[], datetime],
        *,
        own: Clock | None = None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the time from ``ask``, which raises `BusError` where the bus does not answer; ``elapsed`` counts."""
        self._ask = ask
        self._own = own or SystemClock()
        self._elapsed = elapsed
        self._told: tuple[datetime, float] | None = None
        self.ahead = timedelta(0)
        """How far the bus was ahead of this machine's own clock when it was last asked."""

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime; asks nobody."""
        if self._told is None:
            return self._own.now()
        moment, at = self._told
        return moment + timedelta(seconds=self._elapsed() - at)

    def set(self) -> bool:
        """Ask the bus what time it is; tell whether it could be learnt."""
        before = self._elapsed()
        try:
            told = self._ask()
        except BusError:
            return False
        after = self._elapsed()
        if after - before > _LONGEST_ROUND_TRIP_SECONDS:
            return False
        self._told = told, (before + after) / 2
        self.ahead = self.now() - self._own.now()
        return True
