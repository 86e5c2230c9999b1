"""``quantbus ingest universe build | show | list``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from quantbus_services.ingestion.starting import ingestion_settings

if TYPE_CHECKING:
    from quantbus_contracts.runtime.settings import MongoSettings
    from quantbus_contracts.schema import Universe
    from quantbus_services.ingestion.settings import IngestionSettings
    from quantbus_services.ingestion.universe import Choice

__all__ = ["app"]

app = typer.Typer(help="Keep dated lists of the symbols that were traded most.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the universe, such as top40.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")]
Venue = Annotated[str | None, typer.Option(help="The exchange's ccxt id; default binance.")]


Source = Annotated[
    Literal["bars", "tickers", "file"],
    typer.Option("--from", help="Stored bars (any date), the exchange's tickers (now), or a file."),
]
Top = Annotated[int, typer.Option(min=1, max=5000, help="How many symbols.")]
Market = Annotated[Literal["spot", "swap", "future"], typer.Option(help="Which kind of market.")]
Quote = Annotated[str, typer.Option(help="Quote currency; empty for any.")]
Exclude = Annotated[str, typer.Option(help="Base currencies to leave out, comma-separated.")]
AsOf = Annotated[
    str | None, typer.Option(help="Date of the list: 2024-01-01, 30d; default now. Not for tickers.")
]
Until = Annotated[str | None, typer.Option(help="With --every: the last date.")]
Every = Annotated[str | None, typer.Option(help="Build a list this far apart: 7d, 12h.")]
Window = Annotated[str, typer.Option(help="Turnover over how long before the date: 30d.")]
Bars = Annotated[str, typer.Option(help="Which stored bars are summed.")]
Names = Annotated[Path | None, typer.Option(help="With --from file: names, one a line, CSV or JSON.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Rewrite a list that stands under the same name and date.")
]
VenueUrl = Annotated[str | None, typer.Option(help="Base address that stands in for Binance's hosts.")]


@app.command()
def build(
    name: Name,
    source: Source = "bars",
    top: Top = 40,
    market: Market = "spot",
    quote: Quote = "USDT",
    exclude: Exclude = "",
    as_of: AsOf = None,
    until: Until = None,
    every: Every = None,
    window: Window = "30d",
    timeframe: Bars = "1d",
    file: Names = None,
    replace: Replace = False,
    venue: Venue = None,
    venue_url: VenueUrl = None,
    as_json: Json = False,
) -> None:
    """Build a universe from what was known at its date, and store it.

    \b
    Example:
      quantbus ingest universe build top40 --from bars --top 40 --as-of 2024-01-01 --until 2024-12-30 --every 7d
      quantbus ingest universe build top40 --from tickers --market swap
      quantbus ingest universe build mine --from file --file names.txt --as-of 2024-01-01
    """
    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.errors import ConfigError
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.universe import Choice
    from quantbus_services.ingestion.universe.main import build_from_file, build_from_tickers
    from quantbus_services.ingestion.windows import parse_moment

    settings, mongo = ingestion_settings(venue=venue, venue_url=venue_url), load_settings(MongoSettings)
    bases = frozenset(part.strip() for part in exclude.split(",") if part.strip())
    choice = Choice(top, market, quote or None, bases)
    if (file is not None) != (source == "file"):
        raise ConfigError("expected --file with --from file, and only there")
    if source == "tickers":
        if as_of or until or every:
            raise ConfigError(
                "tickers tell of now: leave out --as-of, --until and --every, or use --from bars"
            )
        built = build_from_tickers(name, choice, settings, mongo, replace=replace)
    elif file is not None:
        date = parse_moment(as_of, SystemClock().now(), "--as-of") if as_of else None
        built = build_from_file(name, file, date, settings, mongo, most=top, replace=replace)
    else:
        texts = (as_of, until, every, window, timeframe)
        built = _from_bars(name, choice, texts, settings, mongo, replace=replace)
    _tell_built(built, as_json)


def _from_bars(
    name: str,
    choice: "Choice",
    texts: tuple[str | None, str | None, str | None, str, str],
    settings: "IngestionSettings",
    mongo: "MongoSettings",
    *,
    replace: bool,
) -> "list[tuple[Universe, bool]]":
    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.timeframe import Timeframe
    from quantbus_services.ingestion.universe.main import Dates, build_from_bars
    from quantbus_services.ingestion.windows import parse_moment

    as_of, until, every, window, timeframe = texts
    now = SystemClock().now()
    dates = Dates(
        parse_moment(as_of, now, "--as-of") if as_of else None,
        parse_moment(until, now, "--until") if until else None,
        now - parse_moment(every, now, "--every") if every else None,
    )
    length = now - parse_moment(window, now, "--window")
    return build_from_bars(
        name, choice, dates, length, Timeframe.parse(timeframe), settings, mongo, replace=replace
    )


@app.command()
def show(
    name: Name,
    at: Annotated[str | None, typer.Option(help="As of when: 2024-06-01, 30d; default now.")] = None,
    as_json: Json = False,
) -> None:
    """Show the list that was known at a time: the newest one whose date is not later.

    \b
    Example:
      quantbus ingest universe show top40 --at 2024-06-01
    """
    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.universe.main import universe_at
    from quantbus_services.ingestion.windows import parse_moment

    moment = parse_moment(at, SystemClock().now(), "--at") if at else None
    found = universe_at(name, moment, load_settings(MongoSettings))
    if found is None:
        Console(stderr=True).print(
            f"[bold red]not known:[/] no universe {escape(repr(name))} as of {moment or 'now'}; "
            "`quantbus ingest universe list` shows what there is",
            soft_wrap=True,
        )
        raise typer.Exit(1)
    if as_json:
        Console().print_json(data=found.model_dump(mode="json"))
        return
    from rich.table import Table

    table = Table("", "symbol", "quote volume", title=f"{found.name} as of {found.as_of.isoformat()}")
    for place, member in enumerate(found.members, start=1):
        volume = f"{member.quote_volume:,.0f}" if member.quote_volume is not None else "–"
        table.add_row(str(place), escape(member.symbol), volume)
    Console().print(table)


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="Only this universe.")] = None,
    as_json: Json = False,
) -> None:
    """List the stored universes with their dates.

    \b
    Example:
      quantbus ingest universe list
    """
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.universe.main import stored

    found = stored(load_settings(MongoSettings), name)
    if as_json:
        Console().print_json(data={"universes": [_summary(item) for item in found]})
        return
    from rich.table import Table

    table = Table("name", "as of (UTC)", "from", "members", "first")
    for item in found:
        head = ", ".join(item.symbols[:1])
        date = f"{item.as_of:%Y-%m-%d %H:%M}"
        table.add_row(item.name, date, item.method, str(len(item.members)), escape(head))
    Console().print(table)


def _tell_built(built: "list[tuple[Universe, bool]]", as_json: bool) -> None:
    if as_json:
        rows = [{**_summary(item), "written": written} for item, written in built]
        Console().print_json(data={"universes": rows})
        return
    for item, written in built:
        told = "stored" if written else "stands already"
        count = f"{len(item.members)} symbol" + ("s" if len(item.members) != 1 else "")
        Console().print(
            f"{item.name} as of {item.as_of.isoformat()}: {count}, {told}",
            highlight=False,
        )


def _summary(item: "Universe") -> dict[str, object]:
    return {
        "name": item.name,
        "as_of": item.as_of.isoformat(),
        "method": item.method,
        "members": list(item.symbols),
    }
