"""Composition roots: where backfill and live ingestion are put together."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version

import structlog

from quantbus_contracts.clock import Clock, SystemClock
from quantbus_contracts.errors import BusError, ConfigError, VenueError
from quantbus_contracts.mongo.block_sealer import AsyncBlockSealer
from quantbus_contracts.mongo.candle_reader import AsyncCandleReader
from quantbus_contracts.mongo.candle_writer import AsyncCandleWriter
from quantbus_contracts.mongo.client import AsyncConnection, connect_async
from quantbus_contracts.mongo.following import AddressFollower
from quantbus_contracts.mongo.heartbeats import AsyncHeartbeatStore
from quantbus_contracts.mongo.instruments import AsyncInstrumentStore
from quantbus_contracts.runtime.metrics import new_registry, serve_metrics
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Heartbeat
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.apart import refuse_to_mix
from quantbus_services.ingestion.backfill import Backfiller, Filled
from quantbus_services.ingestion.live.bus_patience import PatientBars
from quantbus_services.ingestion.live.companions import beside_live
from quantbus_services.ingestion.live.poller import Poller, State
from quantbus_services.ingestion.live.steady_clock import SteadyClock
from quantbus_services.ingestion.metrics import IngestionMetrics
from quantbus_services.ingestion.sealing import seal
from quantbus_services.ingestion.series import Series, is_derivative_name, requested_series
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.venue.ccxt_source import open_source
from quantbus_services.ingestion.venue.clock import VenueClock
from quantbus_services.ingestion.venue.gate import Gate
from quantbus_services.ingestion.venue.notes import VenueNotes
from quantbus_services.ingestion.venue.patience import PatientSource
from quantbus_services.ingestion.venue.stream import CcxtStream, Markets
from quantbus_services.ingestion.windows import closed_end, parse_moment

__all__ = ["Wanted", "run_backfill", "run_live"]

_log = structlog.get_logger(__name__)
_random = random.SystemRandom().random
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which series, by the names a person gave."""

    symbols: Sequence[str]
    timeframes: Sequence[str]


async def run_live(
    wanted: Wanted,
    settings: IngestionSettings,
    mongo: MongoSettings,
    *,
    clock: Clock | None = None,
    sleep: Sleep = asyncio.sleep,
) -> int:
    """Keep the wanted series current; return the exit code.

    Time passes by ``clock`` (the machine's, made steady, unless given) and ``sleep``, which must agree with it.
    """
    clock = clock or SteadyClock(SystemClock())
    registry = new_registry("ingestion", version("quantbus-services"))
    metrics = IngestionMetrics(registry)
    if settings.metrics_port:
        serve_metrics(registry, settings.metrics_port, host=settings.metrics_host)
    notes = VenueNotes(settings.venue.upper(), clock, metrics)
    async with _opened(wanted, settings, mongo, _counting(notes)) as parts:
        venue_clock = VenueClock(
            parts.hasty,
            clock,
            check_seconds=settings.clock_check_seconds,
            on_offset=partial(notes.offset, parts.hasty.source),
        )
        async with beside_live(
            parts.connection,
            parts.hasty,
            parts.series,
            settings,
            clock=venue_clock,
            registry=registry,
            random=_random,
            on_error=_counting(notes),
            on_write=lambda _, report: metrics.written(report),
            sleep=sleep,
        ) as beside:
            poller = Poller(
                parts.series,
                beside.first,
                AsyncCandleReader(parts.connection),
                clock=venue_clock,
                settings=settings,
                metrics=metrics,
                beat=_heart(parts.connection, settings, clock.now(), metrics, notes),
                random=_random,
                sleep=sleep,
                beside=beside.companions,
                stream=_stream(parts, settings, metrics) if settings.stream else None,
                follow_bus=parts.bus.follow,
            )
            _log.info("live", venue=parts.hasty.venue, series=[str(item) for item in parts.series])
            return await poller.run()


def _stream(parts: "_Parts", settings: IngestionSettings, metrics: IngestionMetrics) -> CcxtStream:
    return CcxtStream(
        settings.venue,
        parts.series,
        parts.markets,
        url=settings.venue_url,
        random=_random,
        on_error=metrics.stream_error,
        gate=parts.gate,
    )


async def run_backfill(
    wanted: Wanted,
    since: str,
    until: str | None,
    settings: IngestionSettings,
    mongo: MongoSettings,
    *,
    on_progress: Callable[[Filled], None],
) -> list[Filled]:
    """Fill the range of every wanted series, and seal its past days.

    A series that venue or bus fail for says so in its ``error``.
    """
    clock = SteadyClock(SystemClock())
    async with _opened(wanted, settings, mongo, _logging) as parts:
        venue_clock = VenueClock(parts.patient, clock, check_seconds=settings.clock_check_seconds)
        await venue_clock.refresh()
        now = venue_clock.now()
        start = parse_moment(since, now, "--since")
        end = parse_moment(until, now, "--until") if until else None
        if start >= (end or now):
            raise ConfigError(
                f"expected --since before {'--until' if end else 'now'}, found {start.isoformat()}, "
                f"which is not before {(end or now).isoformat()}; there is nothing to fetch"
            )
        filler = parts.backfiller(settings, venue_clock)
        sealer = AsyncBlockSealer(parts.connection)
        gate = asyncio.Semaphore(settings.concurrency)

        async def fill(series: Series) -> Filled:
            newest = Filled(series)

            def note(filled: Filled) -> None:
                nonlocal newest
                newest = filled
                on_progress(filled)

            async with gate:
                begun = clock.now()
                try:
                    filled = await filler.fill(
                        series, start, closed_end(now, series.timeframe, end), on_progress=note
                    )
                    await seal(sealer, series)
                except (VenueError, BusError) as error:
                    filled = newest.failed(str(error))
                return replace(filled, seconds=(clock.now() - begun).total_seconds())

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fill(series)) for series in parts.series]
        return [task.result() for task in tasks]


@dataclass(frozen=True, slots=True)
class _Parts:
    connection: AsyncConnection
    series: list[Series]
    hasty: PatientSource
    """Tries once; the live loop tries again itself."""
    patient: PatientSource
    markets: Callable[[], Markets]
    """The venue's markets as ccxt has them."""
    gate: Gate
    """Whether the venue may be asked now."""
    bus: AddressFollower

    def backfiller(self, settings: IngestionSettings, clock: Clock) -> Backfiller:
        """Return what fills ranges with patience, for the venue as for the bus."""
        bars = PatientBars(
            AsyncCandleReader(self.connection),
            AsyncCandleWriter(self.connection),
            attempts=settings.retry_attempts,
            random=_random,
            follow=self.bus.follow,
        )
        return Backfiller(
            self.patient,
            bars,
            bars,
            page_bars=settings.page_bars,
            venue_now=clock.now,
            in_flight=settings.concurrency,
            settle=timedelta(seconds=settings.grace_seconds),
        )


@asynccontextmanager
async def _opened(
    wanted: Wanted, settings: IngestionSettings, mongo: MongoSettings, on_error: Callable[[VenueError], None]
) -> AsyncGenerator[_Parts]:
    """Open bus and venue, resolve the wanted names against its markets, and store those."""
    timeframes = frozenset(Timeframe.parse(name) for name in wanted.timeframes)
    connection = connect_async(mongo, app="ingestion", timeout_seconds=10.0)
    bus = AddressFollower(connection, mongo, app="ingestion")
    source = open_source(
        settings.venue,
        url=settings.venue_url,
        timeout_seconds=settings.venue_timeout_seconds,
        with_derivatives=any(is_derivative_name(name) for name in wanted.symbols),
    )
    hasty = PatientSource(source, attempts=1, random=_random, on_error=on_error)
    patient = PatientSource(source, attempts=settings.retry_attempts, random=_random, on_error=on_error)
    try:
        source.require_timeframes(timeframes)
        await connection.server_now()
        catalogue = await patient.instruments()
        series = requested_series(wanted.symbols, wanted.timeframes, catalogue, source.venue)
        await refuse_to_mix(series, AsyncCandleReader(connection), source.source)
        await AsyncInstrumentStore(connection).write(catalogue)
        yield _Parts(connection, series, hasty, patient, source.markets, source.gate, bus)
    finally:
        await bus.close()
        await source.close()
        await connection.close()


def _counting(notes: VenueNotes) -> Callable[[VenueError], None]:
    def count(error: VenueError) -> None:
        notes.error(error.kind)
        _logging(error)

    return count


def _logging(error: VenueError) -> None:
    _log.warning("venue_error", kind=error.kind, error=str(error))


def _heart(
    connection: AsyncConnection,
    settings: IngestionSettings,
    started_at: datetime,
    metrics: IngestionMetrics,
    notes: VenueNotes,
) -> Callable[[State], Awaitable[None]]:
    store = AsyncHeartbeatStore(connection)
    program = version("quantbus-services")

    async def beat(state: State) -> None:
        with metrics.asking_bus():
            # The database's clock is the one that processes judge each other by.
            now = await connection.server_now()
            heartbeat = Heartbeat(
                process="ingestion",
                instance=settings.instance,
                at=now,
                started_at=min(started_at, now),
                version=program,
                detail=state.detail() | notes.detail(),
            )
            await store.beat(heartbeat)

    return beat
