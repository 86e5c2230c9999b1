"""``quantbus account``: look at the exchange account itself, with a key that can only read."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from quantbus_contracts.schema import AccountSnapshot

__all__ = ["app"]

app = typer.Typer(
    help="Look at the exchange account itself, with a key that can only read.", no_args_is_help=True
)

Name = Annotated[str | None, typer.Option(help="What the account is called in snapshots. [main]")]
Interval = Annotated[float | None, typer.Option(help="Seconds between two looks. [10]")]


@app.command()
def watch(name: Name = None, interval: Interval = None) -> None:
    """Look until stopped; every look is a row of account_snapshots. Exit 2 if the key may withdraw.

    \b
    Example:
      export QUANTBUS_ACCOUNT_KEY_FILE=secrets/key QUANTBUS_ACCOUNT_SECRET_FILE=secrets/secret
      quantbus account watch --name live
    """
    from quantbus_contracts.runtime.lifecycle import run_until_stopped
    from quantbus_contracts.runtime.logging import configure
    from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_options, load_settings
    from quantbus_services.account.main import watch as run
    from quantbus_services.account.settings import AccountSettings

    settings = load_options(
        AccountSettings, {"interval_seconds": "--interval"}, name=name, interval_seconds=interval
    )
    mongo = load_settings(MongoSettings)
    process = load_settings(HomeSettings)
    configure("account", level=process.log_level, json=process.log_json)
    raise typer.Exit(run_until_stopped(lambda: run(settings, mongo)))


@app.command()
def once(
    name: Name = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the snapshot as it was written.")] = False,
) -> None:
    """Look once and write what was seen; exit 1 if any part of it is unknown.

    \b
    Example:
      quantbus account once --json
    """
    import asyncio

    from quantbus_contracts.errors import BusUnavailable
    from quantbus_contracts.runtime.logging import configure
    from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_options, load_settings
    from quantbus_services.account.main import look_once
    from quantbus_services.account.settings import AccountSettings

    process = load_settings(HomeSettings)
    configure("account", level="error", json=process.log_json)
    settings = load_options(AccountSettings, name=name)
    snapshot = asyncio.run(look_once(settings, load_settings(MongoSettings)))
    if snapshot is None:
        raise BusUnavailable(
            "expected the bus to take the snapshot, found no answer; see `quantbus bus status`"
        )
    if as_json:
        typer.echo(snapshot.model_dump_json(indent=2, exclude_none=True))
    else:
        _print(snapshot)
    raise typer.Exit(0 if snapshot.is_complete else 1)


@app.command()
def rights(
    as_json: Annotated[bool, typer.Option("--json", help="Print what the venue told as JSON.")] = False,
) -> None:
    """Ask the venue what the key may do; exit 1 unless it surely cannot withdraw. Nothing is written.

    \b
    Example:
      quantbus account rights --json
    """
    import asyncio

    from quantbus_contracts.runtime.logging import configure
    from quantbus_contracts.runtime.settings import HomeSettings, load_settings
    from quantbus_services.account.main import ask_rights
    from quantbus_services.account.settings import AccountSettings

    configure("account", level="error", json=load_settings(HomeSettings).log_json)
    settings = load_settings(AccountSettings)
    told = asyncio.run(ask_rights(settings))
    if as_json:
        found = {"venue": settings.venue, "can_withdraw": told.can_withdraw, "can_trade": told.can_trade}
        Console().print_json(data=found)
    else:
        console = Console(highlight=False)
        words = {True: "yes", False: "no", None: "the venue does not tell"}
        console.print(f"may withdraw: {words[told.can_withdraw]}")
        console.print(f"may trade: {words[told.can_trade]}")
    raise typer.Exit(0 if told.can_withdraw is False else 1)


def _print(snapshot: "AccountSnapshot") -> None:
    console = Console(highlight=False)
    table = Table("what", "where", "amount", "more", box=None)
    for one in snapshot.balances:
        worth = "worth unknown" if one.worth is None else f"{one.worth:,.2f} {snapshot.quote}"
        table.add_row("balance", f"{one.market} {escape(one.currency)}", f"{one.total:.10g}", escape(worth))
    for held in snapshot.positions:
        at = "" if held.entry_price is None else f"from {held.entry_price:.10g}"
        table.add_row(f"{held.side} position", escape(held.pair), f"{held.amount:.10g}", at)
    for order in snapshot.orders:
        price = order.stop_price or order.price
        at = "" if price is None else f"at {price:.10g}"
        table.add_row(f"{order.side} {order.kind}", escape(order.pair), f"{order.amount:.10g}", at)
    console.print(
        f"account {escape(snapshot.account)} at {escape(snapshot.venue)}, {snapshot.at:%Y-%m-%d %H:%M:%S} UTC"
    )
    console.print(table)
    console.print(f"{len(snapshot.fills)} fills lately")
    for gap in snapshot.unknown:
        console.print(f"[bold red]unknown:[/] {gap.market} {gap.part}: {escape(gap.reason)}")
