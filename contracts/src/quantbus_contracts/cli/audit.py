"""``quantbus audit``: verify the audit of published signals, and take a copy of it away."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quantbus_contracts.cli.arguments import Json, StrategyId, moment_of
from quantbus_contracts.cli.connecting import opened
from quantbus_contracts.errors import ConfigError

__all__ = ["app"]

app = typer.Typer(help="Verify the audit of published signals, and export it.", no_args_is_help=True)

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 50


@app.command()
def verify(strategy_id: StrategyId = None, as_json: Json = False) -> None:
    """Find every row that was altered, removed or reordered. Exit 1 if there is one.

    Keep the heads that it prints somewhere else: with them, a rewritten chain shows as well.

    \b
    Example:
      quantbus audit verify --strategy-id demo --json
    """
    from quantbus_contracts.bus.audit import verify as verify_audit

    with opened() as (connection, _):
        report = verify_audit(connection, strategy_id)
    console = Console(highlight=False)
    if as_json:
        console.print_json(data=report.as_dict())
    else:
        state = "[green]fits[/]" if report.ok else f"[bold red]{len(report.findings)} findings[/]"
        console.print(f"audit: {state}; {report.rows:,} audit rows, {report.revisions:,} revisions looked at")
        for name, (number, digest) in sorted(report.heads.items()):
            console.print(f"  head of {name}: row {number}, {digest}")
        if report.findings:
            table = Table("what", "strategy", "where", "why", box=None)
            for item in report.findings[:_SHOWN]:
                table.add_row(item.kind, item.strategy_id, item.subject, escape(item.reason))
            console.print(table)
        if len(report.findings) > _SHOWN:
            console.print(f"… and {len(report.findings) - _SHOWN:,} more (--json tells all)")
    raise typer.Exit(0 if report.ok else 1)


@app.command()
def export(
    start: Annotated[
        str | None, typer.Option("--from", help="Accepted from then on: a time, or 7d ago.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Accepted before then; else until now.")] = None,
    strategy_id: StrategyId = None,
    out: Annotated[
        str, typer.Option("--out", metavar="FILE|-", help="Whole or not at all; - is stdout.")
    ] = "-",
) -> None:
    """Write the audit rows of a range as JSON lines, oldest first.

    \b
    Example:
      quantbus audit export --from 2026-01-01 --to 2026-02-01 --out audit-2026-01.jsonl
    """
    from quantbus_contracts.bus.audit import export as export_audit
    from quantbus_contracts.cli.signal_rows import write_rows

    path = None if out == "-" else Path(out)
    with opened() as (connection, now):
        first = moment_of(start, "--from", now) or _BEGINNING
        last = moment_of(end, "--to", now) or now + timedelta(milliseconds=1)
        if last <= first:
            raise ConfigError(f"--to: expected a time after {first.isoformat()}, found {last.isoformat()}")
        count = write_rows(export_audit(connection, first, last, strategy_id), (), "jsonl", path)
    if path is not None:
        Console(stderr=True, highlight=False).print(f"{count:,} audit rows in {escape(str(path))}")
