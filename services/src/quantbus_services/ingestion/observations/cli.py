"""``quantbus ingest funding | mark | open-interest | depth | observe``."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quantbus_services.ingestion.starting import configure_logging, ingestion_settings

if TYPE_CHECKING:
    from rich.table import Table

    from quantbus_contracts.schema import DepthSnapshot
    from quantbus_services.ingestion.observations.history import Filled

__all__ = ["filled_table", "register"]

Symbols = Annotated[
    str, typer.Option(help="Pairs or bus symbols, comma-separated: BTC/USDT:USDT,ETH/USDT:USDT.")
]
Since = Annotated[str | None, typer.Option(help="How far back: 30d, 12h, 2024-01-01.")]
Until = Annotated[str | None, typer.Option(help="Where to end (exclusive); default now.")]
Timeframe = Annotated[str, typer.Option(help="How far apart the values are: 5m, 1h, 1d.")]
Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", help="Import this CSV or Parquet file instead of asking the exchange; repeatable."
    ),
]
Venue = Annotated[str | None, typer.Option(help="The exchange's ccxt id; default binance.")]
VenueUrl = Annotated[
    str | None,
    typer.Option(help="Base address that stands in for Binance's hosts, such as a paper exchange."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``quantbus ingest``."""
    for command in (funding, mark, depth, observe):
        app.command()(command)
    app.command("open-interest")(open_interest)


def funding(
    symbols: Symbols = "",
    since: Since = None,
    until: Until = None,
    files: Files = None,
    venue: Venue = None,
    venue_url: VenueUrl = None,
    as_json: Json = False,
) -> None:
    """Fill the settled funding rates of perpetual swaps, from an exchange or from files.

    \b
    Example:
      quantbus ingest funding --symbols BTC/USDT:USDT,ETH/USDT:USDT --since 365d
      quantbus ingest funding --file ZECUSDT_funding.csv --venue binance
    """
    _fill_or_import("funding", symbols, (since, until, "1h"), files, (venue, venue_url), as_json)


def open_interest(
    symbols: Symbols = "",
    since: Since = None,
    until: Until = None,
    timeframe: Timeframe = "1h",
    files: Files = None,
    venue: Venue = None,
    venue_url: VenueUrl = None,
    as_json: Json = False,
) -> None:
    """Fill the open interest of derivatives, as far back as the exchange keeps it, or from files.

    \b
    Example:
      quantbus ingest open-interest --symbols BTC/USDT:USDT --since 20d --timeframe 1h
    """
    _fill_or_import("open-interest", symbols, (since, until, timeframe), files, (venue, venue_url), as_json)


def mark(
    symbols: Symbols,
    since: Since = None,
    until: Until = None,
    timeframe: Timeframe = "1h",
    venue: Venue = None,
    venue_url: VenueUrl = None,
    as_json: Json = False,
) -> None:
    """Fill mark and index prices at the closes of a timeframe.

    \b
    Example:
      quantbus ingest mark --symbols BTC/USDT:USDT --since 30d --timeframe 1h
    """
    _fill_or_import("mark", symbols, (since, until, timeframe), None, (venue, venue_url), as_json)


def depth(
    symbols: Symbols,
    venue: Venue = None,
    venue_url: VenueUrl = None,
    as_json: Json = False,
) -> None:
    """Store and show the order books as they are now; exchanges keep no history of them.

    \b
    Example:
      quantbus ingest depth --symbols BTC/USDT,BTC/USDT:USDT
    """
    import asyncio

    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.observations.main import look_at_books
    from quantbus_services.ingestion.observations.settings import ObservationSettings
    from quantbus_services.ingestion.series import comma_list

    settings = ingestion_settings(venue=venue, venue_url=venue_url)
    configure_logging()
    snapshots, errors = asyncio.run(
        look_at_books(
            comma_list(symbols, "symbols"),
            settings,
            load_settings(ObservationSettings),
            load_settings(MongoSettings),
        )
    )
    if as_json:
        data = {"depth": [item.model_dump(mode="json") for item in snapshots], "errors": errors}
        Console().print_json(data=data)
    else:
        _print_books(snapshots)
    for error in errors:
        Console(stderr=True).print(f"[bold red]not observed:[/] {escape(error)}", soft_wrap=True)
    if errors:
        raise typer.Exit(1)


def observe(
    symbols: Symbols,
    kinds: Annotated[
        str,
        typer.Option(
            help="What to observe: funding, mark, open-interest, depth, instruments.", show_default="all"
        ),
    ] = "funding,mark,open-interest,depth,instruments",
    venue: Venue = None,
    venue_url: VenueUrl = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve Prometheus metrics on 127.0.0.1 at this port; 0 = off.")
    ] = None,
    instance: Annotated[str | None, typer.Option(help="Name of this process in its heartbeat.")] = None,
) -> None:
    """Keep funding, mark prices, open interest, order books and the market list current, until stopped.

    \b
    Example:
      quantbus ingest observe --symbols BTC/USDT:USDT,ETH/USDT:USDT --kinds funding,mark,instruments
    """
    from quantbus_contracts.errors import ConfigError
    from quantbus_contracts.runtime.lifecycle import run_until_stopped
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.observations.main import KINDS, run_observe
    from quantbus_services.ingestion.observations.settings import ObservationSettings
    from quantbus_services.ingestion.series import comma_list

    settings = ingestion_settings(
        venue=venue, venue_url=venue_url, metrics_port=metrics_port, instance=instance
    )
    own, mongo = load_settings(ObservationSettings), load_settings(MongoSettings)
    wanted = comma_list(kinds, "kinds")
    unknown = [kind for kind in wanted if kind not in KINDS]
    if unknown:
        raise ConfigError(f"expected kinds out of {', '.join(KINDS)}, found {', '.join(unknown)}")
    configure_logging()
    names = comma_list(symbols, "symbols")
    raise typer.Exit(run_until_stopped(lambda: run_observe(names, wanted, settings, own, mongo)))


def _fill_or_import(
    kind: str,
    symbols: str,
    span: tuple[str | None, str | None, str],
    files: list[Path] | None,
    venue: tuple[str | None, str | None],
    as_json: bool,
) -> None:
    import asyncio

    from quantbus_contracts.errors import ConfigError
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_contracts.timeframe import Timeframe as Length
    from quantbus_services.ingestion.observations.main import fill_history, import_files
    from quantbus_services.ingestion.series import comma_list

    settings, mongo = ingestion_settings(venue=venue[0], venue_url=venue[1]), load_settings(MongoSettings)
    configure_logging()
    since, until, timeframe = span
    if files:
        if symbols or since:
            raise ConfigError("expected either --file, or --symbols with --since; found both")
        filled = import_files(kind, files, settings, mongo)
    elif not symbols or not since:
        raise ConfigError("expected --symbols and --since, such as --symbols BTC/USDT:USDT --since 30d")
    else:
        names = comma_list(symbols, "symbols")
        with _progress() as note:
            filled = asyncio.run(
                fill_history(
                    kind, names, since, until, Length.parse(timeframe), settings, mongo, on_progress=note
                )
            )
    _report(filled, as_json)


@contextmanager
def _progress() -> Generator[Callable[[str, int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def note(symbol: str, done: int, total: int) -> None:
            if symbol not in tasks:
                tasks[symbol] = bars.add_task(escape(symbol), total=total)
            bars.update(tasks[symbol], completed=done)

        yield note


def filled_table(filled: "list[Filled]") -> "Table":
    """Return one line for each symbol or file: which days it has now, and what became of the rows."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("symbol", overflow="fold")
    for head in ("from", "to", "inserted", "updated", "same", "refused"):
        table.add_column(head, justify="left" if head in ("from", "to") else "right", no_wrap=True)
    for item in filled:
        ends = [f"{moment:%Y-%m-%d}" if moment else "–" for moment in (item.first, item.last)]
        report = item.report
        counts = (report.inserted, report.updated, report.unchanged, report.rejected)
        table.add_row(escape(item.symbol), *ends, *(f"{count:,}" for count in counts))
    return table


def _report(filled: "list[Filled]", as_json: bool) -> None:
    console = Console()
    if as_json:
        console.print_json(data={"series": [item.as_dict() for item in filled]})
    else:
        console.print(filled_table(filled))
    for item in filled:
        told = Console(stderr=True)
        if item.error:
            told.print(
                f"[bold red]not finished:[/] {escape(item.symbol)}: {escape(item.error)}", soft_wrap=True
            )
        for refusal in item.rejections[:3]:
            told.print(
                f"[yellow]refused:[/] {escape(item.symbol)}: {escape(refusal.reason)} "
                f"(found {escape(refusal.value)})",
                soft_wrap=True,
            )
    if any(item.error for item in filled):
        raise typer.Exit(1)


def _print_books(snapshots: "list[DepthSnapshot]") -> None:
    from rich.table import Table

    heads = ("symbol", "at", "mid", "bps", "within", "bid", "ask", "imbalance")
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in heads:
        table.add_column(name, no_wrap=True)
    for item in snapshots:
        head = [escape(item.symbol), f"{item.at:%H:%M:%S}", f"{item.mid:g}", f"{item.spread_bps:.2f}"]
        for level in item.levels:
            depth = (_short(level.bid), _short(level.ask), f"{level.imbalance:+.2f}")
            table.add_row(*head, level.within, *depth)
            head = [""] * len(head)
        if not item.levels:
            table.add_row(*head)
    Console().print(table)


def _short(worth: float) -> str:
    """Return an amount of money in three or so figures."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if worth >= size:
            return f"{worth / size:.3g}{letter}"
    return f"{worth:.3g}"
