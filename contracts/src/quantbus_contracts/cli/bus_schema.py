"""``quantbus bus migrate`` and ``retention``: which schema the bus has, and what of it stays for how long."""

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from quantbus_contracts.runtime.settings import MongoSettings, load_settings

if TYPE_CHECKING:
    from quantbus_contracts.mongo.retention import Kept

__all__ = ["migrate_bus", "show_retention"]

_TIMEOUT_SECONDS = 600.0
_LOOK_SECONDS = 30.0
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


def migrate_bus(
    what_if: Annotated[bool, typer.Option("--what-if", help="Only tell what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the bus to the schema of this release, step by step; may be run any number of times.

    Stop every process and make a backup before: an older release refuses a bus that was migrated.

    \b
    Examples:
      quantbus bus migrate --what-if
      quantbus bus migrate
    """
    from quantbus_contracts.cli.access import administrator
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.mongo.migrations import migrate

    settings = administrator(load_settings(MongoSettings))
    with closing(connect(settings, app="migrate", timeout_seconds=_TIMEOUT_SECONDS)) as connection:
        report = migrate(connection, what_if=what_if)
    console = Console()
    if as_json:
        console.print_json(data={**asdict(report), "what_if": what_if})
        return
    for part in report.missing:
        console.print(f"would be made: {part}", soft_wrap=True)
    for step in report.steps:
        console.print(f"{'would be done' if what_if else 'done'}: {step}", soft_wrap=True)
    reached = f"schema version {report.after}"
    if report.after != report.before:
        reached = f"schema version {report.before} -> {report.after}"
    console.print(reached if report.steps else f"nothing to migrate: {reached}")


def show_retention(as_json: Json = False) -> None:
    """Show how many documents stand where, and which the database removes by itself; exit 1 where it should not.

    \b
    Example:
      quantbus bus retention
    """
    from quantbus_contracts.cli.access import administrator
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.mongo.retention import retention

    settings = administrator(load_settings(MongoSettings))
    with closing(connect(settings, app="retention", timeout_seconds=_LOOK_SECONDS)) as connection:
        connection.server_now()
        rows = retention(connection)
    if as_json:
        Console().print_json(data=[asdict(row) for row in rows])
    else:
        _print_retention(rows)
    raise typer.Exit(1 if any(row.fault for row in rows) else 0)


def _print_retention(rows: "list[Kept]") -> None:
    console = Console()
    table = Table("collection", "documents", "kept", "why it may go")
    for row in rows:
        kept = (
            "until you decide"
            if row.kept_days is None
            else f"{row.kept_days:g} days after {row.counted_from}"
        )
        table.add_row(row.collection, f"{row.documents:,}", kept, row.reason or "")
    console.print(table)
    for row in rows:
        if row.fault:
            console.print(f"[bold red]{row.collection}[/]: {row.fault}", soft_wrap=True)
