"""``quantbus settings``: every environment variable the product reads."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from quantbus_contracts.runtime.settings import BOT_NAMES, KNOWN_NAMES

__all__ = ["settings"]


def settings(
    as_json: Annotated[bool, typer.Option("--json", help="Print {name: meaning} as JSON.")] = False,
) -> None:
    """List every QUANTBUS_* and EXT_SIG_* variable and what it means.

    \b
    Example:
      quantbus settings
    """
    console = Console()
    if as_json:
        console.print_json(data=KNOWN_NAMES | BOT_NAMES)
        return
    table = Table("variable", "meaning", title="settings")
    for name, meaning in sorted((KNOWN_NAMES | BOT_NAMES).items()):
        table.add_row(name, meaning)
    console.print(table)
