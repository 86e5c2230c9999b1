"""Assemble the command from what is installed, and turn our errors into one clear message."""

import sys
from importlib.metadata import EntryPoint, entry_points

import typer
from rich.console import Console

from quantbus_contracts.cli.bus import app as bus_app
from quantbus_contracts.cli.settings import settings
from quantbus_contracts.errors import ConfigError, ContractError, QuantbusError
from quantbus_contracts.runtime.settings import check_environment

__all__ = ["build", "main"]

GROUP = "quantbus.commands"


def build() -> typer.Typer:
    """Return the root command with the verbs of every installed member."""
    app = typer.Typer(
        name="quantbus",
        help="Crypto-quant microservices that meet on a MongoDB signal bus.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.add_typer(bus_app, name="bus")
    app.command("settings")(settings)
    for entry in sorted(entry_points(group=GROUP), key=lambda item: item.name):
        _add(app, entry)
    return app


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    verb = entry.load()
    if isinstance(verb, typer.Typer):
        app.add_typer(verb, name=entry.name)
    else:
        app.command(entry.name)(verb)


def main() -> None:
    """Run the command; exit 2 where a person must mend something, 1 for other failures of ours."""
    try:
        check_environment()
        build()()
    except QuantbusError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, ConfigError | ContractError) else 1)
