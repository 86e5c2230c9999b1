"""``quantbus monitor findings`` and ``ack``: what stands on the bus, and taking it on."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from datetime import datetime

    from quantbus_contracts.mongo.findings import FindingSnapshot
    from quantbus_contracts.schema import RecordedFinding

__all__ = ["ack", "findings"]


def findings(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    since: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Also what was resolved within: 30m, 2h, 1d.")
    ] = None,
) -> None:
    """List what monitors have found and what a person has taken on; exit 1 if anything stands that nobody has.

    \b
    Example:
      quantbus monitor findings --since 1d
    """
    from quantbus_contracts.cli.arguments import parse_duration
    from quantbus_contracts.cli.connecting import opened
    from quantbus_contracts.mongo.findings import FindingStore

    with opened() as (connection, now):
        back = now - parse_duration(since, "--since") if since is not None else None
        snapshot = FindingStore(connection).snapshot(resolved_since=back)
    if as_json:
        Console(highlight=False).print_json(data=[_plain(row, snapshot.now) for row in snapshot.findings])
    else:
        _print(snapshot)
    loud = any(row.is_open and not row.is_acknowledged(snapshot.now) for row in snapshot.findings)
    raise typer.Exit(1 if loud else 0)


def ack(
    name: Annotated[str, typer.Argument(metavar="ID", help="As `quantbus monitor findings` shows it.")],
    reason: Annotated[str, typer.Option(help="Why it is all right, or what is done about it.")],
    by: Annotated[str | None, typer.Option(help="Who takes it on. [you@this machine]")] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="For so long from now: 30m, 2h. Else until it is gone."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the finding as JSON.")] = False,
) -> None:
    """Take a finding on: it calls nobody, and a block because of it is lifted by the monitor's next look.

    It counts for what differs now. Should more differ, or come up again once it was gone, it is open anew.

    \b
    Example:
      quantbus monitor ack 3f2a9c10b7de --reason "bought by hand, stays" --by anna
    """
    from quantbus_contracts.cli.arguments import parse_duration
    from quantbus_contracts.cli.connecting import opened
    from quantbus_contracts.errors import ConfigError
    from quantbus_contracts.mongo.author import Author
    from quantbus_contracts.mongo.findings import FindingStore

    if not reason.strip():
        raise ConfigError("--reason: expected why it is all right, found nothing")
    with opened() as (connection, now):
        end = now + parse_duration(until, "--until") if until is not None else None
        who = (by or Author.here().publisher)[:128]
        row = FindingStore(connection).acknowledge(name, by=who, reason=reason.strip()[:500], until=end)
    if row is None:
        raise ConfigError(
            f"expected the id of a finding that stands, found {name!r}; `quantbus monitor findings` lists them"
        )
    console = Console(highlight=False)
    if as_json:
        console.print_json(data=_plain(row, now))
    else:
        lasting = f"until {end:%Y-%m-%d %H:%M:%S} UTC" if end is not None else "until it is gone"
        console.print(
            f"{row.finding_id} ({row.kind}: {escape(row.subject)}) is taken on by {escape(who)} {lasting}"
        )


def _plain(row: "RecordedFinding", now: "datetime") -> dict[str, object]:
    told = row.model_dump(mode="json", exclude_none=True)
    return told | {"open": row.is_open, "acknowledged": row.is_acknowledged(now)}


def _print(snapshot: "FindingSnapshot") -> None:
    console = Console(highlight=False)
    if not snapshot.findings:
        console.print("[green]nothing stands[/]")
        return
    table = Table("id", "what", "about", "since", "state", "message", "what to do", box=None)
    for row in snapshot.findings:
        table.add_row(
            row.finding_id,
            row.kind,
            escape(row.subject),
            f"{row.first_seen:%m-%d %H:%M:%S}",
            escape(_state(row, snapshot.now)),
            escape(row.message),
            escape(row.action) if row.is_open else "",
        )
    console.print(table)


def _state(row: "RecordedFinding", now: "datetime") -> str:
    if row.resolved_at is not None:
        return f"resolved {row.resolved_at:%m-%d %H:%M:%S}"
    if row.is_acknowledged(now):
        end = f" until {row.acknowledged_until:%m-%d %H:%M}" if row.acknowledged_until is not None else ""
        return f"taken on by {row.acknowledged_by}{end}: {row.acknowledged_reason}"
    return f"{row.severity}, blocks {row.blocks}" if row.blocks is not None else row.severity
