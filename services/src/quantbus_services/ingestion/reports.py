"""What the commands say at the end: JSON for scripts, tables for people; pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from quantbus_contracts.schema import CandleReport
from quantbus_services.ingestion.backfill import Filled
from quantbus_services.ingestion.transfer.importer import FileReport

__all__ = ["backfill_json", "backfill_table", "import_json", "import_table", "rejections_table"]

_SHOWN_REJECTIONS = 10
_HEADINGS = ("inserted", "updated", "same", "refused")


def import_json(reports: Sequence[FileReport]) -> dict[str, Any]:
    """Return the totals under their public names, and each file."""
    totals = sum((item.report for item in reports), CandleReport())
    return {
        **totals.as_dict(),
        "files": [
            {
                "path": str(item.path),
                "symbol": item.symbol or None,
                "timeframe": item.timeframe or None,
                "source": item.source or None,
                "rows": item.rows,
                **item.report.as_dict(),
                "reasons": item.reasons,
                "rejections": [asdict(rejection) for rejection in item.rejections],
                "seconds": round(item.seconds, 3),
                "skipped": item.skipped or None,
                "error": item.error or None,
            }
            for item in reports
        ],
    }


def import_table(reports: Sequence[FileReport]) -> Table:
    """Return one line for each file, and the totals."""
    table = Table(title="import", show_footer=len(reports) > 1)
    totals = sum((item.report for item in reports), CandleReport())
    table.add_column("file", f"{len(reports)} files", overflow="fold")
    table.add_column("rows", f"{sum(item.rows for item in reports):,}", justify="right", no_wrap=True)
    for name, count in zip(_HEADINGS, totals.as_dict().values(), strict=True):
        table.add_column(name, f"{count:,}", justify="right", no_wrap=True)
    table.add_column("rows/s", justify="right", no_wrap=True)
    for item in reports:
        state = "failed" if item.error else "skipped" if item.skipped else f"{item.symbol} {item.timeframe}"
        speed = f"{item.rows / item.seconds:,.0f}" if item.rows and item.seconds else ""
        table.add_row(
            escape(f"{item.path.name}\n{state}"),
            f"{item.rows:,}",
            *(f"{count:,}" for count in item.report.as_dict().values()),
            speed,
            style="red" if item.error else "dim" if item.skipped else None,
        )
    return table


def rejections_table(report: FileReport) -> Table:
    """Return the first refused rows of a file, and how many there are for each reason."""
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in report.reasons.items())
    table = Table(title=escape(f"refused in {report.path.name} ({reasons})"))
    for name in ("row", "field", "value", "reason"):
        table.add_column(name)
    for rejection in report.rejections[:_SHOWN_REJECTIONS]:
        table.add_row(str(rejection.row), rejection.field, escape(rejection.value), rejection.reason)
    return table


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
                "seconds": round(item.seconds, 3),
                "error": item.error or None,
                "rejections": [asdict(rejection) for rejection in item.rejections],
            }
            for item in filled
        ],
    }


def backfill_table(filled: Sequence[Filled]) -> Table:
    """Return one line for each series, and the totals; fits a terminal of 80 columns."""
    rows = [_figures(item) for item in filled]
    table = Table(title="backfill", show_footer=len(rows) > 1, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("series", f"{len(rows)} series", no_wrap=True)
    for position, name in enumerate(("wanted", "had", "inserted", "updated", "refused", "absent")):
        table.add_column(name, f"{sum(row[position] for row in rows):,}", justify="right", no_wrap=True)
    for item, row in zip(filled, rows, strict=True):
        table.add_row(
            str(item.series), *(f"{figure:,}" for figure in row), style="red" if item.error else None
        )
    return table


def _figures(item: Filled) -> tuple[int, ...]:
    report = item.report
    counts = (report.inserted, report.updated, report.rejected)
    return (item.wanted, item.present_before, *counts, item.absent)
