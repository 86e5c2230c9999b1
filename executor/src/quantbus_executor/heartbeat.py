"""The bot's sign of life on the bus."""

import logging
from datetime import datetime, timedelta
from importlib.metadata import version

from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.ports import HeartbeatStore
from quantbus_contracts.schema import Heartbeat

__all__ = ["Pulse"]

logger = logging.getLogger(__name__)
_EVERY = timedelta(seconds=10)
Detail = dict[str, str | int | float | bool | None]


class Pulse:
    """Beats at most every ten seconds; a beat that the bus does not take is no reason to stop."""

    def __init__(self, store: HeartbeatStore, consumer_id: str, started_at: datetime) -> None:
        """Beat as process ``executor``, instance ``consumer_id``."""
        self._store = store
        self._consumer_id = consumer_id
        self._started_at = started_at
        self._last: datetime | None = None

    def beat_if_due(self, now: datetime, detail: Detail) -> None:
        """Write a sign of life unless the last one is recent."""
        if self._last is not None and now - self._last < _EVERY:
            return
        heartbeat = Heartbeat(
            process="executor",
            instance=self._consumer_id,
            at=now,
            started_at=min(self._started_at, now),
            version=version("quantbus-executor"),
            detail=detail,
        )
        try:
            self._store.beat(heartbeat)
        except QuantbusError as error:
            logger.debug("no heartbeat: %s", error)
        else:
            self._last = now
