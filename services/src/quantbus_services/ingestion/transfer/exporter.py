"""Bars from the bus into files: Freqtrade's data folder, Parquet, CSV.

A file is written whole beside its place and then moved there, so that a reader or a kill finds the old or the new
one. Bars that a file holds and the bus was not asked for stay in it.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.symbols import Instrument
from quantbus_services.ingestion.files import read_bars
from quantbus_services.ingestion.files.bars import OHLCV
from quantbus_services.ingestion.series import Series

__all__ = ["ExportReport", "Form", "export_series", "file_of"]

# What Freqtrade replaces in a pair to make a file name of it.
_UNSAFE = re.compile(r"[/ .@$+:]")


class Form(StrEnum):
    """What the files are for."""

    FREQTRADE = "freqtrade"
    PARQUET = "parquet"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What became of one series."""

    series: Series
    path: Path
    bars: int = 0
    """Bars of the bus in the file."""
    kept: int = 0
    """Bars that the file had outside of what was asked for."""
    error: str = ""


def file_of(series: Series, folder: Path, form: Form) -> Path:
    """Return the file of a series; for Freqtrade by its own names, futures in a folder of their own."""
    if form is Form.FREQTRADE:
        return _freqtrade_file(series.instrument, series.timeframe.name, folder)
    kind = {"spot": "", "swap": "_PERP", "future": ""}[series.instrument.market_type]
    code = _UNSAFE.sub("-", series.instrument.symbol.partition(":")[2].removesuffix(".P"))
    return folder / f"{series.instrument.venue}_{code}_{series.timeframe.name}{kind}.{form.value}"


def _freqtrade_file(instrument: Instrument, timeframe: str, folder: Path) -> Path:
    name = _UNSAFE.sub("_", instrument.pair)
    if instrument.market_type == "spot":
        return folder / f"{name}-{timeframe}.feather"
    return folder / "futures" / f"{name}-{timeframe}-futures.feather"


def export_series(
    series: Series, read: Callable[[Series], CandleColumns], folder: Path, form: Form
) -> ExportReport:
    """Write what ``read`` returns of a series into its file; a series without bars makes no file."""
    path = file_of(series, folder, form)
    report = ExportReport(series, path)
    columns = read(series)
    if not len(columns):
        return ExportReport(series, path, error="the bus has no bars of it in this range")
    try:
        whole, kept = _joined(columns, path)
    except ContractError as error:
        return ExportReport(series, path, error=f"{error}; move the file away to write it anew")
    try:
        _replace(path, _table(whole, form), form)
    except OSError as error:
        raise ConfigError(
            f"expected to write {path}, found that it cannot be ({error.strerror}); give a folder of yours"
        ) from error
    return ExportReport(report.series, path, len(columns), kept)


def _joined(columns: CandleColumns, path: Path) -> tuple[CandleColumns, int]:
    """Return the bars of the bus and those that the file has before and after them."""
    if not path.is_file():
        return columns, 0
    former = read_bars(path)
    times = columns.open_times_ms
    outside = (former.open_times_ms < times[0]) | (former.open_times_ms > times[-1])
    joined = {name: np.concatenate([former.values[name][outside], getattr(columns, name)]) for name in OHLCV}
    all_times = np.concatenate([former.open_times_ms[outside], times])
    order = np.argsort(all_times, kind="stable")
    whole = CandleColumns(columns.symbol, columns.timeframe, columns.source, all_times, **joined)
    return whole.select(order), int(outside.sum())


def _table(columns: CandleColumns, form: Form) -> pa.Table:
    when = {Form.FREQTRADE: "date", Form.PARQUET: "ts", Form.CSV: "open_time"}[form]
    # CSV tells milliseconds, which every reader takes for what they are.
    kind = pa.int64() if form is Form.CSV else pa.timestamp("ms", tz="UTC")
    times = pa.array(columns.open_times_ms, pa.int64()).cast(kind)
    return pa.table({when: times, **{name: pa.array(getattr(columns, name)) for name in OHLCV}})


def _replace(path: Path, table: pa.Table, form: Form) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            if form is Form.FREQTRADE:
                options = pa.ipc.IpcWriteOptions(compression="lz4")
                with pa.ipc.new_file(file, table.schema, options=options) as writer:
                    writer.write_table(table)
            elif form is Form.PARQUET:
                pa.parquet.write_table(table, file)
            else:
                pa.csv.write_csv(table, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
