"""Reads files of funding rates and open interest, as exchanges' users keep them: CSV or Parquet."""

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ContractError
from quantbus_contracts.schema import Rejection
from quantbus_contracts.symbols import Instrument
from quantbus_services.ingestion.observations.parse import Contract, Parsed, funding_rates, open_interest

__all__ = ["read_observations"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_FROM = 10**14  # what is later as milliseconds than the year 5000 counts microseconds
_TIMES = ("timestamp", "ts", "fundingTime", "calc_time")
_SYMBOLS = ("symbol", "instId")
_COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "funding": {"fundingRate": ("funding_rate", "fundingRate", "last_funding_rate")},
    "open-interest": {
        "baseVolume": ("sum_open_interest", "sumOpenInterest"),
        "openInterestValue": ("sum_open_interest_value", "sumOpenInterestValue"),
    },
}
"""What ccxt calls a field, by what files call it."""
Row = dict[str, object]


def read_observations(
    path: Path, kind: str, resolve: Callable[[str], Instrument], *, source: str, clock: Clock
) -> Parsed:
    """Read one file; ``resolve`` turns the names in its symbol column into perpetual swaps.

    Raises
    ------
    ContractError
        If the file is not readable, or has no column of times, symbols or values.
    """
    by_name: dict[str, list[Row]] = {}
    rejections: list[Rejection] = []
    for number, row in enumerate(_rows(path, kind)):
        stamp = row["timestamp"]
        if isinstance(stamp, str):
            rejections.append(Rejection(number, "timestamp", repr(stamp), "expected a time in milliseconds"))
        else:
            by_name.setdefault(str(row["symbol"]), []).append(row)
    parsed = Parsed(rejections=tuple(rejections))
    now = clock.now()
    for name, rows in by_name.items():
        instrument = resolve(name)
        parsed += (
            funding_rates(rows, instrument, now=now, source=source)
            if kind == "funding"
            else open_interest(rows, instrument, Contract(), now=now, source=source)
        )
    return parsed


def _rows(path: Path, kind: str) -> Iterator[Row]:
    try:
        raw = _parquet(path) if path.suffix == ".parquet" else _csv(path)
        first = next(raw, None)
        if first is None:
            return
        names = _names(path, kind, first)
        for row in (first, *raw):
            yield {
                field: _milliseconds(row.get(name)) if field == "timestamp" else _value(field, row.get(name))
                for field, name in names.items()
            }
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise ContractError(f"could not read {path}: {error}") from error


def _csv(path: Path) -> Iterator[Mapping[str, object]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines)


def _parquet(path: Path) -> Iterator[Mapping[str, object]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        yield from pq.read_table(path).to_pylist()
    except pa.ArrowInvalid as error:
        raise ContractError(f"could not read {path}: {error}") from error


def _names(path: Path, kind: str, row: Mapping[str, object]) -> dict[str, str]:
    wanted: dict[str, tuple[str, ...]] = {"timestamp": _TIMES, "symbol": _SYMBOLS, **_COLUMNS[kind]}
    found = {field: next((name for name in names if name in row), "") for field, names in wanted.items()}
    absent = [field for field in ("timestamp", "symbol") if not found[field]]
    values = [field for field in _COLUMNS[kind] if found[field]]
    if absent or not values:
        raise ContractError(
            f"expected columns of times, symbols and {kind} in {path}, found {', '.join(map(str, row))}"
        )
    return {field: name for field, name in found.items() if name}


def _milliseconds(value: object) -> int | str | None:
    """Return whole milliseconds; what is no time comes back as text, to be refused with it."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(milliseconds=1)
    try:
        number = int(str(value))
    except ValueError:
        return str(value)
    return number // 1000 if number >= _MICROSECONDS_FROM else number


def _value(field: str, value: object) -> object:
    if field == "symbol" or not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return None if not value.strip() else value
