"""The composition root: settings, metrics, clock, bus, account, loop."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import version

import structlog

from quantbus_contracts import Heartbeat
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.account_snapshots import AsyncAccountSnapshots
from quantbus_contracts.mongo.client import AsyncConnection, connect_async
from quantbus_contracts.mongo.heartbeats import AsyncHeartbeatStore
from quantbus_contracts.runtime.metrics import new_registry, serve_metrics
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import AccountSnapshot
from quantbus_services.account.metrics import AccountMetrics
from quantbus_services.account.rights import KeyRights
from quantbus_services.account.settings import AccountSettings
from quantbus_services.account.venue import open_account
from quantbus_services.account.watch import Look, Watch

__all__ = ["ask_rights", "look_once", "watch"]

_log = structlog.get_logger(__name__)
_VERSION = version("quantbus-services")
_BUS_TIMEOUT_SECONDS = 5.0


async def watch(settings: AccountSettings, mongo: MongoSettings) -> int:
    """Look until cancelled."""
    async with _assembled(settings, mongo, beating=True) as made:
        _log.info("watching", account=settings.name, venue=settings.venue, markets=settings.markets)
        await made.run()
    return 0


async def look_once(settings: AccountSettings, mongo: MongoSettings) -> AccountSnapshot | None:
    """Look once; return what was written, None if the bus took nothing."""
    async with _assembled(settings, mongo, beating=False) as made:
        return await made.once()


async def ask_rights(settings: AccountSettings) -> KeyRights:
    """Ask the venue what the key may do; the bus is not needed."""
    account = open_account(settings, SystemClock())
    try:
        await account.meet()
        return await account.rights()
    finally:
        await account.close()


@asynccontextmanager
async def _assembled(
    settings: AccountSettings, mongo: MongoSettings, *, beating: bool
) -> AsyncIterator[Watch]:
    registry = new_registry("account", _VERSION)
    metrics = AccountMetrics(registry)
    account = open_account(settings, SystemClock())
    if beating and settings.metrics_port:
        serve_metrics(registry, settings.metrics_port, host=settings.metrics_host)
    connection = connect_async(mongo, app="account", timeout_seconds=_BUS_TIMEOUT_SECONDS)
    heart = _Heart(connection, settings.instance if beating else None)
    bus = Look(connection.server_now, AsyncAccountSnapshots(connection).add, heart.beat)
    try:
        yield Watch(account, bus, settings, metrics, random=random.SystemRandom().random)
    finally:
        await account.close()
        await connection.close()


class _Heart:
    """Tells the bus that the service lives, and how much it knows; without a name it is silent."""

    def __init__(self, connection: AsyncConnection, instance: str | None) -> None:
        self._store = AsyncHeartbeatStore(connection)
        self._instance = instance
        self._started_at: datetime | None = None

    async def beat(self, now: datetime, snapshot: AccountSnapshot | None) -> None:
        if self._instance is None:
            return
        self._started_at = self._started_at or now
        known = snapshot is not None and snapshot.is_complete
        await self._store.beat(
            Heartbeat(
                process="account",
                instance=self._instance,
                at=now,
                started_at=min(self._started_at, now),
                version=_VERSION,
                detail={"complete": known, "unknown": len(snapshot.unknown) if snapshot else None},
            )
        )
