"""``quantbus paper-exchange``: the exchange for tests and demonstrations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from quantbus_services.paper_exchange.market import Market

__all__ = ["app"]

app = typer.Typer(help="An exchange on this machine that replays recorded candles, or makes up marked ones.")


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
    seed: Annotated[int | None, typer.Option(help="Seed of made-up bars. [1]")] = None,
    history: Annotated[
        str | None,
        typer.Option(help="How much lies behind now at the start, such as 36h or 10d. [2d; made up: 30d]"),
    ] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="Where to write address, pid and kind of data once clients may connect."),
    ] = None,
) -> None:
    r"""Serve until stopped. Without --data or --from-bus the candles are SYNTHETIC, and every answer says so.

    \b
    quantbus paper-exchange serve --data ~/candles --symbols BTC/USDT,ETH/USDT
    quantbus paper-exchange serve --port 0 --ready-file paper.json
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
        ready_file=ready_file,
    )
    raise typer.Exit(run(settings, _announce))


@app.command("ccxt-config")
def ccxt_config_command(
    url: Annotated[str, typer.Option(help="Address of the running exchange, as `serve` prints it.")],
) -> None:
    r"""Print the JSON for Freqtrade's exchange.ccxt_config (ccxt's constructor takes it as well).

    Set exchange.enable_ws to false beside it: there are no streams here.

    \b
    quantbus paper-exchange ccxt-config --url http://127.0.0.1:8711
    """
    import json

    from quantbus_services.paper_exchange.urls import ccxt_config

    typer.echo(json.dumps(ccxt_config(url), indent=2))


def _announce(url: str, market: Market) -> None:
    """Say on stderr where the exchange is and what it serves."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    pairs = ", ".join(listing.pair for listing in market.listings.values())
    console.print(f"paper exchange at [bold]{url}[/bold]: {pairs}")
    if market.kind == "SYNTHETIC":
        console.print(
            f"[bold yellow]SYNTHETIC DATA[/bold yellow]: made up ({market.source.origin}), not a market"
        )
    else:
        days = market.source.shift_ms / 86_400_000
        console.print(f"recorded data ({market.source.origin}), shown {days:g} days later than it happened")
