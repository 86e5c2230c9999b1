"""Composition roots: building dated universes, and showing them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.turnover import TurnoverReader
from quantbus_contracts.mongo.universes import UniverseStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Universe
from quantbus_contracts.symbols import InstrumentCatalogue
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.desk import open_desk
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.transfer.names import InstrumentNames
from quantbus_services.ingestion.universe.names_file import read_members
from quantbus_services.ingestion.universe.rank import Choice, rank
from quantbus_services.ingestion.universe.sources import BarTurnovers, ticker_turnovers

__all__ = [
    "Dates",
    "build_from_bars",
    "build_from_file",
    "build_from_tickers",
    "moments",
    "stored",
    "universe_at",
]

_log = structlog.get_logger(__name__)
_MOST_DATES = 5_000


@dataclass(frozen=True, slots=True)
class Dates:
    """As of when: once, or again and again until an end."""

    first: datetime | None = None
    until: datetime | None = None
    every: timedelta | None = None


def build_from_bars(
    name: str,
    choice: Choice,
    dates: Dates,
    window: timedelta,
    timeframe: Timeframe,
    settings: IngestionSettings,
    mongo: MongoSettings,
    *,
    replace: bool,
) -> list[tuple[Universe, bool]]:
    """Build and store one list a date from stored bars; return each with whether it was written.

    Raises
    ------
    ConfigError
        If a date is in the future, nothing traded, or another list stands under a date.
    """
    venue = settings.venue.upper()
    with closing(connect(mongo, app="ingestion", timeout_seconds=60.0)) as connection:
        now = connection.server_now()
        known = InstrumentStore(connection).all(venue)
        names = InstrumentNames(known, settings.quotes, settings.venue_quotes)
        turnovers = BarTurnovers(CandleReader(connection), TurnoverReader(connection), names, known)
        store, built = UniverseStore(connection), []
        for as_of in moments(dates, now):
            found, unknown = turnovers.at(as_of, timeframe, window, venue=venue)
            if unknown:
                _log.warning("not_ranked", as_of=as_of.isoformat(), symbols=unknown[:20], count=len(unknown))
            universe = Universe(
                name=name,
                as_of=as_of,
                method="bars",
                members=rank(found, choice),
                venue=venue,
                quote=choice.quote,
                window_days=window / timedelta(days=1),
            )
            built.append((universe, store.put(universe, replace=replace)))
        return built


def build_from_tickers(
    name: str, choice: Choice, settings: IngestionSettings, mongo: MongoSettings, *, replace: bool
) -> list[tuple[Universe, bool]]:
    """Build and store a list from what the venue's tickers say now."""
    universe = asyncio.run(_from_tickers(name, choice, settings, mongo))
    with closing(connect(mongo, app="ingestion", timeout_seconds=20.0)) as connection:
        return [(universe, UniverseStore(connection).put(universe, replace=replace))]


async def _from_tickers(
    name: str, choice: Choice, settings: IngestionSettings, mongo: MongoSettings
) -> Universe:
    async with open_desk(settings, mongo, with_derivatives=choice.market_type != "spot") as desk:
        chosen = [item.pair for item in desk.catalogue if choice.admits(item)]
        if not chosen:
            raise ConfigError(
                f"expected {choice.market_type} markets quoted in {choice.quote} at {desk.venue.venue}, found none"
            )
        # Some venues answer for one kind of market at a time; one that has a single kind knows no such word.
        kinds = {item.market_type for item in desk.catalogue}
        params = {"type": choice.market_type} if len(kinds) > 1 else {}
        tickers = await desk.patient.again(
            lambda: desk.venue.ask("fetch the tickers", "fetch_tickers", None, params)
        )
        return Universe(
            name=name,
            as_of=desk.clock.now(),
            method="tickers",
            members=rank(ticker_turnovers(tickers, desk.catalogue), choice),
            venue=desk.venue.venue,
            quote=choice.quote,
            window_days=1.0,
        )


def build_from_file(
    name: str,
    path: Path,
    as_of: datetime | None,
    settings: IngestionSettings,
    mongo: MongoSettings,
    *,
    most: int | None,
    replace: bool,
) -> list[tuple[Universe, bool]]:
    """Store the list of a file under the date a person gives it."""
    venue = settings.venue.upper()
    if as_of is None:
        raise ConfigError("expected --as-of: a list in a file does not say since when it was known")
    with closing(connect(mongo, app="ingestion", timeout_seconds=20.0)) as connection:
        members = read_members(path, _catalogue(connection, venue), venue)
        universe = Universe(
            name=name,
            as_of=as_of,
            method="file",
            members=members[:most],
            venue=venue,
            note=f"from {path.name}"[:1000],
        )
        return [(universe, UniverseStore(connection).put(universe, replace=replace))]


def _catalogue(connection: Connection, venue: str) -> InstrumentCatalogue:
    known = InstrumentStore(connection).all(venue)
    if not known:
        raise ConfigError(
            f"expected the markets of {venue} to be known, found none; run `quantbus ingest instruments` first"
        )
    return InstrumentCatalogue(known)


def moments(dates: Dates, now: datetime) -> Iterator[datetime]:
    """Yield the dates, oldest first.

    Raises
    ------
    ConfigError
        If one is in the future, or there would be too many.
    """
    first = dates.first or now
    last = dates.until or first
    if first > now or last > now:
        raise ConfigError(f"expected dates that are over, found {max(first, last).isoformat()}")
    if dates.until is not None and dates.every is None:
        raise ConfigError("expected --every with --until, such as --every 7d")
    every = dates.every or timedelta(days=1)
    if (last - first) / every > _MOST_DATES:
        raise ConfigError(f"expected at most {_MOST_DATES} dates, found {(last - first) / every:.0f}")
    while first <= last:
        yield first
        first += every


def universe_at(name: str, at: datetime | None, mongo: MongoSettings) -> Universe | None:
    """Return the newest list that was known at ``at`` (now if None)."""
    with closing(connect(mongo, app="ingestion", timeout_seconds=20.0)) as connection:
        return UniverseStore(connection).universe(name, at or connection.server_now())


def stored(mongo: MongoSettings, name: str | None = None) -> Sequence[Universe]:
    """Return every stored list."""
    with closing(connect(mongo, app="ingestion", timeout_seconds=20.0)) as connection:
        return UniverseStore(connection).all(name)
