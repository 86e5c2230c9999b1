"""``quantbus ingest clock``: whether the exchange can be reached from here, and whether it is the same time there."""

from typing import Annotated

import typer
from rich.console import Console

from quantbus_services.ingestion.starting import configure_logging, ingestion_settings

__all__ = ["clock"]

Venue = Annotated[str | None, typer.Option(help="The exchange's ccxt id; default binance.")]
VenueUrl = Annotated[str | None, typer.Option(help="Base address that stands in for Binance's hosts.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")]


def clock(venue: Venue = None, venue_url: VenueUrl = None, as_json: Json = False) -> None:
    """Ask an exchange for its time; exit 1 where it does not answer. No key is needed, nothing is written.

    \b
    Example:
      quantbus ingest clock --venue binance --json
    """
    import asyncio

    from quantbus_services.ingestion.venue.reaching import reach

    settings = ingestion_settings(venue=venue, venue_url=venue_url)
    configure_logging()
    offset = asyncio.run(reach(settings))
    seconds = None if offset is None else round(offset.total_seconds(), 3)
    if as_json:
        Console().print_json(data={"venue": settings.venue, "offset_seconds": seconds})
        return
    told = "does not tell its time" if seconds is None else f"its clock is {seconds:+.3f} s from ours"
    Console(highlight=False).print(f"{settings.venue} answers; {told}")
