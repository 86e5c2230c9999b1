"""Parquet and Freqtrade's feather files."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from quantbus_contracts.errors import ContractError
from quantbus_contracts.schema import Rejection
from quantbus_services.ingestion.files.bars import OHLCV, TIME_NAMES, FileBars, epoch_milliseconds

__all__ = ["read_feather", "read_parquet"]


def read_parquet(path: Path) -> FileBars:
    """Read a Parquet file with a column for the open time and open, high, low, close, volume.

    Raises
    ------
    ContractError
        If it is damaged or has other columns.
    """
    try:
        table = pa.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, "Parquet", error) from error
    return _bars(table, path, "import:parquet")


def read_feather(path: Path) -> FileBars:
    """Read a feather file as Freqtrade writes them: date, open, high, low, close, volume.

    Raises
    ------
    ContractError
        If it is damaged or has other columns.
    """
    try:
        with pa.OSFile(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, "feather", error) from error
    return _bars(table, path, "import:freqtrade")


def _damaged(path: Path, form: str, error: Exception) -> ContractError:
    told = str(error).splitlines()[0][:200]
    return ContractError(f"{path.name} is no complete {form} file ({told}); fetch or export it again")


def _bars(table: pa.Table, path: Path, source: str) -> FileBars:
    columns = {name.lower(): name for name in table.column_names}
    time_name = next((name for name in TIME_NAMES if name in columns), None)
    absent = [name for name in OHLCV if name not in columns]
    if time_name is None or absent:
        raise ContractError(
            f"{path.name}: expected a time column ({', '.join(TIME_NAMES)}) and {', '.join(OHLCV)}, "
            f"found {', '.join(table.column_names)}"
        )
    times, dated = _open_times(table[columns[time_name]], path)
    values = {name: _floats(table[columns[name]], path, name) for name in OHLCV}
    rows = np.arange(1, len(table) + 1, dtype=np.int64)
    undated = tuple(Rejection(int(row), "ts", "None", "open_time_missing") for row in rows[~dated])
    return FileBars(
        source, rows[dated], times[dated], {name: column[dated] for name, column in values.items()}, undated
    )


def _open_times(column: pa.ChunkedArray, path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return milliseconds, and where there are any."""
    dated = np.asarray(column.is_valid())
    kind = column.type
    if pa.types.is_date(kind):
        column, kind = column.cast(pa.timestamp("ms")), pa.timestamp("ms")
    if pa.types.is_timestamp(kind):
        milliseconds = column.cast(pa.timestamp("ms", tz=kind.tz), safe=False).cast(pa.int64())
        return np.asarray(milliseconds.fill_null(0), dtype=np.int64), dated
    if pa.types.is_integer(kind):
        return epoch_milliseconds(np.asarray(column.fill_null(0), dtype=np.int64)), dated
    raise ContractError(f"{path.name}: expected times or whole numbers as open time, found {kind}")


def _floats(column: pa.ChunkedArray, path: Path, name: str) -> npt.NDArray[np.float64]:
    try:
        # A missing value becomes NaN and is refused later with its row.
        return np.asarray(column.cast(pa.float64(), safe=False).fill_null(np.nan), dtype=np.float64)
    except pa.ArrowException as error:
        raise ContractError(f"{path.name}: expected numbers in {name!r}, found {column.type}") from error
