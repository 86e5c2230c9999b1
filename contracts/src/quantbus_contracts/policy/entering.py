"""Whether a flat pair may be entered on one side: first what is wrong with the signal for good, then what may pass."""

from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.policy.catch_up import CatchUp, is_missed
from quantbus_contracts.policy.circumstances import Circumstances
from quantbus_contracts.policy.confidence import confidence_of
from quantbus_contracts.policy.interval import entry_interval, is_future_stamped
from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.policy.side import PositionSide
from quantbus_contracts.schema import PublishedSignal

__all__ = ["Obstacle", "entry_obstacle"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What is in the way of an entry; ``final`` where this revision cannot get past it any more."""

    reason: Reason
    final: bool


def entry_obstacle(
    published: PublishedSignal,
    side: PositionSide,
    now: datetime,
    rules: TradingRules,
    around: Circumstances,
) -> Obstacle | None:
    """Return what keeps the signal from being entered on ``side`` at ``now``; None if nothing does."""
    for_good = _fault(published, side, now, rules, around)
    if for_good is not None:
        return Obstacle(for_good, final=True)
    if now < entry_interval(published, rules).start:
        return Obstacle(Reason.NOT_CLOSED, final=False)
    for_now = around.entry_hold or rules.debounce.entry_hold(around.past, now)
    return Obstacle(for_now, final=False) if for_now is not None else None


def _fault(
    published: PublishedSignal,
    side: PositionSide,
    now: datetime,
    rules: TradingRules,
    around: Circumstances,
) -> Reason | None:
    if side == "short" and not rules.can_short:
        return Reason.SPOT_SHORT
    if is_future_stamped(published, rules):
        return Reason.FUTURE_STAMPED
    interval = entry_interval(published, rules)
    if now >= interval.end:
        return interval.ended_by
    if rules.catch_up is not CatchUp.IF_VALID and is_missed(published, around.looking_since):
        return Reason.MISSED
    return rules.confidence.refusal(confidence_of(published.signal, side))
