"""``quantbus executor``: what a person or a supervisor needs around the bot."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantbus_executor.claims.commands import claims, settle

if TYPE_CHECKING:
    from quantbus_executor.checking import Finding

__all__ = ["app"]

app = typer.Typer(
    help="The Freqtrade side: make and check configs for bots that follow signals.", no_args_is_help=True
)

Base = Annotated[
    Path | None,
    typer.Option(help="Freqtrade config to start from. [one of executor/user_data/config.*.json]"),
]
Live = Annotated[bool, typer.Option("--live", help="Real orders with real money. Without it: a dry run.")]
Futures = Annotated[bool, typer.Option("--futures", help="Perpetual swaps, long and short, instead of spot.")]
Out = Annotated[Path | None, typer.Option(help="File to write; without it the config goes to stdout.")]
Database = Annotated[
    Path | None, typer.Option(help="SQLite file of the bot's trades. [dryrun.sqlite or live.sqlite]")
]
VenueUrl = Annotated[
    str | None, typer.Option(help="Address that speaks Binance's API, instead of the real venue.")
]
Exchange = Annotated[str | None, typer.Option(help="Real venue to take market data from: binance.")]
Pairs = Annotated[str | None, typer.Option(help="Pairs to trade: BTC/USDT,ETH/USDT.")]
BarLength = Annotated[str | None, typer.Option(help="Bars of bot and signals: 1m.")]
StrategyId = Annotated[str | None, typer.Option(help="Whose signals to follow.")]
ConsumerId = Annotated[str | None, typer.Option(help="What the bot is called in the ledger.")]
Stake = Annotated[float | None, typer.Option(help="Stake of a trade, in quote currency.")]
Capital = Annotated[
    float | None, typer.Option(help="All that the bot may use, in quote currency; in a dry run its wallet.")
]
MaxOpenTrades = Annotated[int | None, typer.Option(help="Trades at a time. [as many as --pairs]")]
Throttle = Annotated[int | None, typer.Option(help="Least time from one loop of the bot to the next.")]
ApiPort = Annotated[
    int | None, typer.Option(help="Port of the bot's REST API on 127.0.0.1; without it the base's counts.")
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File with the API's password. [a new one is made up]")
]
Json = Annotated[bool, typer.Option("--json", help="With --out: print where things are, as JSON.")]


Configs = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="Config of the bot; several as for Freqtrade. [config.dryrun.json]"),
]
Userdir = Annotated[
    Path | None, typer.Option(help="Freqtrade's user folder, with the strategy. [executor/user_data]")
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not ask the bus.")]
Strict = Annotated[bool, typer.Option("--strict", help="Warnings fail as errors do.")]
Accept = Annotated[
    list[str] | None,
    typer.Option(help="A check whose warnings do not fail with --strict; several by giving it again."),
]
_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}


@app.command()
def config(
    base: Base = None,
    out: Out = None,
    live: Live = False,
    futures: Futures = False,
    db: Database = None,
    venue_url: VenueUrl = None,
    exchange: Exchange = None,
    pairs: Pairs = None,
    timeframe: BarLength = None,
    strategy_id: StrategyId = None,
    consumer_id: ConsumerId = None,
    stake: Stake = None,
    capital: Capital = None,
    max_open_trades: MaxOpenTrades = None,
    throttle_seconds: Throttle = None,
    api_port: ApiPort = None,
    api_password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Write a bot's Freqtrade config; a dry run unless --live. For its owner's eyes only: it may hold secrets.

    \b
    Example:
      quantbus executor config --venue-url http://127.0.0.1:8765 --pairs BTC/USDT --api-port 8080 --out bot.json
      quantbus executor config --live --pairs BTC/USDT --strategy-id mine --consumer-id bot-1 --out live.json
      freqtrade trade --userdir executor/user_data --config bot.json
    """
    from quantbus_executor.configs.files import api_server, shipped_config, told, write_config
    from quantbus_executor.configs.reading import read_config
    from quantbus_executor.configs.tailored import Tailoring, tailored_config
    from quantbus_executor.settings import BLOCK

    wanted = Tailoring(
        database=db or Path("live.sqlite" if live else "dryrun.sqlite"),
        live=live,
        venue_url=venue_url,
        exchange=exchange,
        pairs=tuple(pair.strip() for pair in (pairs or "").split(",") if pair.strip()),
        timeframe=timeframe,
        strategy_id=strategy_id,
        consumer_id=consumer_id,
        stake=stake,
        capital=capital,
        max_open_trades=max_open_trades,
        throttle_seconds=throttle_seconds,
        api=api_server(api_port, api_password_file) if api_port is not None else None,
    )
    made = tailored_config(read_config(base or shipped_config(live=live, futures=futures)), wanted)
    if out is None:
        typer.echo(told(made))
        return
    write_config(made, out)
    if as_json:
        typer.echo(told({"config": str(out), "database": made["db_url"], "api_port": api_port}))
        return
    name, orders = made[BLOCK].get("consumer_id"), "real orders" if live else "a dry run"
    typer.echo(f"wrote {out}: {orders} as {name}, trades in {made['db_url'].removeprefix('sqlite:///')}")


@app.command()
def check(
    config: Configs = None,
    userdir: Userdir = None,
    offline: Offline = False,
    strict: Strict = False,
    accept: Accept = None,
    as_json: Json = False,
) -> None:
    """Hold a bot's config against itself and the bus; exit 1 if an error is found, 2 if it cannot be read.

    Give the environment that the bot will have: EXT_SIG_*, QUANTBUS_* and FREQTRADE__* count as they do for the bot.

    \b
    Example:
      quantbus executor check --config bot.json
      quantbus executor check -c live.json -c secrets.json --strict --json
      quantbus executor check -c live.json --strict --accept restraints-in-force
    """
    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.errors import ConfigError
    from quantbus_executor.checking import inspect, is_fit
    from quantbus_executor.checking.catalogue import CATALOGUE
    from quantbus_executor.configs import files
    from quantbus_executor.settings import process_environment

    if strange := sorted({*(accept or ())} - CATALOGUE.keys()):
        raise ConfigError(f"--accept: expected a check of docs/executor-check.md, found {', '.join(strange)}")
    paths = config or [files.shipped_config()]
    found = inspect(paths, userdir or files.userdir(), process_environment(), SystemClock(), ask=not offline)
    fit = is_fit(found, strict=strict, accepted=accept or ())
    if as_json:
        rows = [{name: getattr(item, name) for name in ("severity", "check", "message")} for item in found]
        typer.echo(files.told({"fit": fit, "findings": rows}))
    else:
        _print_findings(", ".join(str(path) for path in paths), found, fit=fit)
    raise typer.Exit(0 if fit else 1)


app.command()(claims)
app.command()(settle)


@app.command()
def keys(
    part: Annotated[str, typer.Argument(help="Only keys that contain this: rules, pricing.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="The tables of docs/bot-settings.md.")] = False,
    as_json: Json = False,
) -> None:
    """Explain every key of the configs that ship, and every setting of the bot.

    \b
    Example:
      quantbus executor keys restraints
    """
    from quantbus_executor.configs import explained, files

    if markdown:
        typer.echo(f"{explained.settings_table()}\n\n{explained.shipped_table(files.userdir())}")
        return
    found = {key: text for key, text in explained.explanations().items() if part in key}
    if as_json:
        typer.echo(files.told(found))
        return
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    for key, text in found.items():
        console.print(f"[bold]{key}[/]")
        console.print(Padding(Text(text), (0, 0, 0, 2)))


def _print_findings(name: str, found: "Sequence[Finding]", *, fit: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for item in found:
        colour = _COLOURS[item.severity]
        table.add_row(f"[{colour}]{item.severity}[/]", item.check, escape(item.message))
    console.print(table)
    counts = [
        f"{count} {word}{'s' if count != 1 else ''}"
        for word in _COLOURS
        if (count := sum(item.severity == word for item in found))
    ]
    verdict = "[bold green]fit to start[/]" if fit else "[bold red]not fit to start[/]"
    console.print(f"{escape(name)}: {', '.join(counts) or 'nothing found'}; {verdict}")
