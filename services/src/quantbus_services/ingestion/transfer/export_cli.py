"""``quantbus ingest export``: bars from the bus into files that other programs read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from quantbus_services.ingestion.transfer.exporter import ExportReport

__all__ = ["export"]


def export(
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if absent.", file_okay=False)],
    symbols: Annotated[
        str, typer.Option(help="Pairs or bus symbols, comma-separated: BTC/USDT,ETH/USDT:USDT.")
    ],
    timeframes: Annotated[str, typer.Option(help="Timeframes, comma-separated: 1m,1h,1d.")] = "1m",
    form: Annotated[
        str, typer.Option("--to", help="freqtrade (its data folder), parquet or csv.")
    ] = "freqtrade",
    venue: Annotated[str, typer.Option(help="The venue whose bars are meant.")] = "binance",
    since: Annotated[str | None, typer.Option(help="From when: 30d, 2024-01-01; default all.")] = None,
    until: Annotated[str | None, typer.Option(help="Where to end (exclusive); default now.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
    ] = False,
) -> None:
    """Write closed bars into files: for Freqtrade's backtests, or for anything that reads Parquet or CSV.

    A file that stands there keeps its bars before and after what is written; bars of the same times are replaced.

    \b
    Example:
      quantbus ingest export user_data/data/binance --symbols BTC/USDT,ETH/USDT:USDT --timeframes 1m,1h
      quantbus ingest export out --to parquet --symbols BTC/USDT --timeframes 1d --since 2024-01-01
    """
    from quantbus_contracts.errors import ConfigError
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.display import count_progress
    from quantbus_services.ingestion.series import comma_list
    from quantbus_services.ingestion.transfer.export_main import run_export
    from quantbus_services.ingestion.transfer.exporter import Form

    try:
        chosen = Form(form)
    except ValueError:
        raise ConfigError(f"expected --to {', '.join(Form)}, found {form!r}") from None
    with count_progress("series") as note:
        reports = run_export(
            comma_list(symbols, "symbols"),
            comma_list(timeframes, "timeframes"),
            venue,
            folder,
            chosen,
            load_settings(MongoSettings),
            since=since,
            until=until,
            on_series=lambda done, total, _report: note(done, total),
        )
    if as_json:
        Console().print_json(data={"files": [_plain(report) for report in reports]})
    else:
        Console().print(_table(reports))
    raise typer.Exit(1 if any(report.error for report in reports) else 0)


def _plain(report: "ExportReport") -> dict[str, Any]:
    return {
        "symbol": report.series.instrument.symbol,
        "timeframe": report.series.timeframe.name,
        "path": str(report.path),
        "bars": report.bars,
        "kept": report.kept,
        "error": report.error or None,
    }


def _table(reports: "list[ExportReport]") -> Table:
    table = Table(title="export")
    table.add_column("series")
    table.add_column("bars", justify="right")
    table.add_column("kept of the file", justify="right")
    table.add_column("file", overflow="fold")
    for report in reports:
        told = escape(f"nothing written: {report.error}") if report.error else escape(str(report.path))
        table.add_row(str(report.series), f"{report.bars:,}", f"{report.kept:,}", told)
    return table
