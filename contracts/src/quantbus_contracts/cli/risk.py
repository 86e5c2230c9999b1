"""``quantbus risk``: say how risky a strategy or one of its pairs is, and what that does to entries; take it back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quantbus_contracts.cli.arguments import Json, StrategyId, parse_duration
from quantbus_contracts.cli.connecting import opened
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import EVERY_PAIR, RiskLevel, RiskState

__all__ = ["app"]

app = typer.Typer(
    help="Say how risky a strategy or one of its pairs is; bots deny its entries or stake less. Exits go on.",
    no_args_is_help=True,
)

Strategy = Annotated[str, typer.Argument(help="The strategy's id.", metavar="STRATEGY")]
Pair = Annotated[str, typer.Option(help="One pair; * is every pair of the strategy.", metavar="PAIR")]


@app.command("set")
def set_state(
    strategy_id: Strategy,
    level: Annotated[RiskLevel, typer.Option(help="How bad it is; crit denies entries.")],
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")],
    pair: Pair = EVERY_PAIR,
    stake_scale: Annotated[float, typer.Option(help="Share of the usual stake, 0 to 1.", min=0, max=1)] = 1.0,
    block_entries: Annotated[bool, typer.Option("--block-entries", help="Enter nothing.")] = False,
    evidence: Annotated[
        str | None, typer.Option(help="Where to look it up: the id of a run or report.")
    ] = None,
    lasting: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="DURATION", help="Until so long from now: 30m, 2h. Else until cleared."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Store what is thought of a strategy and pair, in place of what was said about them before.

    \b
    Example:
      quantbus risk set demo --pair BTC/USDT --level warn --stake-scale 0.5 --reason "drift" --evidence run-17
      quantbus risk set demo --level crit --reason "model under review" --for 2h
    """
    from quantbus_contracts.mongo.risk_states import RiskStateStore

    given = {
        "strategy_id": strategy_id,
        "pair": pair,
        "level": level,
        "stake_scale": stake_scale,
        "block_entries": block_entries,
        "reason": reason,
        "evidence": evidence,
    }
    with opened() as (connection, now):
        state = _checked(given, lasting, now)
        RiskStateStore(connection).put(state)
    console = Console(highlight=False)
    if as_json:
        console.print_json(data=_plain(state))
    else:
        about = f"[bold]{escape(_about(state))}[/]"
        console.print(f"{level.value} is recorded for {about} {_until(state)}: {_effect(state)}")


@app.command("list")
def list_states(
    strategy_id: StrategyId = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: Json = False,
) -> None:
    """List the risk rows in force, the worst first.

    \b
    Example:
      quantbus risk list --strategy-id demo --json
    """
    from quantbus_contracts.mongo.risk_states import RiskStateStore

    with opened() as (connection, _):
        snapshot = RiskStateStore(connection).snapshot()
    shown = [
        state
        for state in snapshot.states
        if strategy_id in (None, state.strategy_id) and (every or state.is_active(snapshot.now))
    ]
    shown.sort(key=lambda state: -state.level.rank)
    console = Console(highlight=False)
    if as_json:
        console.print_json(
            data=[_plain(state) | {"in_force": state.is_active(snapshot.now)} for state in shown]
        )
    elif shown:
        console.print(_table(shown))
    else:
        console.print("no risk rows are in force")


@app.command()
def clear(strategy_id: Strategy, pair: Pair = EVERY_PAIR, as_json: Json = False) -> None:
    """End the row of a strategy and pair; others stay. Exit 1 if there was nothing.

    \b
    Example:
      quantbus risk clear demo --pair BTC/USDT
    """
    from quantbus_contracts.mongo.author import Author
    from quantbus_contracts.mongo.risk_states import RiskStateStore

    with opened() as (connection, now):
        named = {"strategy_id": strategy_id, "pair": pair, "level": RiskLevel.OK, "reason": "clear"}
        about = escape(_about(_checked(named, None, now)))
        cleared = RiskStateStore(connection).clear(strategy_id, pair, by=Author.here().publisher)
    console = Console(highlight=False)
    if as_json:
        console.print_json(data={"cleared": cleared})
    else:
        console.print(f"cleared: {about}" if cleared else f"nothing is in force for {about}")
    raise typer.Exit(0 if cleared else 1)


def _checked(given: Mapping[str, object], lasting: str | None, now: datetime) -> RiskState:
    from pydantic import ValidationError

    from quantbus_contracts.mongo.author import Author

    expires_at = now + parse_duration(lasting, "--for") if lasting is not None else None
    try:
        return RiskState.model_validate(
            {**given, "at": now, "expires_at": expires_at, "by": Author.here().publisher}
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]).replace("_", "-")
        option = "STRATEGY" if name == "strategy-id" else f"--{name}"
        raise ConfigError(f"{option}: {first['msg'].removeprefix('Value error, ')}") from None


def _plain(state: RiskState) -> dict[str, object]:
    return state.model_dump(mode="json", exclude_none=True)


def _about(state: RiskState) -> str:
    return f"{state.strategy_id} {'every pair' if state.pair == EVERY_PAIR else state.pair}"


def _effect(state: RiskState) -> str:
    if state.denies_entries:
        return "no entries"
    return "entries go on" if state.stake_scale == 1 else f"entries at {state.stake_scale:.0%} of the stake"


def _until(state: RiskState) -> str:
    return f"until {state.expires_at:%Y-%m-%d %H:%M:%S} UTC" if state.expires_at else "until it is cleared"


def _table(states: list[RiskState]) -> Table:
    table = Table("strategy", "pair", "level", "effect", "until", "by", "evidence", "reason", box=None)
    for state in states:
        until = _until(state).removeprefix("until ")
        if state.cleared_by:
            until += f" (cleared by {state.cleared_by})"
        table.add_row(
            escape(state.strategy_id),
            escape(state.pair),
            state.level.value,
            _effect(state),
            escape(until),
            escape(state.by),
            escape(state.evidence or ""),
            escape(state.reason),
        )
    return table
