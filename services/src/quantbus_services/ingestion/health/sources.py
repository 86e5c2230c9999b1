"""Where the bars come from that are to be judged: files as they are, or the bus."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from quantbus_contracts.bar_arrays import FIELDS, Integers
from quantbus_contracts.errors import ContractError
from quantbus_contracts.mongo.bar_reader import read_rows
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.gaps import GapStore
from quantbus_contracts.schema import GapState
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_services.ingestion.files import read_bars
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.transfer.names import read_name

__all__ = ["Material", "from_bus", "from_file"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Material:
    """A series as it was found."""

    name: str
    columns: CandleColumns
    confirmed: tuple[tuple[int, int], ...] = ()
    """Ranges ``[start, end)`` in milliseconds of which the venue is known to have no bars."""
    unreadable: int = 0


def from_file(path: Path, timeframe: str | None, settings: IngestionSettings) -> Material:
    """Read a file with everything that is wrong with it.

    Raises
    ------
    ContractError
        If it cannot be read at all, or nothing says how long its bars are.
    """
    bars = read_bars(path)
    known = Timeframe.parse(timeframe) if timeframe else _named(path, settings) or _spaced(bars.open_times_ms)
    if known is None:
        raise ContractError(
            f"expected a name or a spacing that says how long the bars are, found neither in {path.name}; "
            "give it with --timeframe"
        )
    columns = CandleColumns(path.name, known, bars.source, bars.open_times_ms, **bars.values)
    return Material(path.name, columns, unreadable=len(bars.rejections))


def _named(path: Path, settings: IngestionSettings) -> Timeframe | None:
    try:
        named = read_name(path, folder_venues=settings.folder_venues, quotes=settings.quotes)
    except ContractError:  # a file of mark prices has a spacing all the same
        return None
    return Timeframe.parse(named.timeframe) if named.timeframe in SUPPORTED_TIMEFRAMES else None


def _spaced(times: Integers) -> Timeframe | None:
    steps = np.diff(np.unique(times))
    if not len(steps):
        return None
    values, counts = np.unique(steps, return_counts=True)
    usual = int(values[np.argmax(counts)])
    return next(
        (frame for name in SUPPORTED_TIMEFRAMES if (frame := Timeframe.parse(name)).seconds * 1000 == usual),
        None,
    )


def from_bus(
    connection: Connection, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
) -> Material:
    """Read a stored series from its rows, with what is known about its gaps."""
    gaps = GapStore(connection).find(symbol, timeframe, start, end, states={GapState.EMPTY})
    confirmed = tuple((_milliseconds(gap.start), _milliseconds(gap.end)) for gap in gaps)
    bars = connection.run(read_rows([symbol], timeframe, start, end, FIELDS))[symbol]
    columns = CandleColumns(symbol, timeframe, "bus", bars.open_times_ms, **bars.columns)
    return Material(f"{symbol} {timeframe}", columns, confirmed)


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
