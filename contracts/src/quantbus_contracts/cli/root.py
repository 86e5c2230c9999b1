"""Assemble the command from what is installed, and turn our errors into one clear message."""

import sys
from importlib.metadata import EntryPoint, entry_points

import click
import typer
from rich.console import Console
from typer.core import TyperGroup

from quantbus_contracts.cli.bus import app as bus_app
from quantbus_contracts.cli.settings import settings
from quantbus_contracts.errors import ConfigError, ContractError, QuantbusError
from quantbus_contracts.runtime.settings import check_environment

__all__ = ["build", "main"]

GROUP = "quantbus.commands"


class _InstalledVerbs(TyperGroup):
    """Loads a member's verb only when it is asked for: one member's imports never slow or break another's."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_verbs()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _verbs().get(cmd_name)
        return _load(entry) if entry else super().get_command(ctx, cmd_name)


def _verbs() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint) -> click.Command:
    try:
        verb = entry.load()
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"`quantbus {entry.name}` needs the module {error.name!r}, which is not installed; "
            f"install the package that has it beside {entry.value.partition('_')[0]}"
        ) from error
    if not isinstance(verb, typer.Typer):
        single = typer.Typer(add_completion=False)
        single.command(entry.name)(verb)
        verb = single
    command = typer.main.get_command(verb)
    command.name = entry.name
    return command


def build() -> typer.Typer:
    """Return the root command with the verbs of every installed member."""
    app = typer.Typer(
        name="quantbus",
        cls=_InstalledVerbs,
        help="Crypto-quant microservices that meet on a MongoDB signal bus.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.add_typer(bus_app, name="bus")
    app.command("settings")(settings)
    return app


def main() -> None:
    """Run the command; exit 2 where a person must mend something, 1 for other failures of ours."""
    try:
        check_environment()
        build()()
    except QuantbusError as error:
        Console(stderr=True).print("[bold red]error:[/]", end=" ")
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, ConfigError | ContractError) else 1)
