"""``quantbus executor``: what a person or a supervisor needs around the bot."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(help="The Freqtrade side: configs for bots that follow signals.", no_args_is_help=True)


@app.callback()
def _executor() -> None:
    """Keep `config` a sub-command also while it is the only one."""


@app.command()
def config(
    base: Annotated[
        Path | None,
        typer.Option(help="Freqtrade config to start from. [executor/user_data/config.dryrun.json]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; without it the config goes to stdout.")
    ] = None,
    db: Annotated[Path, typer.Option(help="SQLite file of the bot's trades.")] = Path("dryrun.sqlite"),
    venue_url: Annotated[
        str | None, typer.Option(help="Address that speaks Binance's API, instead of the real venue.")
    ] = None,
    exchange: Annotated[
        str | None, typer.Option(help="Real venue to take market data from: binance.")
    ] = None,
    pairs: Annotated[str | None, typer.Option(help="Pairs to trade: BTC/USDT,ETH/USDT.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Bars of bot and signals.")] = None,
    strategy_id: Annotated[str | None, typer.Option(help="Whose signals to follow.")] = None,
    consumer_id: Annotated[str | None, typer.Option(help="What the bot is called in the ledger.")] = None,
    stake: Annotated[float | None, typer.Option(help="Stake of a trade, in quote currency.")] = None,
    max_open_trades: Annotated[
        int | None, typer.Option(help="Trades at a time. [as many as --pairs]")
    ] = None,
    throttle_seconds: Annotated[
        int | None, typer.Option(help="Least time from one loop of the bot to the next.")
    ] = None,
    api_port: Annotated[
        int | None,
        typer.Option(help="Port of the bot's REST API on 127.0.0.1; without it the base's counts."),
    ] = None,
    api_password_file: Annotated[
        Path | None, typer.Option(help="File with the API's password. [a new one is made up]")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --out: print where things are, as JSON.")
    ] = False,
) -> None:
    """Write a Freqtrade config for a dry run. The file is for its owner's eyes only: it may hold secrets.

    \b
    Example:
      quantbus executor config --venue-url http://127.0.0.1:8765 --pairs BTC/USDT --api-port 8080 --out bot.json
      freqtrade trade --userdir executor/user_data --config bot.json
    """
    from quantbus_executor.botconfig import DryRun, dry_run_config
    from quantbus_executor.botfile import api_server, read_config, shipped_config, told, write_config

    made = dry_run_config(
        read_config(base or shipped_config()),
        DryRun(
            database=db,
            venue_url=venue_url,
            exchange=exchange,
            pairs=tuple(pair.strip() for pair in pairs.split(",") if pair.strip()) if pairs else (),
            timeframe=timeframe,
            strategy_id=strategy_id,
            consumer_id=consumer_id,
            stake=stake,
            max_open_trades=max_open_trades,
            throttle_seconds=throttle_seconds,
            api=api_server(api_port, api_password_file) if api_port is not None else None,
        ),
    )
    if out is None:
        typer.echo(told(made))
        return
    write_config(made, out)
    if as_json:
        typer.echo(told({"config": str(out), "database": made["db_url"], "api_port": api_port}))
