"""``quantbus paper-exchange``: the exchange for tests and demonstrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quantbus_services.paper_exchange import options
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
    context: typer.Context,
    port: options.Port = None,
    host: options.Host = None,
    data: options.Data = None,
    from_bus: options.FromBus = None,
    symbols: options.Symbols = None,
    venue: options.Venue = None,
    timeframe: options.Timeframe = None,
    seed: options.Seed = None,
    history: options.History = None,
    speed: options.Speed = None,
    start: options.Start = None,
    anchor: options.Anchor = None,
    anchor_file: options.AnchorFile = None,
    gaps: options.Gaps = None,
    quiet: options.Quiet = None,
    futures: options.Futures = None,
    events: options.Events = None,
    accounts: options.Accounts = None,
    account_file: options.AccountFile = None,
    state: options.State = None,
    faults: options.Faults = None,
    ready_file: options.ReadyFile = None,
) -> None:
    """Serve until stopped. Without --data or --from-bus the candles are SYNTHETIC, and every answer says so.

    \b
    Examples:
      quantbus paper-exchange serve --data ~/candles --symbols BTC/USDT,ETH/USDT
      quantbus paper-exchange serve --port 0 --ready-file paper.json
      quantbus paper-exchange serve --symbols BTC/USDT,SOL/USDT --speed 60 --gaps 0.002 --seed 7
      quantbus paper-exchange serve --start 2025-03-01T00:00:00Z --anchor-file .quantbus/paper-anchor
    """
    from quantbus_contracts.runtime.settings import load_options
    from quantbus_services.paper_exchange.main import run
    from quantbus_services.paper_exchange.settings import PaperSettings

    given = {
        name: (tuple(value) or None) if isinstance(value, list) else value
        for name, value in context.params.items()
    }
    settings = load_options(PaperSettings, **given)
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

    from quantbus_services.paper_exchange.binance.urls import ccxt_config

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
        if any(venue.spot.is_over(name, now_ms) for name in venue.spot.listed(now_ms)):
            console.print("[bold red]the recording is over[/bold red]: take another anchor to begin anew")
        if venue.futures.listed(now_ms):
            console.print("[bold yellow]SYNTHETIC BASIS[/bold yellow]: swaps follow it by a made-up basis")
    if venue.clock.speed != 1 or venue.clock.start != venue.clock.anchor:
        console.print(
            f"its clock shows {venue.clock.now():%Y-%m-%d %H:%M:%S} UTC, speed {venue.clock.speed:g}"
        )
