"""``quantbus controls``: tell bots to make no entries, to halt, or to flatten; and take it back."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quantbus_contracts.cli.arguments import Json, parse_duration
from quantbus_contracts.cli.connecting import opened
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.ports import ControlSnapshot
from quantbus_contracts.schema import Control, ControlKind

__all__ = ["app"]

app = typer.Typer(
    help="Tell bots to make no entries, to halt or to flatten. They look about once a second.",
    no_args_is_help=True,
)

Scope = Annotated[
    str, typer.Option(help="all, strategy:ID, pair:BASE/QUOTE or consumer:ID.", metavar="SCOPE")
]
Why = Annotated[str, typer.Option("--reason", help="Why, for whoever reads it later.")]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="DURATION", help="Until so long from now: 30m, 2h. Else until lifted."),
]
Source = Annotated[str, typer.Option(help="Who says so; each source lifts only its own.")]


@app.command()
def block(
    scope: Scope, reason: Why, lasting: For = None, source: Source = "operator", as_json: Json = False
) -> None:
    """Make no new entries; exits go on.

    \b
    Example:
      quantbus controls block --scope pair:BTC/USDT --reason "listing news" --for 2h
    """
    _put(ControlKind.BLOCK, scope, reason, lasting, source, as_json)


@app.command()
def halt(
    scope: Scope, reason: Why, lasting: For = None, source: Source = "operator", as_json: Json = False
) -> None:
    """Act on no signal, neither entries nor exits; a bot's own stops go on.

    \b
    Example:
      quantbus controls halt --scope strategy:demo --reason "model under review" --for 2h
    """
    _put(ControlKind.HALT, scope, reason, lasting, source, as_json)


@app.command()
def flatten(
    scope: Scope, reason: Why, lasting: For = None, source: Source = "operator", as_json: Json = False
) -> None:
    """Leave every position and make no new entries.

    \b
    Example:
      quantbus controls flatten --scope all --reason "exchange in trouble"
    """
    _put(ControlKind.FLATTEN, scope, reason, lasting, source, as_json)


@app.command()
def resume(scope: Scope, source: Source = "operator", as_json: Json = False) -> None:
    """Lift what this source set for this scope; what others set stays. Exit 1 if there was nothing.

    \b
    Example:
      quantbus controls resume --scope strategy:demo
    """
    from quantbus_contracts.mongo.author import Author
    from quantbus_contracts.mongo.controls import ControlStore

    with opened() as (connection, now):
        _checked(ControlKind.BLOCK, scope, "resume", None, source, now)
        store = ControlStore(connection)
        lifted = store.lift(scope, source, by=Author.here().publisher)
        left = [
            item
            for item in _in_force(store.snapshot())
            if scope in ("all", item.scope) or item.scope == "all"
        ]
    console = Console(highlight=False)
    if as_json:
        console.print_json(data={"lifted": lifted, "left": [_plain(control) for control in left]})
    else:
        console.print(
            f"lifted: {escape(scope)} by {source}"
            if lifted
            else f"nothing by {source} is in force for {escape(scope)}"
        )
        if left:
            console.print("still in force:")
            console.print(_table(left))
    raise typer.Exit(0 if lifted else 1)


@app.command("list")
def list_controls(
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: Json = False,
) -> None:
    """List the controls in force, the most restrictive first.

    \b
    Example:
      quantbus controls list --json
    """
    from quantbus_contracts.mongo.controls import ControlStore

    with opened() as (connection, _):
        snapshot = ControlStore(connection).snapshot()
    shown = list(snapshot.controls) if every else _in_force(snapshot)
    console = Console(highlight=False)
    if as_json:
        told = [_plain(control) | {"in_force": control.is_active(snapshot.now)} for control in shown]
        console.print_json(data=told)
    elif shown:
        console.print(_table(shown))
    else:
        console.print("no controls are in force")


def _put(kind: ControlKind, scope: str, reason: str, lasting: str | None, source: str, as_json: bool) -> None:
    from quantbus_contracts.mongo.controls import ControlStore

    with opened() as (connection, now):
        control = _checked(kind, scope, reason, lasting, source, now)
        ControlStore(connection).put(control)
    console = Console(highlight=False)
    if as_json:
        console.print_json(data=_plain(control))
    else:
        console.print(f"{kind.value} is recorded for [bold]{escape(scope)}[/] {_until(control)}")


def _checked(
    kind: ControlKind, scope: str, reason: str, lasting: str | None, source: str, now: datetime
) -> Control:
    from pydantic import ValidationError

    from quantbus_contracts.mongo.author import Author

    expires_at = now + parse_duration(lasting, "--for") if lasting is not None else None
    try:
        return Control(
            scope=scope,
            source=source,
            kind=kind,
            reason=reason,
            at=now,
            expires_at=expires_at,
            by=Author.here().publisher,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"--{name}: {first['msg'].removeprefix('Value error, ')}") from None


def _in_force(snapshot: ControlSnapshot) -> list[Control]:
    found = [control for control in snapshot.controls if control.is_active(snapshot.now)]
    return sorted(found, key=lambda control: -control.kind.rank)


def _plain(control: Control) -> dict[str, object]:
    return control.model_dump(mode="json", exclude_none=True)


def _until(control: Control) -> str:
    return f"until {control.expires_at:%Y-%m-%d %H:%M:%S} UTC" if control.expires_at else "until it is lifted"


def _table(controls: list[Control]) -> Table:
    table = Table("scope", "what", "source", "until", "by", "reason", box=None)
    for control in controls:
        until = _until(control).removeprefix("until ")
        if control.lifted_by:
            until += f" (lifted by {control.lifted_by})"
        table.add_row(
            escape(control.scope),
            control.kind.value,
            control.source,
            escape(until),
            escape(control.by),
            escape(control.reason),
        )
    return table
