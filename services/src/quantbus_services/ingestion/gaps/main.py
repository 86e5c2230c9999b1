"""Composition root of ``quantbus ingest gaps``: find, note, and on request ask again."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.errors import ConfigError, UnknownInstrument, VenueError
from quantbus_contracts.mongo.candle_writer import AsyncCandleWriter
from quantbus_contracts.mongo.client import AsyncConnection, connect_async
from quantbus_contracts.mongo.gaps import AsyncGapStore
from quantbus_contracts.mongo.holes import AsyncHoleFinder
from quantbus_contracts.mongo.instruments import AsyncInstrumentStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import BROKEN_GAPS, Gap, GapState
from quantbus_contracts.symbols import InstrumentCatalogue
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_services.ingestion.gaps.names import named_series
from quantbus_services.ingestion.gaps.repair import GapRepairer
from quantbus_services.ingestion.gaps.rules import GapRules
from quantbus_services.ingestion.gaps.watch import GapWatch
from quantbus_services.ingestion.series import Series, is_derivative_name
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.venue.ccxt_source import open_source
from quantbus_services.ingestion.venue.clock import VenueClock
from quantbus_services.ingestion.venue.patience import PatientSource
from quantbus_services.ingestion.windows import parse_moment

__all__ = ["GapQuery", "SeriesGaps", "run_gaps"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMEOUT_SECONDS = 30.0  # of one count; half a million keys take less than a second
_log = structlog.get_logger(__name__)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class GapQuery:
    """Which series to look at, and what to do about what is missing."""

    symbols: Sequence[str] = ()
    """Bus symbols or pairs of the settings' venue; none means all that are stored."""
    timeframes: Sequence[str] = ()
    """None means all."""
    since: str | None = None
    until: str | None = None
    repair: bool = False
    recheck: bool = False
    """Ask also for gaps that are confirmed as empty."""


@dataclass(frozen=True, slots=True)
class SeriesGaps:
    """What is known to be missing in one series."""

    symbol: str
    timeframe: Timeframe
    gaps: tuple[Gap, ...]
    """Every gap of the range, repaired ones among them."""
    skipped: str = ""
    """Why nothing was asked for, where a repair was wanted."""

    @property
    def broken(self) -> tuple[Gap, ...]:
        """Gaps whose bars may exist."""
        return tuple(gap for gap in self.gaps if gap.state in BROKEN_GAPS)


async def run_gaps(
    query: GapQuery, settings: IngestionSettings, mongo: MongoSettings, *, on_progress: Progress
) -> list[SeriesGaps]:
    """Bring the ledger in line with the bars of every series asked for, and repair if wanted.

    Raises
    ------
    ConfigError, UnknownInstrument
        If the query names something that is not there.
    BusError, VenueError
        If bus or venue fail; what was found until then stays in the ledger.
    """
    clock = SystemClock()
    connection = connect_async(mongo, app="ingestion", timeout_seconds=_TIMEOUT_SECONDS)
    try:
        now = await connection.server_now()
        start = parse_moment(query.since, now, "--since") if query.since else _EPOCH
        end = parse_moment(query.until, now, "--until") if query.until else now
        if start >= end:
            raise ConfigError(
                f"expected --since before --until, found {start.isoformat()} and {end.isoformat()}"
            )
        wanted = await _stored(connection, query, settings)
        store = AsyncGapStore(connection)
        watch = GapWatch(AsyncHoleFinder(connection), store, seen_by="ingest gaps", now=clock.now)
        found: list[SeriesGaps] = []
        for number, (symbol, timeframe) in enumerate(wanted):
            on_progress(f"{symbol} {timeframe}", number, len(wanted))
            await watch.look(symbol, timeframe, start, end)
            found.append(
                SeriesGaps(symbol, timeframe, tuple(await store.find(symbol, timeframe, start, end)))
            )
        on_progress("", len(wanted), len(wanted))
        if not query.repair:
            return found
        return await _repaired(found, query, settings, connection, watch, on_progress)
    finally:
        await connection.close()


async def _stored(
    connection: AsyncConnection, query: GapQuery, settings: IngestionSettings
) -> list[tuple[str, Timeframe]]:
    finder = AsyncHoleFinder(connection)
    frames = [Timeframe.parse(name) for name in query.timeframes or SUPPORTED_TIMEFRAMES]
    stored = [(symbol, frame) for frame in frames for symbol in await finder.symbols(frame)]
    known = await AsyncInstrumentStore(connection).all() if query.symbols else []
    return named_series(query.symbols, stored, known, settings.venue.upper())


async def _repaired(
    found: Sequence[SeriesGaps],
    query: GapQuery,
    settings: IngestionSettings,
    connection: AsyncConnection,
    watch: GapWatch,
    on_progress: Progress,
) -> list[SeriesGaps]:
    """Ask the settings' venue for the gaps of its own series."""
    clock = SystemClock()
    states = BROKEN_GAPS | ({GapState.EMPTY} if query.recheck else set())
    venue = settings.venue.upper()
    source = PatientSource(
        open_source(
            settings.venue,
            url=settings.venue_url,
            timeout_seconds=settings.venue_timeout_seconds,
            with_derivatives=any(is_derivative_name(item.symbol) for item in found),
        ),
        attempts=settings.retry_attempts,
        random=random.SystemRandom().random,
        on_error=_note,
    )
    try:
        catalogue = await source.instruments()
        venue_clock = VenueClock(source, clock, check_seconds=settings.clock_check_seconds)
        await venue_clock.refresh()
        repairer = GapRepairer(
            source,
            AsyncCandleWriter(connection),
            AsyncGapStore(connection),
            watch,
            rules=GapRules.of(settings),
            page_bars=settings.page_bars,
            venue_now=venue_clock.now,
            now=clock.now,
        )
        results: list[SeriesGaps] = []
        for item in found:
            if not any(gap.state in states for gap in item.gaps):
                results.append(item)
                continue
            if not item.symbol.startswith(f"{venue}:"):
                other = item.symbol.partition(":")[0].lower()
                told = f"not a market of {settings.venue}; give --venue {other}"
                results.append(SeriesGaps(item.symbol, item.timeframe, item.gaps, told))
                continue
            results.append(await _repair_series(item, states, repairer, catalogue, on_progress))
        return results
    finally:
        await source.close()


async def _repair_series(
    item: SeriesGaps,
    states: frozenset[GapState],
    repairer: GapRepairer,
    catalogue: InstrumentCatalogue,
    on_progress: Progress,
) -> SeriesGaps:
    try:
        series = Series(catalogue.resolve(item.symbol), item.timeframe)
    except UnknownInstrument:
        return SeriesGaps(item.symbol, item.timeframe, item.gaps, "its venue lists no such market any more")
    gaps: list[Gap] = []
    for number, gap in enumerate(item.gaps):
        on_progress(str(series), number, len(item.gaps))
        gaps += await repairer.repair(series, gap) if gap.state in states else [gap]
    on_progress(str(series), len(item.gaps), len(item.gaps))
    return SeriesGaps(item.symbol, item.timeframe, tuple(gaps))


def _note(error: VenueError) -> None:
    _log.warning("venue_error", kind=error.kind, error=str(error))
