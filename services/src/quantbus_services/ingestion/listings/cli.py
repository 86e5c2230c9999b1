"""``quantbus ingest instruments``: the markets of a venue, and what changed in them."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quantbus_services.ingestion.starting import configure_logging, ingestion_settings

if TYPE_CHECKING:
    from quantbus_contracts.schema import Listing, MarketChange

__all__ = ["instruments"]

_SHOWN = 60


Venue = Annotated[str | None, typer.Option(help="The exchange's ccxt id; default binance.")]
VenueUrl = Annotated[str | None, typer.Option(help="Base address that stands in for Binance's hosts.")]
Stored = Annotated[bool, typer.Option("--stored", help="Show what is known; do not ask the exchange.")]
Symbols = Annotated[str, typer.Option(help="Show the rules of these: pairs or bus symbols, comma-separated.")]
Status = Annotated[
    str | None, typer.Option(help="Show the markets of this status: trading, halted, pending, delisted.")
]
Since = Annotated[str, typer.Option(help="Show what changed since: 7d, 2024-01-01.")]
Rename = Annotated[
    str | None,
    typer.Option(metavar="OLD=NEW", help="Link two bus symbols as one market that was renamed."),
]
AcceptDelistings = Annotated[
    bool, typer.Option("--accept-delistings", help="Believe a list that lacks very many known markets.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")]


def instruments(
    venue: Venue = None,
    venue_url: VenueUrl = None,
    stored: Stored = False,
    symbols: Symbols = "",
    status: Status = None,
    since: Since = "7d",
    rename: Rename = None,
    accept_delistings: AcceptDelistings = False,
    as_json: Json = False,
) -> None:
    """Read an exchange's market list: new and delisted markets, renames, changed rules. Nothing is ever deleted.

    \b
    Example:
      quantbus ingest instruments --venue binance
      quantbus ingest instruments --stored --status delisted --since 90d
      quantbus ingest instruments --rename BINANCE:MATICUSDT=BINANCE:POLUSDT
    """
    import asyncio

    from quantbus_contracts.errors import ConfigError
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_contracts.schema import MARKET_STATUSES
    from quantbus_services.ingestion.listings.main import known_markets, link_rename, refresh_markets

    if status is not None and status not in MARKET_STATUSES:
        raise ConfigError(f"expected a status out of {', '.join(MARKET_STATUSES)}, found {status!r}")
    settings, mongo = ingestion_settings(venue=venue, venue_url=venue_url), load_settings(MongoSettings)
    configure_logging()
    perhaps: Sequence[tuple[str, str]] = ()
    if rename is not None:
        old, equals, new = rename.partition("=")
        if not equals:
            raise ConfigError(f"expected --rename OLD=NEW with bus symbols, found {rename!r}")
        link_rename(old.strip(), new.strip(), mongo)
    elif not stored:
        compared = asyncio.run(refresh_markets(settings, mongo, may_shrink=accept_delistings))
        perhaps = compared.perhaps_renamed
    name = rename.split(":", 1)[0] if rename else settings.venue.upper()
    listings, changes, start = known_markets(name, since, mongo)
    wanted = {part.strip() for part in symbols.split(",") if part.strip()}
    chosen = [item for item in listings if _is_chosen(item, wanted, status)]
    if as_json:
        Console().print_json(data=_json(name, listings, chosen, changes, perhaps))
        return
    console = Console()
    _print_counts(console, name, listings)
    if chosen:
        _print_markets(console, chosen)
    _print_changes(console, changes, f"{start:%Y-%m-%d %H:%M} UTC")
    _print_perhaps(console, perhaps)


def _is_chosen(item: "Listing", wanted: set[str], status: str | None) -> bool:
    if not wanted and status is None:
        return False
    by_name = not wanted or bool(wanted & {item.symbol, item.instrument.pair})
    return by_name and status in (None, item.status)


def _json(
    venue: str,
    listings: "Sequence[Listing]",
    chosen: "Sequence[Listing]",
    changes: "Sequence[MarketChange]",
    perhaps: Sequence[tuple[str, str]],
) -> dict[str, object]:
    counts = Counter(f"{item.instrument.market_type} {item.status}" for item in listings)
    return {
        "venue": venue,
        "known": dict(sorted(counts.items())),
        "markets": [
            {"symbol": item.symbol, "pair": item.instrument.pair}
            | item.model_dump(mode="json", exclude={"instrument"})
            for item in chosen
        ],
        "changes": [{"event": item.event, **item.model_dump(mode="json")} for item in changes],
        "perhaps_renamed": [list(pair) for pair in perhaps],
    }


def _print_counts(console: Console, venue: str, listings: "Sequence[Listing]") -> None:
    from rich.table import Table

    from quantbus_contracts.schema import MARKET_STATUSES

    table = Table("market", *MARKET_STATUSES, title=f"known markets of {venue}")
    counts = Counter((item.instrument.market_type, item.status) for item in listings)
    for kind in sorted({kind for kind, _ in counts}):
        table.add_row(kind, *(str(counts[kind, status]) for status in MARKET_STATUSES))
    console.print(table)


def _print_markets(console: Console, chosen: "Sequence[Listing]") -> None:
    from rich.table import Table

    table = Table("symbol", "status", "tick", "lot", "min notional", "listed", "delisted", "renamed")
    for item in chosen[:_SHOWN]:
        link = (
            f"to {item.renamed_to}"
            if item.renamed_to
            else f"from {item.renamed_from}"
            if item.renamed_from
            else ""
        )
        steps = [
            f"{value:g}" if value is not None else "–"
            for value in (item.tick_size, item.lot_step, item.min_notional)
        ]
        dates = [f"{moment:%Y-%m-%d}" if moment else "–" for moment in (item.listed_at, item.delisted_at)]
        table.add_row(escape(item.symbol), item.status, *steps, *dates, escape(link))
    console.print(table)
    if len(chosen) > _SHOWN:
        console.print(f"… and {len(chosen) - _SHOWN} more (--json shows all)")


def _print_changes(console: Console, changes: "Sequence[MarketChange]", since: str) -> None:
    from rich.table import Table

    if not changes:
        console.print(f"nothing changed since {since}", highlight=False)
        return
    counts = Counter(item.event for item in changes)
    told = ", ".join(f"{count} {event}" for event, count in sorted(counts.items()))
    table = Table("noticed", "symbol", "event", "field", "was", "is", title=f"since {since}: {told}")
    for item in changes[-_SHOWN:]:
        table.add_row(
            f"{item.at:%Y-%m-%d %H:%M}",
            escape(item.symbol),
            item.event,
            item.field,
            escape(item.old or "–"),
            escape(item.new or "–"),
        )
    console.print(table)


def _print_perhaps(console: Console, perhaps: Sequence[tuple[str, str]]) -> None:
    for old, new in perhaps:
        console.print(
            f"[yellow]perhaps renamed:[/] {escape(old)} is gone and {escape(new)} appeared; if they are one "
            f"market: quantbus ingest instruments --rename {escape(old)}={escape(new)}",
            soft_wrap=True,
        )
