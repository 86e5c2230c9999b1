"""A lane for each messenger: a bounded queue and bounded tries, so that a dead messenger holds up no other."""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog

from quantbus_services.monitor.alerts.messages import Message
from quantbus_services.monitor.alerts.messengers import Messenger
from quantbus_services.monitor.alerts.metrics import AlertMetrics

__all__ = ["Lane", "Lanes"]

_log = structlog.get_logger(__name__)
_LONGEST_QUEUE = 100
_TRIES = 5
_LONGEST_PAUSE_SECONDS = 30.0
_PATIENCE_SECONDS = 30.0
"""With one try; apprise itself gives up a connection after some seconds."""


class Lane:
    """The way to one messenger."""

    def __init__(self, messenger: Messenger, metrics: AlertMetrics, *, first_pause_seconds: float) -> None:
        """Send to ``messenger``; after a failure wait ``first_pause_seconds``, then twice that, and so on."""
        self._messenger = messenger
        self._metrics = metrics
        self._first_pause = first_pause_seconds
        self._waiting: deque[Message] = deque()
        self._filled = asyncio.Event()

    def put(self, message: Message) -> None:
        """Queue a message; in a full queue the oldest makes room, and that is counted and logged."""
        if len(self._waiting) >= _LONGEST_QUEUE:
            lost = self._waiting.popleft()
            self._metrics.messages.labels("dropped").inc()
            _log.error("alert_message_dropped", messenger=self._messenger.name, title=lost.title)
        self._waiting.append(message)
        self._filled.set()

    async def run(self) -> None:
        """Send what is queued, one after the other, until cancelled."""
        while True:
            await self._filled.wait()
            while self._waiting:
                await self._deliver(self._waiting.popleft())
            self._filled.clear()

    async def _deliver(self, message: Message) -> None:
        for attempt in range(1, _TRIES + 1):
            if await self._sent(message):
                self._metrics.messages.labels("delivered").inc()
                _log.info(
                    "alert_delivered", messenger=self._messenger.name, title=message.title, tries=attempt
                )
                return
            if attempt < _TRIES:
                self._metrics.messages.labels("retried").inc()
                pause = min(self._first_pause * 2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause)
        self._metrics.messages.labels("failed").inc()
        _log.error("alert_not_delivered", messenger=self._messenger.name, title=message.title, tries=_TRIES)

    async def _sent(self, message: Message) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._messenger.send(message)
        except (
            OSError,
            TimeoutError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RuntimeError,
        ) as error:
            # A plug-in of a hundred may break in its own way; its text may hold the address, so only its kind is told.
            _log.warning("messenger_broke", messenger=self._messenger.name, error=type(error).__name__)
            return False


class Lanes:
    """All lanes; without a messenger a message is logged, and that is all."""

    def __init__(
        self, messengers: Sequence[Messenger], metrics: AlertMetrics, *, first_pause_seconds: float = 2.0
    ) -> None:
        """Make a lane for each of ``messengers``."""
        self._lanes = [Lane(one, metrics, first_pause_seconds=first_pause_seconds) for one in messengers]

    def put(self, message: Message) -> None:
        """Log a message and queue it for every messenger."""
        _log.warning("alert", title=message.title, body=message.body, messengers=len(self._lanes))
        for lane in self._lanes:
            lane.put(message)

    async def run(self) -> None:
        """Serve every lane until cancelled."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(lane.run())
