"""``quantbus ingest gaps``: what is missing, and what became of it."""

from typing import Annotated

import typer
from rich.console import Console

__all__ = ["gaps"]


def gaps(
    symbols: Annotated[
        str | None,
        typer.Option(
            "--symbols", "--symbol", help="Bus symbols or pairs, comma-separated; default all stored."
        ),
    ] = None,
    timeframes: Annotated[
        str | None,
        typer.Option("--timeframes", "--timeframe", help="Timeframes, comma-separated; default all stored."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="How far back: 2d, 2024-01-01; default the first bar.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Where to end (exclusive); default the newest bar.")
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Ask the exchange for what is missing.")] = False,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="With --repair: ask also for what it was confirmed not to have.")
    ] = False,
    venue: Annotated[str | None, typer.Option(help="The exchange's ccxt id; default binance.")] = None,
    venue_url: Annotated[
        str | None,
        typer.Option(help="Base address that stands in for Binance's hosts, such as a paper exchange."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
    ] = False,
) -> None:
    """List the bars that are missing between stored ones; exit code 1 if any of them may exist.

    \b
    Example:
      quantbus ingest gaps --symbols BTC/USDT --timeframes 1m --since 30d
      quantbus ingest gaps --repair --json
    """
    import asyncio

    from quantbus_contracts.runtime.logging import configure
    from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_settings
    from quantbus_services.ingestion.display import named_progress
    from quantbus_services.ingestion.gaps.main import GapQuery, run_gaps
    from quantbus_services.ingestion.gaps.report import gaps_json, gaps_table, series_table
    from quantbus_services.ingestion.series import comma_list
    from quantbus_services.ingestion.settings import IngestionSettings

    process = load_settings(HomeSettings)
    configure("ingestion", level=process.log_level, json=process.log_json)
    settings = load_settings(IngestionSettings, venue=venue, venue_url=venue_url)
    query = GapQuery(
        comma_list(symbols, "symbols") if symbols else (),
        comma_list(timeframes, "timeframes") if timeframes else (),
        since,
        until,
        repair=repair,
        recheck=recheck,
    )
    with named_progress() as note:
        found = asyncio.run(run_gaps(query, settings, load_settings(MongoSettings), on_progress=note))
    console = Console()
    if as_json:
        console.print_json(data=gaps_json(found))
    elif any(item.gaps for item in found):
        console.print(series_table(found))
        if longest := gaps_table(found):
            console.print(longest)
    else:
        console.print(f"{len(found):,} series, no bar is missing between stored ones")
    if any(item.broken for item in found):
        raise typer.Exit(1)
