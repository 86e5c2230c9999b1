"""``quantbus ingest gaps``: what is missing, and what became of it."""

from typing import Annotated

import typer
from rich.console import Console

from quantbus_services.ingestion.starting import configure_logging, ingestion_settings

__all__ = ["gaps"]

Symbols = Annotated[
    str | None,
    typer.Option("--symbols", "--symbol", help="Bus symbols or pairs, comma-separated; default all stored."),
]
Timeframes = Annotated[
    str | None,
    typer.Option("--timeframes", "--timeframe", help="Timeframes, comma-separated; default all stored."),
]
Since = Annotated[str | None, typer.Option(help="How far back: 2d, 2024-01-01; default the first bar.")]
Until = Annotated[str | None, typer.Option(help="Where to end (exclusive); default the newest bar.")]
Repair = Annotated[bool, typer.Option("--repair", help="Ask the exchange for what is missing.")]
Recheck = Annotated[
    bool, typer.Option("--recheck", help="With --repair: ask also for what it was confirmed not to have.")
]
Venue = Annotated[str | None, typer.Option(help="The exchange's ccxt id; default binance.")]
VenueUrl = Annotated[
    str | None,
    typer.Option(help="Base address that stands in for Binance's hosts, such as a paper exchange."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")]


def gaps(
    symbols: Symbols = None,
    timeframes: Timeframes = None,
    since: Since = None,
    until: Until = None,
    repair: Repair = False,
    recheck: Recheck = False,
    venue: Venue = None,
    venue_url: VenueUrl = None,
    as_json: Json = False,
) -> None:
    """List the bars that are missing between stored ones; exit code 1 if any of them may exist.

    \b
    Example:
      quantbus ingest gaps --symbols BTC/USDT --timeframes 1m --since 30d
      quantbus ingest gaps --repair --json
    """
    import asyncio

    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.display import named_progress
    from quantbus_services.ingestion.gaps.main import GapQuery, run_gaps
    from quantbus_services.ingestion.gaps.report import gaps_json, show_gaps
    from quantbus_services.ingestion.series import optional_list

    configure_logging()
    settings = ingestion_settings(venue=venue, venue_url=venue_url)
    wanted = optional_list(symbols, "symbols"), optional_list(timeframes, "timeframes")
    query = GapQuery(*wanted, since, until, repair=repair, recheck=recheck)
    with named_progress() as note:
        found = asyncio.run(run_gaps(query, settings, load_settings(MongoSettings), on_progress=note))
    console = Console()
    if as_json:
        console.print_json(data=gaps_json(found))
    else:
        show_gaps(found, console)
    if any(item.broken for item in found):
        raise typer.Exit(1)
