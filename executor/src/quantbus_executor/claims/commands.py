"""What a person asks of a claims file: which orders are in doubt, and to end a doubt."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from quantbus_contracts.errors import ConfigError

if TYPE_CHECKING:
    from quantbus_executor.claims.claim import Claim
    from quantbus_executor.claims.register import ClaimRegister

__all__ = ["claims", "settle"]

File = Annotated[Path, typer.Argument(help="The bot's claims file; its log names it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Every = Annotated[bool, typer.Option("--all", help="Every claim, not only those in doubt.")]
Key = Annotated[str, typer.Argument(help="The claim's key, as `quantbus executor claims` prints it.")]
Outcome = Annotated[
    Literal["none", "ordered"],
    typer.Option("--as", help="none: the venue has no order of it. ordered: it has, and you look after it."),
]


def claims(file: File, every: Every = False, as_json: Json = False) -> None:
    """List the orders of which it is not known whether the venue has them. The bot may be running.

    \b
    Example:
      quantbus executor claims executor/user_data/live.claims.sqlite
    """
    register = _existing(file)
    found = [claim for claim in register.all() if every or claim.blocks]
    register.close()
    if as_json:
        import json

        typer.echo(json.dumps([_row(claim) for claim in found], indent=2))
        return
    for claim in found:
        typer.echo(_told(claim))
    if not found:
        typer.echo("No order is in doubt.")


def settle(file: File, key: Key, outcome: Outcome) -> None:
    """Say what became of an order that the bot could not find out about; its pair may be entered again then.

    \b
    Example:
      quantbus executor settle executor/user_data/live.claims.sqlite 3f2a… --as none
    """
    from quantbus_contracts.clock import SystemClock
    from quantbus_executor.claims.claim import ClaimState

    register = _existing(file)
    try:
        claim = register.get(key)
        if claim is None or claim.state is not ClaimState.UNKNOWN:
            found = f"one that is {claim.state}" if claim is not None else "none"
            raise ConfigError(f"expected a claim {key!r} whose state is unknown in {file}, found {found}")
        state = ClaimState.RELEASED if outcome == "none" else ClaimState.PLACED
        if not register.settle(claim, state, SystemClock().now(), note=f"a person said: {outcome}"):
            raise ConfigError(
                f"expected claim {key!r} to stand still, found it changed meanwhile: look again"
            )
    finally:
        register.close()
    typer.echo(f"{claim.wish.pair}: the claim of signal {claim.wish.signal_id} is {state} now")


def _existing(file: Path) -> "ClaimRegister":
    from quantbus_executor.claims.register import ClaimRegister

    if not file.is_file():
        raise ConfigError(f"expected a claims file in {file}, found none")
    return ClaimRegister(file, exclusive=False)


def _told(claim: "Claim") -> str:
    wish = claim.wish
    what = "entry" if wish.trade_id is None else f"increase of trade {wish.trade_id}"
    since = f"{claim.claimed_at:%Y-%m-%d %H:%M:%S} UTC"
    known = f"\n  {claim.note}" if claim.note else ""
    return (
        f"{wish.pair} {wish.side} {what} of {wish.amount:g} at about {wish.rate:g}, {since}, "
        f"try {claim.attempts}: {claim.state.value}{known}\n  key {wish.key}"
    )


def _row(claim: "Claim") -> dict[str, str | int | float | None]:
    wish = claim.wish
    return {
        "key": wish.key,
        "signal_id": wish.signal_id,
        "version": wish.version,
        "pair": wish.pair,
        "side": wish.side,
        "amount": wish.amount,
        "rate": wish.rate,
        "trade_id": wish.trade_id,
        "state": claim.state.value,
        "attempts": claim.attempts,
        "claimed_at": claim.claimed_at.isoformat(),
        "order_id": claim.order_id,
        "note": claim.note,
    }
