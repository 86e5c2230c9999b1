"""``quantbus ingest``: import files, fill history, follow an exchange."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quantbus_services.ingestion.gaps.cli import gaps
from quantbus_services.ingestion.health.cli import health
from quantbus_services.ingestion.listings.cli import instruments
from quantbus_services.ingestion.observations.cli import register as register_observations
from quantbus_services.ingestion.starting import configure_logging, ingestion_settings
from quantbus_services.ingestion.transfer.export_cli import export
from quantbus_services.ingestion.universe.cli import app as universe
from quantbus_services.ingestion.venue.clock_cli import clock

if TYPE_CHECKING:
    from quantbus_services.ingestion.backfill import Filled
    from quantbus_services.ingestion.transfer.importer import FileReport

__all__ = ["app"]

app = typer.Typer(
    help="Bring closed candles onto the bus: from files and from exchanges.", no_args_is_help=True
)

app.command()(clock)
app.command()(export)

app.command()(gaps)
app.command()(health)

app.command()(instruments)
register_observations(app)
app.add_typer(universe, name="universe")

Symbols = Annotated[
    str,
    typer.Option(help="Pairs or bus symbols, comma-separated: BTC/USDT,ETH/USDT:USDT."),
]
Timeframes = Annotated[str, typer.Option(help="Timeframes, comma-separated: 1m,1h,1d.")]
Venue = Annotated[str | None, typer.Option(help="The exchange's ccxt id; default binance.")]
VenueUrl = Annotated[
    str | None,
    typer.Option(help="Base address that stands in for Binance's hosts, such as a paper exchange."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")]


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders to search for them.")],
    venue: Annotated[str | None, typer.Option(help="The venue, where name and folder do not say it.")] = None,
    symbol: Annotated[
        str | None,
        typer.Option(help="The symbol, where the name does not say it: BTC/USDT or BINANCE:BTCUSDT."),
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option(help="The timeframe, where the name does not say it.")
    ] = None,
    drop_last: Annotated[
        bool,
        typer.Option(
            "--drop-last", help="Refuse each file's newest bar: it was still forming when the file was made."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Import candles from Parquet, Freqtrade's files, and CSV files of exchanges; may be run again at will.

    \b
    Example:
      quantbus ingest import BINANCE_BTCUSDT_1m.parquet user_data/data/binance
      quantbus ingest import candles.csv --venue binance --symbol BTC/USDT --timeframe 1m --json
    """
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.display import file_progress
    from quantbus_services.ingestion.reports import import_json, import_table, rejections_table
    from quantbus_services.ingestion.transfer.identify import Overrides
    from quantbus_services.ingestion.transfer.import_main import run_import
    from quantbus_services.ingestion.transfer.importer import exit_code, find_files

    settings = ingestion_settings()
    overrides = Overrides(venue or "", symbol or "", timeframe or "")
    files = find_files(paths)
    with file_progress(len(files)) as note:
        reports = run_import(
            files,
            overrides,
            settings,
            load_settings(MongoSettings),
            by_hand=paths,
            on_rows=note,
            drop_last=drop_last,
        )
    console = Console()
    if as_json:
        console.print_json(data=import_json(reports))
    else:
        console.print(import_table(reports))
        for report in reports:
            if report.rejections:
                console.print(rejections_table(report))
    _tell_not_imported(reports)
    raise typer.Exit(exit_code(reports))


def _tell_not_imported(reports: "list[FileReport]") -> None:
    for report in reports:
        why = report.error or ("every row was refused" if report.refused_whole else "")
        if why:
            Console(stderr=True).print(
                f"[bold red]not imported:[/] {escape(str(report.path))}: {escape(why)}", soft_wrap=True
            )


@app.command()
def backfill(
    symbols: Symbols,
    since: Annotated[str, typer.Option(help="How far back: 2d, 12h, 2024-01-01.")],
    timeframes: Timeframes = "1m",
    until: Annotated[str | None, typer.Option(help="Where to end (exclusive); default now.")] = None,
    venue: Venue = None,
    venue_url: VenueUrl = None,
    as_json: Json = False,
) -> None:
    """Fetch the closed bars of a range that the bus does not have yet; start it again to resume.

    Exit code 0: every series was gone through; 1: some were not, and are named; 2: the input is wrong.

    \b
    Example:
      quantbus ingest backfill --symbols BTC/USDT,ETH/USDT --timeframes 1m,1h --since 2d
      quantbus ingest backfill --symbols BTC/USDT:USDT --timeframes 1d --since 2021-01-01 --until 2024-01-01 --json
    """
    import asyncio

    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.display import series_progress
    from quantbus_services.ingestion.main import Wanted, run_backfill
    from quantbus_services.ingestion.reports import backfill_json, backfill_table
    from quantbus_services.ingestion.series import comma_list

    settings = ingestion_settings(venue=venue, venue_url=venue_url)
    configure_logging()
    wanted = Wanted(comma_list(symbols, "symbols"), comma_list(timeframes, "timeframes"))
    with series_progress() as note:
        filled = asyncio.run(
            run_backfill(wanted, since, until, settings, load_settings(MongoSettings), on_progress=note)
        )
    console = Console()
    if as_json:
        console.print_json(data=backfill_json(filled))
    else:
        console.print(backfill_table(filled))
    _tell_failures(filled)


def _tell_failures(filled: "list[Filled]") -> None:
    failed = [item for item in filled if item.error]
    for item in failed:
        Console(stderr=True).print(
            f"[bold red]not finished:[/] {item.series}: {escape(item.error)}; "
            "what is stored stays, run the same command again to go on",
            soft_wrap=True,
        )
    if failed:
        raise typer.Exit(1)


@app.command()
def live(
    symbols: Symbols,
    timeframes: Timeframes = "1m",
    venue: Venue = None,
    venue_url: VenueUrl = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve Prometheus metrics at this port; 0 = off.")
    ] = None,
    metrics_host: Annotated[
        str | None, typer.Option(help="Address of the metrics; 0.0.0.0 in a container. [127.0.0.1]")
    ] = None,
    instance: Annotated[str | None, typer.Option(help="Name of this process in its heartbeat.")] = None,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream", help="Let the exchange's websocket tell when a bar has closed. [on]"
        ),
    ] = None,
    fallback: Annotated[
        list[str] | None,
        typer.Option(help="Second source: OKX:BTCUSDT, or BTC/USDT=OKX:BTCUSDT; may be given several times."),
    ] = None,
    fallback_url: Annotated[
        str | None, typer.Option(help="Base address that stands in for the second source's hosts.")
    ] = None,
) -> None:
    """Fill the last days, then store each bar within a second or two of its close, until stopped.

    \b
    Example:
      quantbus ingest live --symbols BTC/USDT,ETH/USDT --timeframes 1m --metrics-port 9101
      quantbus ingest live --symbols BTC/USDT --fallback OKX:BTCUSDT
    """
    from quantbus_contracts.runtime.lifecycle import leave_at_once, run_until_stopped
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.ingestion.main import Wanted, run_live
    from quantbus_services.ingestion.series import comma_list

    settings = ingestion_settings(
        venue=venue,
        venue_url=venue_url,
        metrics_port=metrics_port,
        metrics_host=metrics_host,
        instance=instance,
        stream=stream,
        fallbacks=tuple(fallback) if fallback else None,
        fallback_url=fallback_url,
    )
    mongo = load_settings(MongoSettings)
    configure_logging()
    wanted = Wanted(comma_list(symbols, "symbols"), comma_list(timeframes, "timeframes"))
    leave_at_once(run_until_stopped(lambda: run_live(wanted, settings, mongo)))
