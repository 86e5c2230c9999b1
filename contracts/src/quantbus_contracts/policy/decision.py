"""The one decision: given the newest signal of a pair, the position held, the time and what restrains, what to do.

Pure, so that the bot, a backtest and a replay decide alike. ``now`` is the database's clock. What outranks what:
a flatten control, a halt, an exit that stands, the newest signal with its own faults, a block or a risk row or
debounce. Whatever only denies entries never touches an exit; the minimum hold and a halt are all that delays one.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from quantbus_contracts.policy.catch_up import CatchUp, is_missed
from quantbus_contracts.policy.circumstances import UNRESTRAINED, Circumstances
from quantbus_contracts.policy.entering import entry_obstacle
from quantbus_contracts.policy.interval import entry_interval
from quantbus_contracts.policy.origin import origin_refusal
from quantbus_contracts.policy.position import Position
from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.policy.side import PositionSide
from quantbus_contracts.policy.wish import Wish, wish_of
from quantbus_contracts.schema import Action, ControlKind, PublishedSignal

__all__ = ["Decision", "DecisionKind", "decide", "requested_action"]


class DecisionKind(StrEnum):
    """What is to be done now."""

    ENTER = "enter"
    EXIT = "exit"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, because of which signal, and why.

    ``side`` is the position that is entered, left, or would have been. With `DecisionKind.HOLD`, ``reason``
    says what is in the way, and ``final`` whether nothing can come of this revision any more (a refusal).
    An exit without a ``signal_id`` is asked for by a control.
    """

    kind: DecisionKind
    side: PositionSide | None = None
    reason: Reason | None = None
    signal_id: str | None = None
    version: int | None = None
    final: bool = False

    @property
    def is_refusal(self) -> bool:
        """Whether the signal is turned down for good."""
        return self.kind is DecisionKind.HOLD and self.final


def decide(
    published: PublishedSignal | None,
    position: Position | None,
    now: datetime,
    rules: TradingRules,
    around: Circumstances = UNRESTRAINED,
) -> Decision:
    """Decide what to do about a pair: enter, exit, or hold.

    ``published`` is the pair's newest signal as the bus shows it at ``now``. Entries are bound to their
    interval; exits do not expire, and one that was read once stands until flat.
    """
    if position is not None and around.control is ControlKind.FLATTEN:
        return Decision(DecisionKind.EXIT, position.side, Reason.FLATTEN)
    decision = _by_signal(published, position, now, rules, around)
    if around.control is ControlKind.HALT and decision.kind is not DecisionKind.HOLD:
        return replace(decision, kind=DecisionKind.HOLD, reason=Reason.HALTED)
    return decision


def requested_action(published: PublishedSignal, rules: TradingRules) -> Action | None:
    """Return the action that a signal amounts to on its own; None where that depends on the position."""
    if published.signal.action is not None:
        return published.signal.action
    wish = wish_of(published.signal, rules)
    if wish.take is not None:
        return "enter_long" if wish.take == "long" else "enter_short"
    if len(wish.leave) == 1:
        return "exit_long" if "long" in wish.leave else "exit_short"
    return None


def _by_signal(
    published: PublishedSignal | None,
    position: Position | None,
    now: datetime,
    rules: TradingRules,
    around: Circumstances,
) -> Decision:
    if position is not None and position.standing_exit is not None:
        standing = position.standing_exit
        return Decision(
            DecisionKind.EXIT, position.side, standing.reason, standing.signal_id, standing.version
        )
    if published is None:
        return Decision(DecisionKind.HOLD)
    wish = wish_of(published.signal, rules)
    refusal = origin_refusal(published.signal, rules)
    if refusal is not None:
        return _held(published, refusal, wish.take, final=True)
    if position is None:
        return _when_flat(published, wish, now, rules, around)
    if position.side in wish.leave:
        return _leaving(published, wish, position, now, rules, around)
    return _staying(published, wish, position, now, rules)


def _held(
    published: PublishedSignal, reason: Reason | None, side: PositionSide | None, *, final: bool
) -> Decision:
    return Decision(DecisionKind.HOLD, side, reason, published.signal_id, published.version, final)


def _when_flat(
    published: PublishedSignal, wish: Wish, now: datetime, rules: TradingRules, around: Circumstances
) -> Decision:
    if wish.take is None:
        return _held(published, _nothing_to_do(published), None, final=True)
    obstacle = entry_obstacle(published, wish.take, now, rules, around)
    if obstacle is not None:
        return _held(published, obstacle.reason, wish.take, final=obstacle.final)
    return Decision(DecisionKind.ENTER, wish.take, None, published.signal_id, published.version)


def _staying(
    published: PublishedSignal, wish: Wish, position: Position, now: datetime, rules: TradingRules
) -> Decision:
    if published.signal_id == position.signal_id:
        return _held(published, None, position.side, final=False)
    if wish.take == position.side:
        # Not yet final: should the position end in time, the signal still trades.
        over = now >= entry_interval(published, rules).end
        return _held(published, Reason.IN_POSITION, wish.take, final=over)
    return _held(published, _nothing_to_do(published), None, final=True)


def _nothing_to_do(published: PublishedSignal) -> Reason:
    by_score = published.signal.action is None and published.signal.weight is None
    return Reason.BELOW_THRESHOLD if by_score else Reason.NOTHING_TO_EXIT


def _leaving(
    published: PublishedSignal,
    wish: Wish,
    position: Position,
    now: datetime,
    rules: TradingRules,
    around: Circumstances,
) -> Decision:
    if not _concerns(published, position):
        return _held(published, Reason.NOTHING_TO_EXIT, position.side, final=True)
    if now < max(published.signal.closes_at, published.available_at):
        return _held(published, Reason.NOT_CLOSED, position.side, final=False)
    if not rules.act_on_old_exits and now >= entry_interval(published, rules).end:
        return _held(published, Reason.OLD_EXIT, position.side, final=True)
    if rules.catch_up is CatchUp.SKIP and is_missed(published, around.looking_since):
        return _held(published, Reason.MISSED, position.side, final=True)
    reason = Reason.EXIT_SIGNAL if wish.take is None else Reason.REVERSAL
    if published.signal_id == position.signal_id:
        reason = Reason.REVISED
    elif rules.debounce.holds(position.opened_at, now):
        return _held(published, Reason.MINIMUM_HOLD, position.side, final=False)
    return Decision(DecisionKind.EXIT, position.side, reason, published.signal_id, published.version)


def _concerns(published: PublishedSignal, position: Position) -> bool:
    """Tell whether an exit speaks about this position, and not about an earlier one."""
    if position.ts is not None:
        return published.signal.ts >= position.ts
    if position.signal_id is not None:
        return True
    return published.available_at >= position.opened_at
