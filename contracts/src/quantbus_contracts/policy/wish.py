"""What a signal asks for, whichever of action, weight and score it speaks through."""

from dataclasses import dataclass
from typing import get_args

from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.policy.side import PositionSide
from quantbus_contracts.schema import Signal

__all__ = ["Wish", "wish_of"]

_BOTH: frozenset[PositionSide] = frozenset(get_args(PositionSide))


@dataclass(frozen=True, slots=True)
class Wish:
    """The position to take, if any, and the positions to leave."""

    take: PositionSide | None = None
    leave: frozenset[PositionSide] = frozenset()

    @classmethod
    def to_hold(cls, side: PositionSide) -> "Wish":
        """Ask for a position, which means leaving the opposite one."""
        return cls(take=side, leave=_BOTH - {side})


def wish_of(signal: Signal, rules: TradingRules) -> Wish:
    """Return what the signal asks for; an action outranks a weight, a weight outranks a score."""
    match signal.action:
        case "enter_long":
            return Wish.to_hold("long")
        case "enter_short":
            return Wish.to_hold("short")
        case "exit_long":
            return Wish(leave=frozenset({"long"}))
        case "exit_short":
            return Wish(leave=frozenset({"short"}))
    if signal.weight is not None:
        return _wish_of_weight(signal.weight)
    return _wish_of_score(signal.score, rules) if signal.score is not None else Wish()


def _wish_of_weight(weight: float) -> Wish:
    if weight > 0:
        return Wish.to_hold("long")
    return Wish.to_hold("short") if weight < 0 else Wish(leave=_BOTH)


def _wish_of_score(score: float, rules: TradingRules) -> Wish:
    if score >= rules.score_entry:
        return Wish.to_hold("long")
    if score <= -rules.score_entry:
        return Wish.to_hold("short")
    leave: set[PositionSide] = set()
    if score <= rules.score_exit:
        leave.add("long")
    if score >= -rules.score_exit:
        leave.add("short")
    return Wish(leave=frozenset(leave))
