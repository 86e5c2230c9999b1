"""CSV files of exchanges and data vendors, plain or compressed."""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from quantbus_contracts.errors import ContractError
from quantbus_contracts.schema import Rejection
from quantbus_services.ingestion.files.bars import OHLCV, FileBars, epoch_milliseconds
from quantbus_services.ingestion.files.csv_layout import HEAD_LINES, Layout, detect

__all__ = ["read_csv"]

_CHUNK = 50_000
_DAY_MS = 86_400_000
_TWELVE_HOURS = "%Y-%m-%d %I-%p"
Numbered = tuple[int, list[str]]
# zipfile refuses a password with RuntimeError, a compression it does not know with its child NotImplementedError.
_DAMAGED = (OSError, EOFError, UnicodeDecodeError, csv.Error, zipfile.BadZipFile, zlib.error, RuntimeError)


def read_csv(path: Path) -> FileBars:
    """Read a CSV file of any known layout; rows that hold no numbers are refused one by one.

    Raises
    ------
    ContractError
        If the file is damaged or its layout unknown.
    """
    try:
        with _opened(path) as file:
            lines = csv.reader(file)
            head = list(islice(lines, HEAD_LINES))
            layout = detect(head, path.name)
            rows = enumerate(chain(head, lines), start=1)
            chunks = [_chunk(part, layout) for part in _parts(rows, layout.first_line)]
    except _DAMAGED as error:
        raise ContractError(
            f"{path.name} is no readable CSV file ({error}); fetch or export it again"
        ) from error
    if not chunks:
        raise ContractError(f"{path.name}: expected candles, found a header only")
    return FileBars(
        source="import:csv",
        rows=np.concatenate([chunk.rows for chunk in chunks]),
        open_times_ms=np.concatenate([chunk.open_times_ms for chunk in chunks]),
        values={name: np.concatenate([chunk.values[name] for chunk in chunks]) for name in OHLCV},
        rejections=tuple(chain.from_iterable(chunk.rejections for chunk in chunks)),
    )


@contextmanager
def _opened(path: Path) -> Generator[TextIO]:
    suffix = path.suffix.lower()
    if suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            if len(members) != 1:
                raise ContractError(f"{path.name}: expected one CSV file inside, found {members!r}")
            with archive.open(members[0]) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as text:
                yield text
    elif suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
            yield text
    else:
        with path.open(encoding="utf-8", newline="") as text:
            yield text


def _parts(rows: Iterable[tuple[int, list[str]]], first_line: int) -> Iterator[list[Numbered]]:
    body = ((line, fields) for line, fields in rows if line >= first_line and fields)
    while part := list(islice(body, _CHUNK)):
        yield part


def _chunk(part: Sequence[Numbered], layout: Layout) -> FileBars:
    width = max(layout.time, *layout.values.values()) + 1
    rejections = [
        Rejection(line, "row", ",".join(fields)[:80], "row_too_short")
        for line, fields in part
        if len(fields) < width
    ]
    whole = [(line, fields) for line, fields in part if len(fields) >= width]
    lines = np.array([line for line, _ in whole], dtype=np.int64)
    sound = np.ones(len(whole), dtype=bool)

    def refuse(bad: npt.NDArray[np.bool_], field: str, column: int, reason: str) -> None:
        for position in np.flatnonzero(bad & sound):
            line, fields = whole[position]
            rejections.append(Rejection(line, field, fields[column], reason))
        sound[bad] = False

    times, undated = _times([fields[layout.time] for _, fields in whole])
    refuse(undated, "ts", layout.time, "open_time_unreadable")
    times = _days_by_their_close(times)
    values = {}
    for name, column in layout.values.items():
        values[name], bad = _numbers([fields[column] for _, fields in whole])
        refuse(bad, name, column, f"{name}_not_a_number")
    return FileBars(
        source="import:csv",
        rows=lines[sound],
        open_times_ms=times[sound],
        values={name: column[sound] for name, column in values.items()},
        rejections=tuple(rejections),
    )


def _days_by_their_close(times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Turn a day's last second, by which some vendors name a daily bar, into its open time.

    No bar of any length opens in that second, so nothing else is touched.
    """
    return np.where(times % _DAY_MS >= _DAY_MS - 1_000, times - times % _DAY_MS, times)


def _numbers(texts: Sequence[str]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the numbers, and where there is none; the text ``nan`` is a number here and refused later."""
    try:
        return np.array(texts, dtype=object).astype(np.float64), np.zeros(len(texts), dtype=bool)
    except ValueError:
        parsed = [_number(text) for text in texts]
        bad = np.array([number is None for number in parsed], dtype=bool)
        return np.array([np.nan if number is None else number for number in parsed], dtype=np.float64), bad


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _times(texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return milliseconds, and where there are none; texts are Unix times, ISO dates, or dates with AM and PM."""
    numbers, bad = _numbers(texts)
    bad |= ~np.isfinite(numbers) | (np.abs(numbers) > 9e18)
    if len(texts) and bad.mean() < 0.5:
        # A float holds microseconds exactly (below 2^53); nanoseconds to within a microsecond.
        return epoch_milliseconds(np.where(bad, 0, numbers).astype(np.int64)), bad
    return _dates(texts)


def _dates(texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    import pandas as pd  # takes a second to load, and most files count

    column = pd.Series(list(texts), dtype=object).str.strip()
    moments = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
    if moments.isna().any():
        moments = moments.fillna(pd.to_datetime(column, format=_TWELVE_HOURS, utc=True, errors="coerce"))
    undated = moments.isna().to_numpy()
    milliseconds = moments.dt.tz_localize(None).to_numpy(dtype="datetime64[ms]").astype(np.int64)
    return np.where(undated, 0, milliseconds), undated
