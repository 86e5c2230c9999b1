"""``quantbus paper-exchange``: the exchange for tests and demonstrations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantbus_services.paper_exchange.accounts.cli import app as accounts_app
from quantbus_services.paper_exchange.faults.cli import app as faults_app

if TYPE_CHECKING:
    from quantbus_services.paper_exchange.venue import Venue

__all__ = ["app"]

app = typer.Typer(help="An exchange on this machine that replays recorded candles, or makes up marked ones.")
app.add_typer(accounts_app, name="accounts")
app.add_typer(faults_app, name="faults")


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. [8711]")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [127.0.0.1]")] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="Parquet file or folder of them to replay; may be given again.")
    ] = None,
    from_bus: Annotated[
        bool, typer.Option("--from-bus", help="Replay the candles stored in MongoDB.")
    ] = False,
    symbols: Annotated[str | None, typer.Option(help="Pairs to list: BTC/USDT,ETH/USDT.")] = None,
    venue: Annotated[
        str | None, typer.Option(help="Exchange whose recordings are replayed. [BINANCE]")
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option(help="Bars to replay; coarser ones are built. [1m]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of what is made up: bars, basis, open interest. [1]")
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(help="How much lies behind now at the start, such as 36h or 10d. [2d; made up: 30d]"),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            help="How fast the exchange's clock runs; at 60 a minute's bar closes every second. [1]"
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="What its clock shows at first: 2025-03-01T00:00:00Z; without it, now.")
    ] = None,
    anchor: Annotated[
        str | None,
        typer.Option(help="Wall clock's time at which its clock began; the same one keeps its place; without it, now."),
    ] = None,
    anchor_file: Annotated[
        Path | None,
        typer.Option(help="Keep the first start's anchor here, and go on from it after a restart."),
    ] = None,
    gaps: Annotated[float | None, typer.Option(help="Share of made-up minutes that are missing. [0]")] = None,
    quiet: Annotated[float | None, typer.Option(help="Share of made-up minutes without a trade. [0]")] = None,
    futures: Annotated[
        bool | None, typer.Option("--futures/--no-futures", help="List perpetual swaps of the pairs; without either, yes.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(help="JSON list of market events: listing, delisting, removal, rename, tick change."),
    ] = None,
    accounts: Annotated[
        bool, typer.Option("--accounts", help="Take orders of API-key accounts; see `accounts create`.")
    ] = False,
    account_file: Annotated[
        Path | None, typer.Option(help="JSON list of accounts to open, with keys; implies --accounts.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Keep accounts and orders in this file over restarts; implies --accounts. [memory]"
        ),
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(help="A fault that is on from the start: 'rate_limited share=0.05'; may be given again."),
    ] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="Where to write address, pid and kind of data once clients may connect."),
    ] = None,
) -> None:
    """Serve until stopped. Without --data or --from-bus the candles are SYNTHETIC, and every answer says so.

    \b
    Examples:
    quantbus paper-exchange serve --data ~/candles --symbols BTC/USDT,ETH/USDT
    quantbus paper-exchange serve --port 0 --ready-file paper.json
    quantbus paper-exchange serve --symbols BTC/USDT,SOL/USDT --speed 60 --gaps 0.002 --seed 7
    quantbus paper-exchange serve --start 2025-03-01T00:00:00Z --anchor-file .quantbus/paper-anchor
    """
    from quantbus_contracts.runtime.settings import load_settings
    from quantbus_services.paper_exchange.main import run
    from quantbus_services.paper_exchange.settings import PaperSettings

    settings = load_settings(
        PaperSettings,
        port=port,
        host=host,
        data=tuple(data) if data else None,
        from_bus=from_bus or None,
        symbols=symbols,
        venue=venue,
        timeframe=timeframe,
        seed=seed,
        history=history,
        speed=speed,
        start=start,
        anchor=anchor,
        anchor_file=anchor_file,
        gaps=gaps,
        quiet=quiet,
        futures=futures,
        events=events,
        accounts=accounts or None,
        account_file=account_file,
        state=state,
        faults=tuple(faults) if faults else None,
        ready_file=ready_file,
    )
    raise typer.Exit(run(settings, _announce))


@app.command("ccxt-config")
def ccxt_config_command(
    url: Annotated[str, typer.Option(help="Address of the running exchange, as `serve` prints it.")],
) -> None:
    """Print the JSON for Freqtrade's exchange.ccxt_config (ccxt's constructor takes it as well).

    \b
    Example:
    quantbus paper-exchange ccxt-config --url http://127.0.0.1:8711
    """
    import json

    from quantbus_services.paper_exchange.urls import ccxt_config

    typer.echo(json.dumps(ccxt_config(url), indent=2))


def _announce(url: str, venue: Venue) -> None:
    """Say on stderr where the exchange is and what it serves."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    now_ms = venue.now_ms()
    pairs = ", ".join(
        listing.pair for market in (venue.spot, venue.futures) for listing in market.listed(now_ms).values()
    )
    console.print(f"paper exchange at [bold]{url}[/bold]: {pairs}")
    source = venue.spot.source
    if source.kind == "SYNTHETIC":
        console.print(f"[bold yellow]SYNTHETIC DATA[/bold yellow]: made up ({source.origin}), not a market")
    else:
        days = source.shift_ms / 86_400_000
        console.print(f"recorded data ({source.origin}), shown {days:g} days later than it happened")
        if venue.futures.listed(now_ms):
            console.print("[bold yellow]SYNTHETIC BASIS[/bold yellow]: swaps follow it by a made-up basis")
    if venue.clock.speed != 1 or venue.clock.start != venue.clock.anchor:
        console.print(
            f"its clock shows {venue.clock.now():%Y-%m-%d %H:%M:%S} UTC, speed {venue.clock.speed:g}"
        )
