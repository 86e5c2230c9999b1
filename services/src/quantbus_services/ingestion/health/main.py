"""Composition root of ``quantbus ingest health``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.holes import HoleFinder
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_services.ingestion.gaps.names import named_series
from quantbus_services.ingestion.health.judge import Limits, SeriesHealth, judged
from quantbus_services.ingestion.health.measure import measure
from quantbus_services.ingestion.health.pictures import draw
from quantbus_services.ingestion.health.sources import Material, from_bus, from_file
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.windows import parse_moment

__all__ = ["Examined", "HealthQuery", "examine_bus", "examine_files"]

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_TIMEOUT_SECONDS = 60.0  # of one question; each asks for at most 100,000 rows
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class HealthQuery:
    """What to judge, and how strictly."""

    symbols: Sequence[str] = ()
    timeframes: Sequence[str] = ()
    since: str | None = None
    until: str | None = None
    limits: Limits = field(default_factory=Limits)
    pictures: bool = False
    """Whether to draw; a drawing is made while the bars are at hand."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One series, judged, and perhaps drawn."""

    health: SeriesHealth
    picture: str = ""
    """SVG."""


def examine_bus(
    query: HealthQuery, settings: IngestionSettings, mongo: MongoSettings, *, on_progress: Progress
) -> list[Examined]:
    """Judge stored series; bars should be there up to ``until``, by default up to the bus's present.

    Raises
    ------
    ConfigError
        If the query names what is not there.
    BusError
        If the bus fails.
    """
    connection = connect(mongo, app="ingestion", timeout_seconds=_TIMEOUT_SECONDS)
    try:
        now = connection.server_now()
        start = parse_moment(query.since, now, "--since") if query.since else _BEGINNING
        end = min(parse_moment(query.until, now, "--until"), now) if query.until else now
        if start >= end:
            raise ConfigError(
                f"expected --since before --until, found {start.isoformat()} and {end.isoformat()}"
            )
        found: list[Examined] = []
        wanted = _stored(connection, query, settings)
        for number, (symbol, timeframe) in enumerate(wanted):
            on_progress(f"{symbol} {timeframe}", number, len(wanted))
            material = from_bus(connection, symbol, timeframe, start, end)
            found.append(_examined(material, query, int(end.timestamp() * 1000)))
        on_progress("", len(wanted), len(wanted))
        return found
    finally:
        connection.close()


def examine_files(
    paths: Sequence[Path], query: HealthQuery, settings: IngestionSettings, *, on_progress: Progress
) -> list[Examined]:
    """Judge files as they are, before anything is refused or put in order.

    Raises
    ------
    ContractError
        If one of them cannot be read at all.
    """
    if query.symbols or query.since or query.until:
        raise ConfigError("expected files alone: --symbols, --since and --until choose from the bus")
    if len(query.timeframes) > 1:
        raise ConfigError(f"expected one timeframe for files, found {', '.join(query.timeframes)}")
    found: list[Examined] = []
    for number, path in enumerate(paths):
        on_progress(path.name, number, len(paths))
        material = from_file(path, query.timeframes[0] if query.timeframes else None, settings)
        found.append(_examined(material, query, None))
    on_progress("", len(paths), len(paths))
    return found


def _examined(material: Material, query: HealthQuery, as_of_ms: int | None) -> Examined:
    measures = measure(
        material.columns, as_of_ms=as_of_ms, confirmed=material.confirmed, unreadable=material.unreadable
    )
    health = judged(material.name, material.columns.timeframe, measures, query.limits)
    return Examined(health, draw(material.columns, health, material.confirmed) if query.pictures else "")


def _stored(
    connection: Connection, query: HealthQuery, settings: IngestionSettings
) -> list[tuple[str, Timeframe]]:
    finder = HoleFinder(connection)
    frames = [Timeframe.parse(name) for name in query.timeframes or SUPPORTED_TIMEFRAMES]
    stored = [(symbol, frame) for frame in frames for symbol in finder.symbols(frame)]
    known = InstrumentStore(connection).all() if query.symbols else []
    return named_series(query.symbols, stored, known, settings.venue.upper())
