"""Keeps the worker on the bus's time, and says so when this machine's own clock is off."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from quantbus_research.metrics import WorkerMetrics
from quantbus_research.workflows import BusClock

__all__ = ["Timekeeper"]

_EVERY_SECONDS = 5.0
_WORTH_TELLING = timedelta(seconds=2)
_log = structlog.get_logger(__name__)


class Timekeeper:
    """Asks the bus for the time every few seconds, whoever of several loops comes by."""

    def __init__(
        self, clock: BusClock, metrics: WorkerMetrics, *, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        """Set ``clock``; ``elapsed`` counts seconds."""
        self._clock = clock
        self._metrics = metrics
        self._elapsed = elapsed
        self._asked: float | None = None
        self._told = False
        self._turn = threading.Lock()

    def keep(self) -> None:
        """Ask again if the last answer is old; a bus that is away leaves the clock going on as it was."""
        with self._turn:
            if self._asked is not None and self._elapsed() - self._asked < _EVERY_SECONDS:
                return
            self._asked = self._elapsed()
            if not self._clock.set():
                return
        ahead = self._clock.ahead
        self._metrics.clock_offset.labels("bus").set(ahead.total_seconds())
        is_off = abs(ahead) > _WORTH_TELLING
        if is_off and not self._told:
            _log.warning(
                "own_clock_is_off",
                seconds=round(-ahead.total_seconds(), 3),
                what="bars are timed by the bus's clock; set this machine's",
            )
        self._told = is_off
