"""A clock that does not jump: read once, and carried on by a counter that nobody can set.

An operator or a time service may move the machine's clock at any moment. Bars are judged closed by the venue's clock,
which is measured as a difference to ours every few minutes; were ours to leap ahead in between, the forming bar would
pass for a closed one. The steady clock does not notice such leaps, so the difference stays right. Where the counter
stands still while the machine sleeps, the clock is late for a while, which is harmless, until the next comparison.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from quantbus_contracts.clock import Clock

__all__ = ["SteadyClock", "counted_seconds"]


def counted_seconds() -> float:
    """Return seconds since some start; where the system can, those that the machine slept among them."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


class SteadyClock:
    """Begins at the time of another clock and goes on by itself; a `Clock`."""

    def __init__(self, clock: Clock, seconds: Callable[[], float] = counted_seconds) -> None:
        """Read ``clock`` once; ``seconds`` never goes back."""
        self._start = clock.now()
        self._seconds = seconds
        self._began = seconds()

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""
        return self._start + timedelta(seconds=self._seconds() - self._began)
