"""Assemble the command from what is installed, and turn our errors into one clear message."""

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

import typer
from rich.console import Console

from quantbus_contracts.cli.audit import app as audit_app
from quantbus_contracts.cli.bus import app as bus_app
from quantbus_contracts.cli.controls import app as controls_app
from quantbus_contracts.cli.market import app as market_app
from quantbus_contracts.cli.risk import app as risk_app
from quantbus_contracts.cli.settings import settings
from quantbus_contracts.cli.signals import app as signals_app
from quantbus_contracts.cli.strategies import app as strategies_app
from quantbus_contracts.errors import ConfigError, ContractError, QuantbusError
from quantbus_contracts.runtime.redaction import redact, redact_uncaught
from quantbus_contracts.runtime.settings import check_environment

__all__ = ["build", "main"]

GROUP = "quantbus.commands"
TELLS_ITSELF = "doctor"
"""The command that goes on to look at the rest where a name of the environment is wrong."""
OWN = {
    "bus": bus_app,
    "signals": signals_app,
    "strategies": strategies_app,
    "controls": controls_app,
    "risk": risk_app,
    "audit": audit_app,
    "market": market_app,
}


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the root command with the verbs of every installed member.

    Only the verb that ``arguments`` begin with is loaded, so that one member's imports neither slow nor break
    another's; without such a verb (help, a misspelling) all are.
    """
    app = typer.Typer(
        name="quantbus",
        help="Crypto-quant microservices that meet on a MongoDB signal bus.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, own in OWN.items():
        app.add_typer(own, name=name)
    app.command("settings")(settings)
    verbs = {entry.name: entry for entry in entry_points(group=GROUP)}
    asked = arguments[0] if arguments else ""
    if asked in verbs:
        _add(app, verbs[asked])
    elif asked not in ("settings", *OWN):
        for name in sorted(verbs):
            _add(app, verbs[name])
    return app


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    try:
        verb = entry.load()
    except ModuleNotFoundError as error:
        _add_unavailable(app, entry.name, error.name or "?")
        return
    if isinstance(verb, typer.Typer):
        app.add_typer(verb, name=entry.name)
    else:
        app.command(entry.name)(verb)


def _add_unavailable(app: typer.Typer, name: str, module: str) -> None:
    reason = f"needs the Python module {module!r}, which is not installed"

    def unavailable(_: typer.Context) -> None:
        raise ConfigError(f"`quantbus {name}` {reason}; install the extra of quantbus that brings it")

    loose = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command(name, help=f"Not available: {reason}.", context_settings=loose)(unavailable)


def main() -> None:
    """Run the command; exit 2 where a person must mend something, 1 for other failures of ours."""
    redact_uncaught()
    try:
        if sys.argv[1:2] != [TELLS_ITSELF]:
            check_environment()
        build(sys.argv[1:])()
    except QuantbusError as error:
        console = Console(stderr=True)
        console.print("[bold red]error:[/]", end=" ")
        console.print(redact(str(error)), markup=False, highlight=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, ConfigError | ContractError) else 1)
