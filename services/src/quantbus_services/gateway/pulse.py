"""The gateway's own loop: ask the bus for its time, tell it that we live."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from quantbus_contracts import Heartbeat
from quantbus_contracts.errors import QuantbusError
from quantbus_services.gateway.metrics import GatewayMetrics

__all__ = ["Pulse"]

_log = structlog.get_logger(__name__)


class Pulse:
    """Knows whether the bus answers; ``became_ready`` is set once it has."""

    def __init__(
        self,
        server_now: Callable[[], Awaitable[datetime]],
        beat: Callable[[Heartbeat], Awaitable[None]],
        metrics: GatewayMetrics,
        *,
        instance: str,
        version: str,
    ) -> None:
        """Beat as ``instance``."""
        self._server_now = server_now
        self._beat = beat
        self._metrics = metrics
        self._instance = instance
        self._version = version
        self._started_at: datetime | None = None
        self.bus_up = False
        self.became_ready = asyncio.Event()

    async def run(self, interval_seconds: float) -> None:
        """Beat until cancelled. A dead bus is no end: the next beat asks again."""
        while True:
            await self.once()
            await asyncio.sleep(interval_seconds)

    async def once(self) -> None:
        """Beat once."""
        try:
            now = await self._server_now()
            self._started_at = self._started_at or now
            await self._beat(
                Heartbeat(
                    process="gateway",
                    instance=self._instance,
                    at=now,
                    started_at=self._started_at,
                    version=self._version,
                )
            )
        except QuantbusError as error:
            if self.bus_up or not self.became_ready.is_set():
                _log.warning("bus_down", error=str(error))
            self.bus_up = False
        else:
            if not self.bus_up:
                _log.info("bus_up")
            self.bus_up = True
            self.became_ready.set()
        self._metrics.bus_up.set(self.bus_up)
