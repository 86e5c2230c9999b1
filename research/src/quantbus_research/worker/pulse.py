"""The worker's sign of life."""

from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Protocol

import structlog

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import BusError
from quantbus_contracts.schema import Heartbeat

__all__ = ["HeartbeatSink", "Pulse"]

_EVERY = timedelta(seconds=5)
_log = structlog.get_logger(__name__)


class HeartbeatSink(Protocol):
    """Where signs of life go."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Store the newest sign of life of a process."""
        ...


class Pulse:
    """Beats every few seconds while it is ticked; a bus that does not answer never stops the work."""

    def __init__(self, sink: HeartbeatSink, clock: Clock, *, instance: str) -> None:
        """Speak as process ``research``, instance ``instance`` (the strategy: stable across restarts)."""
        self._sink = sink
        self._clock = clock
        self._instance = instance
        self._started_at = clock.now()
        self._last: datetime | None = None

    def tick(self, *, force: bool = False, **detail: str | int | float | bool | None) -> bool | None:
        """Beat if the last beat is old enough, or at once with ``force``; return whether the bus took it."""
        now = self._clock.now()
        if not force and self._last is not None and now - self._last < _EVERY:
            return None
        self._last = now
        heartbeat = Heartbeat(
            process="research",
            instance=self._instance,
            at=now,
            started_at=self._started_at,
            version=version("quantbus-research"),
            detail=detail,
        )
        try:
            self._sink.beat(heartbeat)
        except BusError as error:
            _log.warning("heartbeat_not_stored", error=str(error))
            return False
        return True
