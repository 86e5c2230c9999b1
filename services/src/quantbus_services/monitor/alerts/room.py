"""The room put together: routes in, lanes out, and an eye on Prometheus's silence."""

import asyncio
from datetime import timedelta

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from quantbus_contracts.clock import Clock
from quantbus_services.monitor.alerts.deadman import DeadMan
from quantbus_services.monitor.alerts.lanes import Lanes
from quantbus_services.monitor.alerts.messages import Message, message_of
from quantbus_services.monitor.alerts.messengers import messengers_of
from quantbus_services.monitor.alerts.metrics import AlertMetrics
from quantbus_services.monitor.alerts.routes import alert_routes
from quantbus_services.monitor.alerts.webhook import Notification
from quantbus_services.monitor.settings import MonitorSettings

__all__ = ["AlertRoom"]

_LOOK_SECONDS = 1.0


class AlertRoom:
    """Takes what Alertmanager posts to the messengers, and tells them itself when Alertmanager goes silent."""

    def __init__(
        self,
        *,
        lanes: Lanes,
        metrics: AlertMetrics,
        clock: Clock,
        deadman: DeadMan | None,
        token: SecretStr | None = None,
    ) -> None:
        """Send through ``lanes``; without a ``deadman`` silence is not judged."""
        self._lanes = lanes
        self._metrics = metrics
        self._clock = clock
        self._deadman = deadman
        self._token = token

    @classmethod
    def of(cls, settings: MonitorSettings, registry: CollectorRegistry, clock: Clock) -> "AlertRoom":
        """Return the room that the settings ask for.

        Raises
        ------
        ConfigError
            If a file that they name is not what it should be.
        """
        messengers = messengers_of(settings.alert_urls_file)
        metrics = AlertMetrics(registry)
        deadman = None
        if settings.deadman_after_seconds:
            # Whoever names messengers wants to hear also of a Prometheus that never came up.
            armed_at = clock.now() if messengers else None
            deadman = DeadMan(timedelta(seconds=settings.deadman_after_seconds), armed_at=armed_at)
        lanes = Lanes(messengers, metrics)
        return cls(lanes=lanes, metrics=metrics, clock=clock, deadman=deadman, token=settings.alert_token())

    def routes(self) -> APIRouter:
        """Return what the monitor answers for this room."""
        return alert_routes(
            metrics=self._metrics, token=self._token, take=self._take, take_watchdog=self._take_watchdog
        )

    async def run(self) -> None:
        """Deliver and watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lanes.run())
            if self._deadman is not None:
                group.create_task(self._watch(self._deadman))

    def _take(self, notification: Notification) -> None:
        self._lanes.put(message_of(notification))

    def _take_watchdog(self, notification: Notification) -> None:
        if notification.status != "firing":
            return  # "it no longer fires" is no sign of life
        now = self._clock.now()
        self._metrics.watchdog_last.set(now.timestamp())
        if self._deadman is not None:
            self._put(self._deadman.heard(now))

    async def _watch(self, deadman: DeadMan) -> None:
        while True:
            self._put(deadman.look(self._clock.now()))
            await asyncio.sleep(_LOOK_SECONDS)

    def _put(self, message: Message | None) -> None:
        if message is not None:
            self._lanes.put(message)
