"""``quantbus executor``: what a person or a supervisor needs around the bot."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(help="The Freqtrade side: configs for bots that follow signals.", no_args_is_help=True)

Base = Annotated[
    Path | None, typer.Option(help="Freqtrade config to start from. [executor/user_data/config.dryrun.json]")
]
Out = Annotated[Path | None, typer.Option(help="File to write; without it the config goes to stdout.")]
Database = Annotated[Path, typer.Option(help="SQLite file of the bot's trades.")]
VenueUrl = Annotated[
    str | None, typer.Option(help="Address that speaks Binance's API, instead of the real venue.")
]
Exchange = Annotated[str | None, typer.Option(help="Real venue to take market data from: binance.")]
Pairs = Annotated[str | None, typer.Option(help="Pairs to trade: BTC/USDT,ETH/USDT.")]
BarLength = Annotated[str | None, typer.Option(help="Bars of bot and signals: 1m.")]
StrategyId = Annotated[str | None, typer.Option(help="Whose signals to follow.")]
ConsumerId = Annotated[str | None, typer.Option(help="What the bot is called in the ledger.")]
Stake = Annotated[float | None, typer.Option(help="Stake of a trade, in quote currency.")]
MaxOpenTrades = Annotated[int | None, typer.Option(help="Trades at a time. [as many as --pairs]")]
Throttle = Annotated[int | None, typer.Option(help="Least time from one loop of the bot to the next.")]
ApiPort = Annotated[
    int | None, typer.Option(help="Port of the bot's REST API on 127.0.0.1; without it the base's counts.")
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File with the API's password. [a new one is made up]")
]
Json = Annotated[bool, typer.Option("--json", help="With --out: print where things are, as JSON.")]


@app.callback()
def _executor() -> None:
    """Keep `config` a sub-command also while it is the only one."""


@app.command()
def config(
    base: Base = None,
    out: Out = None,
    db: Database = Path("dryrun.sqlite"),
    venue_url: VenueUrl = None,
    exchange: Exchange = None,
    pairs: Pairs = None,
    timeframe: BarLength = None,
    strategy_id: StrategyId = None,
    consumer_id: ConsumerId = None,
    stake: Stake = None,
    max_open_trades: MaxOpenTrades = None,
    throttle_seconds: Throttle = None,
    api_port: ApiPort = None,
    api_password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Write a Freqtrade config for a dry run. The file is for its owner's eyes only: it may hold secrets.

    \b
    Example:
      quantbus executor config --venue-url http://127.0.0.1:8765 --pairs BTC/USDT --api-port 8080 --out bot.json
      freqtrade trade --userdir executor/user_data --config bot.json
    """
    from quantbus_executor.configs.dry_run import DryRun, dry_run_config
    from quantbus_executor.configs.files import api_server, read_config, shipped_config, told, write_config

    run = DryRun(
        database=db,
        venue_url=venue_url,
        exchange=exchange,
        pairs=tuple(pair.strip() for pair in (pairs or "").split(",") if pair.strip()),
        timeframe=timeframe,
        strategy_id=strategy_id,
        consumer_id=consumer_id,
        stake=stake,
        max_open_trades=max_open_trades,
        throttle_seconds=throttle_seconds,
        api=api_server(api_port, api_password_file) if api_port is not None else None,
    )
    made = dry_run_config(read_config(base or shipped_config()), run)
    if out is None:
        typer.echo(told(made))
        return
    write_config(made, out)
    if as_json:
        typer.echo(told({"config": str(out), "database": made["db_url"], "api_port": api_port}))
