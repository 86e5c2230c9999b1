"""The one decision: given the newest signal of a pair, the position held and the time, what to do.

Pure, so that the bot, a backtest and a replay decide alike. ``now`` is the database's clock.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from quantbus_contracts.policy.interval import entry_interval, is_future_stamped
from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.policy.wish import PositionSide, Wish, wish_of
from quantbus_contracts.schema import Action, PublishedSignal

__all__ = ["Decision", "DecisionKind", "Position", "StandingExit", "decide"]


class DecisionKind(StrEnum):
    """What is to be done now."""

    ENTER = "enter"
    EXIT = "exit"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class StandingExit:
    """An exit that was read once: it stands until the position is flat, whatever the bus says later."""

    signal_id: str
    version: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Position:
    """A position held in one pair.

    ``signal_id`` and ``ts`` (open time of the bar) are those of the signal that opened it; None where
    something else did, a person for example. ``ts`` may also be None because it is not known any more.
    """

    side: PositionSide
    opened_at: datetime
    signal_id: str | None = None
    ts: datetime | None = None
    standing_exit: StandingExit | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, because of which signal, and why.

    ``side`` is the position that is entered, left, or would have been. With `DecisionKind.HOLD`, ``reason``
    says what is in the way, and ``final`` whether nothing can come of this revision any more (a refusal).
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
    published: PublishedSignal | None, position: Position | None, now: datetime, rules: TradingRules
) -> Decision:
    """Decide what to do about a pair: enter, exit, or hold.

    ``published`` is the pair's newest signal as the bus shows it at ``now``. Entries are bound to their
    interval; exits do not expire, and one that was read once stands until flat.
    """
    if position is not None and position.standing_exit is not None:
        standing = position.standing_exit
        return Decision(
            DecisionKind.EXIT, position.side, standing.reason, standing.signal_id, standing.version
        )
    if published is None:
        return Decision(DecisionKind.HOLD)
    wish = wish_of(published.signal, rules)
    refusal = _origin_refusal(published, rules)
    if refusal is not None:
        return _held(published, refusal, wish.take, final=True)
    if position is None:
        return _when_flat(published, wish, now, rules)
    if position.side in wish.leave:
        return _leaving(published, wish, position, now, rules)
    return _staying(published, wish, position, now, rules)


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


def _held(
    published: PublishedSignal, reason: Reason | None, side: PositionSide | None, *, final: bool
) -> Decision:
    return Decision(DecisionKind.HOLD, side, reason, published.signal_id, published.version, final)


def _origin_refusal(published: PublishedSignal, rules: TradingRules) -> Reason | None:
    match published.signal.origin:
        case "backfill":
            return Reason.ORIGIN_BACKFILL
        case "replay" if not rules.accept_replay:
            return Reason.ORIGIN_REPLAY
    return None


def _when_flat(published: PublishedSignal, wish: Wish, now: datetime, rules: TradingRules) -> Decision:
    if wish.take is None:
        return _held(published, _nothing_to_do(published), None, final=True)
    if wish.take == "short" and not rules.can_short:
        return _held(published, Reason.SPOT_SHORT, wish.take, final=True)
    if is_future_stamped(published, rules):
        return _held(published, Reason.FUTURE_STAMPED, wish.take, final=True)
    interval = entry_interval(published, rules)
    if now >= interval.end:
        return _held(published, interval.ended_by, wish.take, final=True)
    if now < interval.start:
        return _held(published, Reason.NOT_CLOSED, wish.take, final=False)
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
    published: PublishedSignal, wish: Wish, position: Position, now: datetime, rules: TradingRules
) -> Decision:
    if not _concerns(published, position):
        return _held(published, Reason.NOTHING_TO_EXIT, position.side, final=True)
    if now < max(published.signal.closes_at, published.available_at):
        return _held(published, Reason.NOT_CLOSED, position.side, final=False)
    if not rules.act_on_old_exits and now >= entry_interval(published, rules).end:
        return _held(published, Reason.OLD_EXIT, position.side, final=True)
    if published.signal_id == position.signal_id:
        reason = Reason.REVISED
    else:
        reason = Reason.EXIT_SIGNAL if wish.take is None else Reason.REVERSAL
    return Decision(DecisionKind.EXIT, position.side, reason, published.signal_id, published.version)


def _concerns(published: PublishedSignal, position: Position) -> bool:
    """Tell whether an exit speaks about this position, and not about an earlier one."""
    if position.ts is not None:
        return published.signal.ts >= position.ts
    if position.signal_id is not None:
        return True
    return published.available_at >= position.opened_at
