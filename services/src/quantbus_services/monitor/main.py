"""The composition root: settings, metrics, clock, bus, bot, checks, loop, server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version

import structlog
from prometheus_client import CollectorRegistry

from quantbus_contracts import Heartbeat
from quantbus_contracts.clock import Clock, SystemClock
from quantbus_contracts.mongo.client import AsyncConnection, connect_async
from quantbus_contracts.mongo.controls import AsyncControlStore
from quantbus_contracts.mongo.findings import AsyncFindingStore
from quantbus_contracts.mongo.heartbeats import AsyncHeartbeatStore
from quantbus_contracts.runtime.metrics import new_registry
from quantbus_contracts.runtime.secret_files import read_secret
from quantbus_contracts.runtime.serving import announced, listen, serve_app, url_of
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.monitor.alerts import AlertRoom
from quantbus_services.monitor.app import create_app
from quantbus_services.monitor.board import Board
from quantbus_services.monitor.bot_readings import BotReadings
from quantbus_services.monitor.checks import CHECKS, Sources
from quantbus_services.monitor.freqtrade_api import FreqtradeApi
from quantbus_services.monitor.freqtrade_figures import FiguresKept, FreqtradeFigures
from quantbus_services.monitor.keeping import FindingKeeper
from quantbus_services.monitor.metrics import (
    BotMetrics,
    ChainMetrics,
    LedgerMetrics,
    LoopMetrics,
    PlatformMetrics,
)
from quantbus_services.monitor.pages import Site, StoredReads, page_routes
from quantbus_services.monitor.readings import COUNTED_UNTIL, Readings
from quantbus_services.monitor.runner import Runner
from quantbus_services.monitor.settings import MonitorSettings
from quantbus_services.monitor.status import Status
from quantbus_services.monitor.stored_view import StoredView

__all__ = ["check_once", "serve"]

_log = structlog.get_logger(__name__)
_VERSION = version("quantbus-services")
_BUS_TIMEOUT_SECONDS = 3.0
_LAST_REQUESTS_SECONDS = 1
_STUCK_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Parts:
    runner: Runner
    board: Board
    registry: CollectorRegistry
    clock: Clock
    view: StoredView
    connection: AsyncConnection


async def serve(settings: MonitorSettings, mongo: MongoSettings) -> int:
    """Watch and answer until cancelled."""
    with listen(settings.host, settings.port) as listening:
        url = url_of(listening)
        async with _assembled(settings, mongo, beating=True) as parts:
            alerts = AlertRoom.of(settings, parts.registry, parts.clock)
            app = create_app(
                parts.board,
                parts.registry,
                parts.clock,
                stuck_after=_STUCK_AFTER,
                version=_VERSION,
                rooms=[alerts.routes(), page_routes(_site(settings, parts))],
            )
            with announced(settings.ready_file, url, parts.board.became_ready):
                _log.info("serving", url=url)
                async with asyncio.TaskGroup() as group:
                    group.create_task(serve_app(app, listening, last_requests_seconds=_LAST_REQUESTS_SECONDS))
                    group.create_task(alerts.run())
                    group.create_task(parts.runner.run(timedelta(seconds=settings.interval_seconds)))
    return 0


async def check_once(settings: MonitorSettings, mongo: MongoSettings) -> Status:
    """Run every check once and return what is known."""
    async with _assembled(settings, mongo, beating=False) as parts:
        await parts.runner.cycle()
        return parts.board.status(parts.clock.now())


@asynccontextmanager
async def _assembled(
    settings: MonitorSettings, mongo: MongoSettings, *, beating: bool
) -> AsyncIterator[_Parts]:
    clock = SystemClock()
    registry = new_registry("monitor", _VERSION)
    bot = _bot(settings)
    connection = connect_async(mongo, app="monitor", timeout_seconds=_BUS_TIMEOUT_SECONDS)
    view = StoredView(connection, clock)
    limits = settings.limits()
    figures = FiguresKept(FreqtradeFigures(bot)) if bot is not None else None
    sources = Sources(
        view,
        limits,
        bot,
        figures,
        settings.freqtrade_consumer,
        settings.freqtrade_account,
        settings.patience(),
        "consumer" if settings.block_entries == "consumer" else "pair",
    )
    checks = [make(sources) for make in CHECKS if bot is not None or "bot" not in make.needs]
    board = Board(tuple(check.name for check in checks), with_bot=bot is not None)
    readings = Readings(
        view,
        ChainMetrics(registry),
        LedgerMetrics(registry),
        PlatformMetrics(registry),
        limits,
        instance=settings.instance,
    )
    runner = Runner(
        server_now=connection.server_now,
        beat=_Heart(connection, settings.instance, board if beating else None, readings).beat,
        clock=clock,
        view=view,
        checks=checks,
        board=board,
        readings=readings,
        metrics=LoopMetrics(registry),
        bot=BotReadings(figures, BotMetrics(registry), settings.freqtrade_consumer) if figures else None,
        limits=limits,
        keep=_keeper(connection, settings).keep if beating else None,
    )
    try:
        yield _Parts(runner, board, registry, clock, view, connection)
    finally:
        await connection.close()
        if bot is not None:
            await bot.close()


def _site(settings: MonitorSettings, parts: _Parts) -> Site:
    return Site(
        board=parts.board,
        chain=parts.view,
        reads=StoredReads(parts.connection),
        clock=parts.clock,
        checks=CHECKS,
        limits=settings.limits(),
        stuck_after=_STUCK_AFTER,
        started_at=parts.clock.now(),
    )


def _keeper(connection: AsyncConnection, settings: MonitorSettings) -> FindingKeeper:
    return FindingKeeper(
        AsyncFindingStore(connection),
        AsyncControlStore(connection),
        instance=settings.instance,
        blocking=settings.block_entries != "never",
    )


def _bot(settings: MonitorSettings) -> FreqtradeApi | None:
    if settings.freqtrade_url is None:
        return None
    file = settings.freqtrade_password_file
    password = settings.freqtrade_password if file is None else read_secret(file)
    return FreqtradeApi.at(settings.freqtrade_url, settings.freqtrade_user, password.get_secret_value())


class _Heart:
    """Tells the bus that the monitor lives; without a board (a single check) it is silent."""

    def __init__(
        self, connection: AsyncConnection, instance: str, board: Board | None, readings: Readings
    ) -> None:
        self._store = AsyncHeartbeatStore(connection)
        self._instance = instance
        self._board = board
        self._readings = readings
        self._started_at: datetime | None = None

    async def beat(self, now: datetime) -> None:
        if self._board is None:
            return
        self._started_at = self._started_at or now
        status = self._board.status(now)
        counted = self._readings.counted_until
        await self._store.beat(
            Heartbeat(
                process="monitor",
                instance=self._instance,
                at=now,
                started_at=self._started_at,
                version=_VERSION,
                detail={
                    "findings": len(status.findings),
                    "ok": status.ok,
                    COUNTED_UNTIL: counted.isoformat() if counted else None,
                },
            )
        )
