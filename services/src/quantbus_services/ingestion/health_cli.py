"""``quantbus ingest health``: whether bars may be traded on."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

__all__ = ["health"]


def health(
    symbols: Annotated[
        str | None,
        typer.Option(
            "--symbols", "--symbol", help="Bus symbols or pairs, comma-separated; default all stored."
        ),
    ] = None,
    timeframes: Annotated[
        str | None,
        typer.Option(
            "--timeframes", "--timeframe", help="Timeframes, comma-separated; for a file: its bars' length."
        ),
    ] = None,
    since: Annotated[str | None, typer.Option(help="How far back: 30d, 2024-01-01; default all.")] = None,
    until: Annotated[
        str | None, typer.Option(help="Up to when bars should be there (exclusive); default now.")
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(
            help="Judge this file, or every file of this folder, as it is; may be given several times."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures to this file.")] = None,
    max_missing: Annotated[
        float, typer.Option(min=0, max=1, help="Missing share above which not to trade.")
    ] = 0.001,
    max_behind: Annotated[int, typer.Option(min=0, help="Closed bars that may be absent at the end.")] = 2,
    max_zero_run: Annotated[
        int, typer.Option(min=2, help="Bars in a row without volume from which on not to trade.")
    ] = 60,
    strict: Annotated[
        bool, typer.Option("--strict", help="Take every finding for a reason not to trade.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
    ] = False,
) -> None:
    """Judge stored bars or files; exit code 0 if all may be traded on, 1 if not, 2 for bad input.

    \b
    Example:
      quantbus ingest health --since 30d
      quantbus ingest health --file BINANCE_BTCUSDT_1m.parquet --html health.html
    """
    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.display import named_progress
    from quantbus_services.ingestion.health.judge import Limits
    from quantbus_services.ingestion.health.main import HealthQuery, examine_bus, examine_files
    from quantbus_services.ingestion.health.page import health_page
    from quantbus_services.ingestion.health.report import health_json, health_table, tradable
    from quantbus_services.ingestion.importer import find_files
    from quantbus_services.ingestion.series import comma_list
    from quantbus_services.ingestion.settings import IngestionSettings

    query = HealthQuery(
        comma_list(symbols, "symbols") if symbols else (),
        comma_list(timeframes, "timeframes") if timeframes else (),
        since,
        until,
        limits=Limits(max_missing, max_behind, max_zero_run, strict=strict),
        pictures=html is not None,
    )
    settings = load_settings(IngestionSettings)
    with named_progress() as note:
        if file:
            found = examine_files(find_files(file), query, settings, on_progress=note)
        else:
            found = examine_bus(query, settings, load_settings(MongoSettings), on_progress=note)
    series = [item.health for item in found]
    if html is not None:
        subject = f"{len(series):,} {'files' if len(series) > 1 else 'file'}" if file else "The bus"
        page = health_page(found, made_at=SystemClock().now(), subject=subject)
        html.write_text(page, encoding="utf-8")
    console = Console()
    if as_json:
        console.print_json(data=health_json(series))
    else:
        console.print(health_table(series))
    if not tradable(series):
        raise typer.Exit(1)
