"""Recorded candles from Parquet files named ``EXCHANGE_BASEQUOTE_TIMEFRAME[_PERP][__LABEL].parquet``."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import ohlcv_fault
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.listings.listings import Listing, split_name
from quantbus_services.paper_exchange.series import Bars, Floats, Integers

__all__ = ["SeriesFile", "find_files", "load_series", "read_bars", "select_files"]

_NAME = re.compile(
    r"(?P<venue>[A-Z0-9]+)_(?P<name>[A-Z0-9]+)_(?P<timeframe>[0-9]+[a-zA-Z])(?P<perpetual>_PERP)?"
    r"(__(?P<label>[A-Za-z0-9_.-]+))?\.parquet"
)
_COLUMNS = ["ts", "open", "high", "low", "close", "volume"]


@dataclass(frozen=True, slots=True)
class SeriesFile:
    """A spot candle file, told by its name."""

    path: Path
    venue: str
    name: str
    timeframe: str
    label: str


def find_files(paths: Sequence[Path]) -> list[SeriesFile]:
    """Return the spot candle files under ``paths`` (files, and folders with everything below them).

    Raises
    ------
    ConfigError
        If a path does not exist, a file has another name form, or nothing was found.
    """
    found: list[SeriesFile] = []
    for path in paths:
        if not path.exists():
            raise ConfigError(
                f"expected a Parquet file or a folder of them at {str(path)!r}, found nothing there"
            )
        if path.is_dir():
            found += [file for item in sorted(path.rglob("*.parquet")) if (file := _told_by_name(item))]
        elif file := _told_by_name(path):
            found.append(file)
        else:
            raise ConfigError(
                "expected a file of spot candles named EXCHANGE_BASEQUOTE_TIMEFRAME.parquet "
                f"(BINANCE_BTCUSDT_1m.parquet), found {path.name!r}; perpetuals (_PERP) are not served"
            )
    if not found:
        raise ConfigError(
            f"expected spot candle files named EXCHANGE_BASEQUOTE_TIMEFRAME.parquet in "
            f"{', '.join(repr(str(path)) for path in paths)}, found none"
        )
    return found


def _told_by_name(path: Path) -> SeriesFile | None:
    match = _NAME.fullmatch(path.name)
    if match is None or match["perpetual"]:
        return None
    return SeriesFile(path, match["venue"], match["name"], match["timeframe"], match["label"] or "")


def select_files(
    files: Iterable[SeriesFile],
    *,
    venue: str,
    timeframe: Timeframe,
    pairs: Sequence[tuple[str, str]] | None,
    quotes: Sequence[str],
) -> dict[tuple[str, str], SeriesFile]:
    """Choose one file for each pair; without ``pairs`` all that the files hold.

    A file without a label goes before labelled ones of the same series.

    Raises
    ------
    ConfigError
        If a pair has no file or several, or a name cannot be split into base and quote.
    """
    by_name: dict[str, list[SeriesFile]] = {}
    others = set()
    for file in files:
        if file.venue == venue and file.timeframe == timeframe.name:
            by_name.setdefault(file.name, []).append(file)
        else:
            others.add(f"{file.venue} {file.timeframe}")
    if not by_name:
        raise ConfigError(
            f"expected {venue} {timeframe.name} spot candles, found only {', '.join(sorted(others))}; "
            "choose another --venue or --timeframe"
        )
    if pairs is None:
        pairs = [split_name(name, quotes) for name in by_name]
    chosen = {}
    for base, quote in pairs:
        if base + quote not in by_name:
            raise ConfigError(
                f"expected {venue} {timeframe.name} candles of {base}/{quote}, "
                f"found those of {', '.join(by_name)}"
            )
        chosen[base, quote] = _only(by_name[base + quote])
    return chosen


def _only(files: list[SeriesFile]) -> SeriesFile:
    plain = [file for file in files if not file.label] or files
    if len(plain) > 1:
        raise ConfigError(
            f"expected one file of {plain[0].name}, found {', '.join(str(file.path) for file in plain)}; "
            "give the path of the one to replay"
        )
    return plain[0]


def load_series(chosen: dict[tuple[str, str], SeriesFile], timeframe: Timeframe) -> dict[Listing, Bars]:
    """Read the chosen files; bars are in recorded time."""
    series = {}
    for (base, quote), file in chosen.items():
        bars = read_bars(file.path, timeframe)
        series[Listing.from_bars(base, quote, bars)] = bars
    return series


def read_bars(path: Path, timeframe: Timeframe) -> Bars:
    """Read a candle file and check every bar.

    Raises
    ------
    ConfigError
        If it is no readable Parquet file, lacks a column, is empty, or holds a bar that breaks a rule.
    """
    try:
        with pq.ParquetFile(path) as file:
            table = file.read(columns=_COLUMNS)
        moments = table.column("ts").cast(pa.timestamp("ms", tz="UTC"))
        open_time: Integers = _numbers(path, moments.cast(pa.int64()))
        prices: list[Floats] = [
            _numbers(path, table.column(name).cast(pa.float64())) for name in _COLUMNS[1:]
        ]
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ConfigError(
            f"expected a Parquet file with the columns {', '.join(_COLUMNS)} at {str(path)!r}, found: "
            f"{str(error).splitlines()[0]}"
        ) from None
    if len(open_time) == 0:
        raise ConfigError(f"expected bars in {str(path)!r}, found an empty table")
    _check_times(path, open_time, timeframe)
    _check_prices(path, open_time, *prices)
    return Bars.of(open_time, *prices)


def _numbers(path: Path, column: pa.ChunkedArray) -> np.ndarray[tuple[int], Any]:
    """Return a column as an array, by a way that does not import pandas (a second, for nothing)."""
    if column.null_count:
        raise ConfigError(
            f"expected a value in every row of {str(path)!r}, found {column.null_count} empty ones; remove them"
        )
    numbers: np.ndarray[tuple[int], Any] = np.from_dlpack(column.combine_chunks())
    return numbers


def _check_times(path: Path, open_time: Integers, timeframe: Timeframe) -> None:
    steps = np.diff(open_time)
    if np.any(steps <= 0):
        row = int(np.argmax(steps <= 0)) + 1
        raise ConfigError(
            f"expected bars in ascending order without repeats in {str(path)!r}, found row {row} "
            f"({_moment(open_time[row])}) behind {_moment(open_time[row - 1])}; sort it and drop repeats"
        )
    misaligned = open_time % (timeframe.seconds * 1000) != 0
    if np.any(misaligned):
        row = int(np.argmax(misaligned))
        raise ConfigError(
            f"expected open times of {timeframe.name} bars in {str(path)!r}, "
            f"found {_moment(open_time[row])} in row {row}"
        )


def _check_prices(
    path: Path, open_time: Integers, open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats
) -> None:
    fine = (
        (low > 0) & (low <= np.minimum(open_, close)) & (high >= np.maximum(open_, close))
        & (high <= 1e15) & (volume >= 0) & (volume <= 1e18)
    )  # fmt: skip
    if np.all(fine):
        return
    row = int(np.argmin(fine))
    values = tuple(float(column[row]) for column in (open_, high, low, close, volume))
    reason, value = ohlcv_fault(*values) or ("broken bar", float("nan"))
    raise ConfigError(
        f"expected valid bars in {str(path)!r}, found {int(np.sum(~fine))} broken of {len(fine)}; the first, "
        f"{_moment(open_time[row])} in row {row}: {reason} {value!r}; remove or mend them"
    )


def _moment(open_time_ms: int) -> str:
    return str(np.datetime64(int(open_time_ms), "ms")) + "Z"
