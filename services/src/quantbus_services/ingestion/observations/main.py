"""Composition roots: observing live, filling history, one look at the order books, importing files."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

import structlog

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.errors import BusError, ConfigError, ContractError, VenueError, VenueUnavailable
from quantbus_contracts.mongo.client import AsyncConnection, connect
from quantbus_contracts.mongo.heartbeats import AsyncHeartbeatStore
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.listings import AsyncListingStore
from quantbus_contracts.mongo.observations import AsyncObservationStore, ObservationStore
from quantbus_contracts.runtime.metrics import new_registry, serve_metrics
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import DepthSnapshot, FundingRate, Heartbeat
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.desk import Desk, open_desk
from quantbus_services.ingestion.listings import PARTIAL_LIST, ListingKeeper
from quantbus_services.ingestion.metrics import IngestionMetrics
from quantbus_services.ingestion.observations.files import read_observations
from quantbus_services.ingestion.observations.history import Filled, HistoryFiller
from quantbus_services.ingestion.observations.metrics import ObservationMetrics
from quantbus_services.ingestion.observations.observer import GaveUp, Observer, Round
from quantbus_services.ingestion.observations.parse import Parsed
from quantbus_services.ingestion.observations.settings import ObservationSettings
from quantbus_services.ingestion.observations.source import ObservationSource
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.transfer.names import InstrumentNames, read_symbol
from quantbus_services.ingestion.venue.notes import VenueNotes
from quantbus_services.ingestion.windows import parse_moment

__all__ = ["KINDS", "OnProgress", "fill_history", "import_files", "look_at_books", "run_observe"]

_log = structlog.get_logger(__name__)
KINDS = ("funding", "mark", "open-interest", "depth", "instruments")
OnProgress = Callable[[str, int, int], None]
"""Hears of a symbol how many windows are done, of how many."""


async def run_observe(
    symbols: Sequence[str],
    kinds: Sequence[str],
    settings: IngestionSettings,
    own: ObservationSettings,
    mongo: MongoSettings,
) -> int:
    """Observe until stopped; return the exit code."""
    clock = SystemClock()
    registry = new_registry("observation", version("quantbus-services"))
    metrics, venue_metrics = ObservationMetrics(registry), IngestionMetrics(registry)
    if settings.metrics_port:
        serve_metrics(registry, settings.metrics_port, host=settings.metrics_host)
    notes = VenueNotes(settings.venue.upper(), clock, venue_metrics)
    async with open_desk(
        settings,
        mongo,
        with_derivatives=True,
        clock=clock,
        on_error=lambda error: notes.error(error.kind),
        on_offset=partial(notes.offset, settings.venue),
    ) as desk:
        store = AsyncObservationStore(desk.connection)
        keeper = ListingKeeper(
            desk.venue,
            desk.patient,
            AsyncListingStore(desk.connection),
            desk.clock,
            on_changes=metrics.changed,
        )
        gate = asyncio.Semaphore(settings.concurrency)
        observers = [
            Observer(
                ask,
                store,
                clock=desk.clock,
                gate=gate,
                metrics=metrics,
                max_failures=settings.max_failures,
                random=desk.random,
            )
            for ask in _rounds(desk, _resolve(symbols, desk), kinds, own, store, keeper)
        ]
        begun_at = clock.now()

        async def heart() -> None:
            with venue_metrics.asking_bus():
                await _beat(desk.connection, settings, begun_at, observers, notes)

        _log.info("observing", venue=desk.venue.venue, kinds=list(kinds), symbols=list(symbols))
        return await _together(observers, heart, desk, settings.heartbeat_seconds)


async def _together(
    observers: Sequence[Observer], beat: Callable[[], Awaitable[None]], desk: Desk, every_seconds: float
) -> int:
    async def keep_time() -> None:
        while True:
            await desk.clock.refresh()
            await asyncio.sleep(every_seconds)

    async def live() -> None:
        # Apart from the clock: a venue that is to be left alone for a while makes us no less alive.
        while True:
            try:
                await beat()
            except BusError as error:
                _log.warning("heartbeat_failed", error=str(error))
            await asyncio.sleep(every_seconds)

    code = 0
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_time())
            group.create_task(live())
            for observer in observers:
                group.create_task(observer.run())
    except* GaveUp as gave_up:
        for error in gave_up.exceptions:
            _log.error("gave_up", error=str(error))
        code = 1
    return code


def _rounds(
    desk: Desk,
    instruments: Sequence[Instrument],
    kinds: Sequence[str],
    own: ObservationSettings,
    store: AsyncObservationStore,
    keeper: ListingKeeper,
) -> list[Round]:
    source = _source(desk, own.depth_limit)
    source.require([kind for kind in kinds if kind != "instruments"])
    filler = HistoryFiller(source, store, page=100)

    async def funding(instrument: Instrument) -> Parsed:
        now = desk.clock.now()
        last = await store.last(FundingRate, instrument.symbol)
        since = last.at if last else now - timedelta(days=own.funding_history_days)
        return await filler.settlements(instrument, since, now + timedelta(minutes=1))

    async def listings() -> Parsed:
        try:
            await keeper.refresh()
        except VenueUnavailable as error:
            if error.kind != PARTIAL_LIST:
                raise
            _log.error("market_list_refused", error=str(error))  # for a person; the other kinds go on
        return Parsed()

    def each(
        kind: str, ask: Callable[[Instrument], Awaitable[Parsed]], chosen: Sequence[Instrument]
    ) -> Round:
        return Round(kind, own.every(kind), [(item.symbol, partial(ask, item)) for item in chosen])

    rounds = {
        "funding": lambda: each("funding", funding, _fitting("funding", instruments)),
        "mark": lambda: Round(
            "mark",
            own.every("mark"),
            [("all", partial(source.marks, _fitting("mark", instruments)))],
        ),
        "open-interest": lambda: each(
            "open-interest", source.open_interest, _fitting("open-interest", instruments)
        ),
        "depth": lambda: each("depth", source.depth, instruments),
        "instruments": lambda: Round("instruments", own.every("instruments"), [("list", listings)]),
    }
    return [rounds[kind]() for kind in kinds]


async def fill_history(
    kind: str,
    symbols: Sequence[str],
    since: str,
    until: str | None,
    timeframe: Timeframe,
    settings: IngestionSettings,
    mongo: MongoSettings,
    *,
    on_progress: OnProgress,
) -> list[Filled]:
    """Fill the history of one kind; a symbol that venue or bus fail for says so in its ``error``."""
    async with open_desk(settings, mongo, with_derivatives=True) as desk:
        source = _source(desk)
        source.require([kind], history=True)
        instruments = _fitting(kind, _resolve(symbols, desk))
        now = desk.clock.now()
        start = parse_moment(since, now, "--since")
        end = parse_moment(until, now, "--until") if until else now
        if start >= end:
            raise ConfigError(f"expected --since before the end {end.isoformat()}, found {start.isoformat()}")
        filler = HistoryFiller(
            source, AsyncObservationStore(desk.connection), page=min(settings.page_bars, 500)
        )
        gate = asyncio.Semaphore(settings.concurrency)

        async def fill(item: Instrument) -> Filled:
            note = partial(on_progress, item.symbol)
            async with gate:
                try:
                    if kind == "funding":
                        return await filler.funding(item, start, end, on_window=note)
                    ask = filler.mark if kind == "mark" else filler.open_interest
                    return await ask(item, timeframe, start, end, on_window=note)
                except (VenueError, BusError) as error:
                    return replace(Filled(kind, item.symbol), error=str(error))

        return list(await asyncio.gather(*(fill(item) for item in instruments)))


async def look_at_books(
    symbols: Sequence[str], settings: IngestionSettings, own: ObservationSettings, mongo: MongoSettings
) -> tuple[list[DepthSnapshot], list[str]]:
    """Store the order book of each symbol as it is now; return the snapshots, and why others are missing."""
    async with open_desk(settings, mongo, with_derivatives=True) as desk:
        source = _source(desk, own.depth_limit)
        source.require(["depth"])
        parsed, errors = Parsed(), []
        for item in _resolve(symbols, desk):
            try:
                answer = await source.depth(item)
            except VenueError as error:
                errors.append(f"{item.symbol}: {error}")
                continue
            parsed += answer
            errors += [
                f"{item.symbol}: {refusal.reason} (found {refusal.value})" for refusal in answer.rejections
            ]
        await AsyncObservationStore(desk.connection).write(parsed.observations)
        return [item for item in parsed.observations if isinstance(item, DepthSnapshot)], errors


@dataclass(frozen=True, slots=True)
class _Names:
    names: InstrumentNames
    venue: str

    def swap(self, name: str) -> Instrument:
        """Return the perpetual swap that a file calls ``name``."""
        named = read_symbol(name)
        return self.names.resolve(replace(named, market="swap", venue=named.venue or self.venue))


def import_files(
    kind: str, paths: Sequence[Path], settings: IngestionSettings, mongo: MongoSettings
) -> list[Filled]:
    """Import files of funding rates or open interest; a file that cannot be read says so in its ``error``."""
    connection = connect(mongo, app="ingestion", timeout_seconds=20.0)
    try:
        venue = settings.venue.upper()
        names = InstrumentNames(
            InstrumentStore(connection).all(venue), settings.quotes, settings.venue_quotes
        )
        store, clock = ObservationStore(connection), SystemClock()
        filled = []
        for path in paths:
            result = Filled(kind, path.name)
            try:
                parsed = read_observations(
                    path, kind, _Names(names, venue).swap, source=f"file:{path.name}"[:64], clock=clock
                )
                filled.append(result.plus(parsed, store.write(parsed.observations)))
            except (ContractError, BusError) as error:
                filled.append(replace(result, error=str(error)))
        return filled
    finally:
        connection.close()


def _source(desk: Desk, depth_limit: int = 500) -> ObservationSource:
    return ObservationSource(desk.venue, desk.patient.again, desk.clock, depth_limit=depth_limit)


def _resolve(symbols: Sequence[str], desk: Desk) -> list[Instrument]:
    venue = desk.venue.venue
    names = (name if name.startswith(f"{venue}:") else f"{venue}:{name}" for name in symbols)
    return list(dict.fromkeys(desk.catalogue.resolve(name) for name in names))


def _fitting(kind: str, instruments: Sequence[Instrument]) -> list[Instrument]:
    """Return the instruments that can have ``kind``: swaps have funding, spot markets no mark and no open interest."""
    types = ("swap",) if kind == "funding" else ("swap", "future")
    found = [item for item in instruments if item.market_type in types]
    if not found:
        raise ConfigError(
            f"expected at least one {' or '.join(types)} for {kind}, found "
            f"{', '.join(item.pair for item in instruments) or 'none'}; write perpetuals as BTC/USDT:USDT"
        )
    return found


async def _beat(
    connection: AsyncConnection,
    settings: IngestionSettings,
    started_at: datetime,
    observers: Sequence[Observer],
    notes: VenueNotes,
) -> None:
    now = await connection.server_now()
    detail: dict[str, str | int | float | bool | None] = {
        "failures": max((observer.failures for observer in observers), default=0)
    }
    for observer in observers:
        detail[observer.kind] = observer.last_at.isoformat() if observer.last_at else None
    await AsyncHeartbeatStore(connection).beat(
        Heartbeat(
            process="observation",
            instance=settings.instance,
            at=now,
            started_at=min(started_at, now),
            version=version("quantbus-services"),
            detail=detail | notes.detail(),
        )
    )
