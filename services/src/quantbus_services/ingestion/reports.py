"""What the commands say at the end: JSON for scripts, tables for people; pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from quantbus_contracts.schema import CandleReport
from quantbus_services.ingestion.backfill import Filled

__all__ = ["backfill_json", "backfill_table"]


def backfill_json(filled: Sequence[Filled]) -> dict[str, Any]:
    """Return the totals under their public names, and each series."""
    totals = sum((item.report for item in filled), CandleReport())
    return {
        **totals.as_dict(),
        "series": [
            {
                "symbol": item.series.instrument.symbol,
                "timeframe": item.series.timeframe.name,
                "wanted": item.wanted,
                "present_before": item.present_before,
                **item.report.as_dict(),
                "absent": item.absent,
                "error": item.error or None,
                "rejections": [asdict(rejection) for rejection in item.rejections],
            }
            for item in filled
        ],
    }


def backfill_table(filled: Sequence[Filled]) -> Table:
    """Return one line for each series."""
    table = Table(title="backfill")
    table.add_column("series", no_wrap=True)
    for name in ("wanted", "had", "inserted", "updated", "same", "rejected", "absent"):
        table.add_column(name, justify="right")
    for item in filled:
        report = item.report
        figures = (
            item.wanted,
            item.present_before,
            report.inserted,
            report.updated,
            report.unchanged,
            report.rejected,
            item.absent,
        )
        table.add_row(
            str(item.series), *(f"{figure:,}" for figure in figures), style="red" if item.error else None
        )
    return table
