"""``quantbus ingest health``: whether bars may be traded on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from quantbus_services.ingestion.health.main import Examined, HealthQuery

__all__ = ["health"]

Symbols = Annotated[
    str | None,
    typer.Option("--symbols", "--symbol", help="Bus symbols or pairs, comma-separated; default all stored."),
]
Timeframes = Annotated[
    str | None,
    typer.Option(
        "--timeframes", "--timeframe", help="Timeframes, comma-separated; for files: their bars' length."
    ),
]
Since = Annotated[str | None, typer.Option(help="How far back: 30d, 2024-01-01; default all.")]
Until = Annotated[str | None, typer.Option(help="Up to when bars should be there (exclusive); default now.")]
Files = Annotated[
    list[Path] | None,
    typer.Option(help="Judge this file, or every file of this folder, as it is; may be given several times."),
]
Html = Annotated[Path | None, typer.Option(help="Write a page with pictures to this file.")]
MaxMissing = Annotated[float, typer.Option(min=0, max=1, help="Missing share above which not to trade.")]
MaxBehind = Annotated[int, typer.Option(min=0, help="Closed bars that may be absent at the end.")]
MaxZeroRun = Annotated[
    int, typer.Option(min=2, help="Bars in a row without volume from which on not to trade.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Take every finding for a reason not to trade.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")]


def health(
    symbols: Symbols = None,
    timeframes: Timeframes = None,
    since: Since = None,
    until: Until = None,
    file: Files = None,
    html: Html = None,
    max_missing: MaxMissing = 0.001,
    max_behind: MaxBehind = 2,
    max_zero_run: MaxZeroRun = 60,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Judge stored bars or files; exit code 0 if all may be traded on, 1 if not, 2 for bad input.

    \b
    Example:
      quantbus ingest health --since 30d
      quantbus ingest health --file BINANCE_BTCUSDT_1m.parquet --html health.html
    """
    from quantbus_services.ingestion.health.judge import Limits
    from quantbus_services.ingestion.health.main import HealthQuery
    from quantbus_services.ingestion.health.report import health_json, health_table, tradable
    from quantbus_services.ingestion.series import optional_list

    limits = Limits(max_missing, max_behind, max_zero_run, strict=strict)
    wanted = optional_list(symbols, "symbols"), optional_list(timeframes, "timeframes")
    query = HealthQuery(*wanted, since, until, limits=limits, pictures=html is not None)
    examined = _examine(query, file)
    if html is not None:
        _write_page(html, examined, of_files=bool(file))
    series = [item.health for item in examined]
    console = Console()
    if as_json:
        console.print_json(data=health_json(series))
    else:
        console.print(health_table(series))
    if not tradable(series):
        raise typer.Exit(1)


def _examine(query: "HealthQuery", files: list[Path] | None) -> "list[Examined]":
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.display import named_progress
    from quantbus_services.ingestion.health.main import examine_bus, examine_files
    from quantbus_services.ingestion.settings import IngestionSettings
    from quantbus_services.ingestion.transfer.importer import find_files

    settings = load_settings(IngestionSettings)
    with named_progress() as note:
        if files:
            return examine_files(find_files(files), query, settings, on_progress=note)
        return examine_bus(query, settings, load_settings(MongoSettings), on_progress=note)


def _write_page(path: Path, examined: "list[Examined]", *, of_files: bool) -> None:
    from quantbus_contracts.clock import SystemClock
    from quantbus_services.ingestion.health.page import health_page

    what = "file" if len(examined) == 1 else "files"
    subject = f"{len(examined):,} {what}" if of_files else "The bus"
    path.write_text(health_page(examined, made_at=SystemClock().now(), subject=subject), encoding="utf-8")
