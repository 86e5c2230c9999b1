"""What people see of bars, snapshots and sealing."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

    from quantbus_contracts.market import Snapshot
    from quantbus_contracts.mongo.block_sealer import SealReport
    from quantbus_contracts.timeframe import Timeframe

__all__ = ["bars_json", "bars_table", "seal_progress", "seal_table", "snapshot_table", "write_bars"]


def bars_table(table: "pa.Table", limit: int) -> Table:
    """Return the newest ``limit`` bars of an answer, under the name of each symbol.

    Numbers have at most ten figures here; files and JSON have all.
    """
    shown = table.slice(max(0, len(table) - limit))
    caption = f"{len(table):,} bars" + (f", the last {limit} shown" if len(table) > limit else "")
    _, moments, *names = table.column_names
    made = Table(caption=caption, box=None, padding=(0, 1, 0, 0))
    made.add_column(moments, min_width=len("2024-01-31 12:00"), overflow="fold")
    for name in names:
        made.add_column(name, no_wrap=True)
    named = ""
    for row in shown.to_pylist():
        symbol, moment, *numbers = row.values()
        if symbol != named:
            made.add_row(symbol, style="bold")
            named = symbol
        made.add_row(f"{moment:%Y-%m-%d %H:%M}", *(f"{number:.10g}" for number in numbers))
    return made


def bars_json(table: "pa.Table") -> str:
    """Return all bars as a list of objects."""
    return json.dumps([row | {"datetime": row["datetime"].isoformat()} for row in table.to_pylist()])


def write_bars(table: "pa.Table", file: Path) -> None:
    """Write all bars as CSV or Parquet, as the name ends."""
    if file.suffix == ".csv":
        from pyarrow import csv

        csv.write_csv(table.set_column(0, "symbol", table["symbol"].cast("string")), file)
        return
    from pyarrow import parquet

    parquet.write_table(table, file, compression="zstd")


def snapshot_table(held: "Snapshot") -> Table:
    """Return what a snapshot says about itself."""
    meta = held.meta
    made = Table("symbol", "bars", "first", "last", "missing", title=f"snapshot {meta.snapshot_id}", box=None)
    for symbol, part in meta.symbols.items():
        first, last = (
            moment[:16] if moment else "–" for moment in (part.first_open_time, part.last_open_time)
        )
        made.add_row(symbol, f"{part.rows:,}", first, last, f"{part.missing_share:.3%}")
    made.caption = f"{meta.rows:,} bars, {meta.file_bytes:,} bytes in {held.folder}"
    return made


def seal_progress(series: "Sequence[tuple[str, Timeframe]]") -> "Iterator[tuple[str, Timeframe]]":
    """Go through the series, showing how far it is (not on standard output)."""
    yield from track(series, "sealing", console=Console(stderr=True), transient=True)


def seal_table(reports: "Sequence[SealReport]") -> Table:
    """Return what became of each series."""
    made = Table("symbol", "timeframe", "sealed now", "sealed before", "without bars", "trouble", box=None)
    for report in reports:
        troubles = [f"{day} differed from its rows" for day in report.damaged]
        troubles += [f"{report.contended} still changing"] if report.contended else []
        counts = (str(count) for count in (report.sealed, report.standing, report.empty))
        made.add_row(report.symbol, report.timeframe.name, *counts, "; ".join(troubles))
    return made
