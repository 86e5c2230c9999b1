"""Puts together what goes on beside the live loop: the ledger of gaps, repairs, second sources, sealing."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import CollectorRegistry

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import VenueError
from quantbus_contracts.mongo.block_sealer import AsyncBlockSealer
from quantbus_contracts.mongo.candle_reader import AsyncCandleReader
from quantbus_contracts.mongo.candle_writer import AsyncCandleWriter
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.gaps import AsyncGapStore
from quantbus_contracts.mongo.holes import AsyncHoleFinder
from quantbus_contracts.schema import CandleReport, GapState
from quantbus_contracts.symbols import Instrument
from quantbus_services.ingestion.backfill import Backfiller
from quantbus_services.ingestion.fallbacks import matched, parse_fallback
from quantbus_services.ingestion.gaps import GapKeeper, GapRepairer, GapRules, GapWatch
from quantbus_services.ingestion.gaps.keeper import told
from quantbus_services.ingestion.gaps.metrics import GapMetrics
from quantbus_services.ingestion.outcome import end_all
from quantbus_services.ingestion.sealing import DailySealing
from quantbus_services.ingestion.second_source import ComparingWriter, StandIn, Substitute, Tolerance
from quantbus_services.ingestion.series import Series, is_derivative_name
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.venue.ccxt_source import open_source
from quantbus_services.ingestion.venue.patience import PatientSource
from quantbus_services.ingestion.venue.source import CandleSource

__all__ = ["Companions", "LiveParts", "beside_live", "second_sources"]

_log = structlog.get_logger(__name__)
_SEALED_AT_ONCE = 2_000  # bars: packing more would hold up the bars that are due meanwhile
OnWrite = Callable[[Series, CandleReport], None]


@dataclass(frozen=True, slots=True)
class Companions:
    """A `Beside`: notes gaps, and lets second sources stand in."""

    watch: GapWatch
    stand_in: StandIn

    async def stored(self, series: Series, start: datetime, end: datetime) -> None:
        """Note that the first source answers, and what is missing all the same."""
        await self.stand_in.recovered(series, start, end)
        for gap in await self.watch.look(series.instrument.symbol, series.timeframe, start, end):
            _log.warning("gap_repaired" if gap.state is GapState.REPAIRED else "gap_seen", **told(gap))

    async def failed(self, series: Series, error: VenueError) -> bool:
        """Let the second source stand in if it is time."""
        return await self.stand_in.failed(series, error)

    def may_stand_in(self, series: Series) -> bool:
        """Tell whether the series has a second source."""
        return self.stand_in.covers(series)


@asynccontextmanager
async def second_sources(
    settings: IngestionSettings,
    wanted: Iterable[Instrument],
    *,
    random: Callable[[], float],
    on_error: Callable[[VenueError], None],
) -> AsyncGenerator[dict[Instrument, Substitute]]:
    """Open the second source of every instrument that has one; a venue that does not answer is done without.

    Raises
    ------
    ConfigError
        If a fallback is misspelt, or stands in for none of the wanted instruments.
    UnknownInstrument
        If its venue lists no such market.
    """
    instruments = sorted(set(wanted))
    fallbacks = [parse_fallback(text) for text in settings.fallbacks]
    found: dict[Instrument, Substitute] = {}
    async with AsyncExitStack() as stack:
        for venue in dict.fromkeys(fallback.venue for fallback in fallbacks):
            ours = [fallback for fallback in fallbacks if fallback.venue == venue]
            source = PatientSource(
                open_source(
                    venue.lower(),
                    url=settings.fallback_url,
                    timeout_seconds=settings.venue_timeout_seconds,
                    with_derivatives=any(is_derivative_name(item.market) for item in ours),
                ),
                attempts=2,
                random=random,
                on_error=on_error,
            )
            stack.push_async_callback(source.close)
            try:
                catalogue = await source.instruments()
            except VenueError as error:
                _log.error("second_source_unavailable", venue=venue, error=str(error))
                continue
            for fallback in ours:
                market = catalogue.resolve(fallback.market)
                instrument = matched(fallback, market, instruments)
                found[instrument] = Substitute(source, market, instrument.venue)
                _log.info("second_source", symbol=instrument.symbol, fallback=market.symbol)
        yield found


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What the live loop gets."""

    first: Backfiller
    """Over the first source, comparing with what a second one left."""
    companions: Companions


@asynccontextmanager
async def beside_live(
    connection: AsyncConnection,
    source: CandleSource,
    series: Sequence[Series],
    settings: IngestionSettings,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    random: Callable[[], float],
    on_error: Callable[[VenueError], None],
    on_write: OnWrite,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[LiveParts]:
    """Build what goes on beside the live loop; repair gaps and seal days in the background meanwhile."""
    metrics = GapMetrics(registry)
    instruments = [item.instrument for item in series]
    async with second_sources(settings, instruments, random=random, on_error=on_error) as substitutes:
        builder = _Builder(connection, settings, clock, metrics, frozenset(substitutes), on_write)
        first = builder.filler(source, on_write)
        companions = Companions(builder.watch(), builder.stand_in(first, substitutes))
        keeper = GapKeeper(
            series,
            AsyncGapStore(connection),
            builder.repairer(source),
            every_seconds=settings.gap_check_seconds,
            now=clock.now,
            on_standing=metrics.standing,
            sleep=sleep,
        )
        async with asyncio.TaskGroup() as group:
            sealer = AsyncBlockSealer(connection, bars_at_once=_SEALED_AT_ONCE)
            sealing = DailySealing(series, sealer, now=clock.now, sleep=sleep)
            doings: list[asyncio.Task[object]] = [
                group.create_task(keeper.run()),
                group.create_task(sealing.run()),
            ]
            yield LiveParts(first, companions)
            await end_all(doings)


@dataclass(frozen=True, slots=True)
class _Builder:
    connection: AsyncConnection
    settings: IngestionSettings
    clock: Clock
    metrics: GapMetrics
    with_second: frozenset[Instrument]
    on_write: OnWrite

    def writer(self) -> ComparingWriter:
        return ComparingWriter(
            AsyncCandleWriter(self.connection),
            AsyncCandleReader(self.connection),
            AsyncGapStore(self.connection),
            tolerance=Tolerance(self.settings.disagreement_close, self.settings.disagreement_volume_ratio),
            symbols=frozenset(item.symbol for item in self.with_second),
            now=self.clock.now,
            on_found=self.metrics.disagreed,
        )

    def filler(self, source: CandleSource, on_write: OnWrite) -> Backfiller:
        return Backfiller(
            source,
            AsyncCandleReader(self.connection),
            self.writer(),
            page_bars=self.settings.page_bars,
            venue_now=self.clock.now,
            on_write=on_write,
            in_flight=4 * self.settings.concurrency,  # those that hang must not keep the others waiting
            settle=timedelta(seconds=self.settings.grace_seconds),
        )

    def stand_in(self, first: Backfiller, substitutes: Mapping[Instrument, Substitute]) -> StandIn:
        def note(series: Series, report: CandleReport) -> None:
            self.metrics.stood_in(series, report.inserted)
            self.on_write(series, report)

        return StandIn(
            {item: self.filler(substitute, note) for item, substitute in substitutes.items()},
            AsyncCandleReader(self.connection),
            first,
            after=timedelta(seconds=self.settings.fallback_after_seconds),
            history=timedelta(days=self.settings.history_days),
            now=self.clock.now,
        )

    def watch(self) -> GapWatch:
        return GapWatch(
            AsyncHoleFinder(self.connection),
            AsyncGapStore(self.connection),
            seen_by="ingest live",
            now=self.clock.now,
        )

    def repairer(self, source: CandleSource) -> GapRepairer:
        return GapRepairer(
            source,
            self.writer(),
            AsyncGapStore(self.connection),
            self.watch(),
            rules=GapRules.of(self.settings),
            page_bars=self.settings.page_bars,
            venue_now=self.clock.now,
            now=self.clock.now,
        )
