"""Reasons and states as sentences: what the ledger's words mean to somebody who asks why."""

from quantbus_contracts.policy import Reason
from quantbus_contracts.schema import Execution, ExecutionState

__all__ = ["REASONS", "sentence_of"]

REASONS: dict[Reason, str] = {
    Reason.EXPIRED: "its valid_until had passed",
    Reason.STALE: "more bars had closed since than the consumer tolerates",
    Reason.MAX_DELAY: "too much time had passed since its bar closed",
    Reason.MAX_AGE: "too much time had passed since the bus had it",
    Reason.OLD_EXIT: "it was an exit past its time, and the consumer's policy is not to act on old exits",
    Reason.MISSED: "it came while the bot did not look, and its policy is not to act on such signals",
    Reason.NOT_CLOSED: "its bar was not closed yet",
    Reason.FUTURE_STAMPED: "it stood on the bus before its bar had closed, so it cannot know the whole bar",
    Reason.ORIGIN_BACKFILL: "it was written after the fact (origin backfill), and such rows never trade",
    Reason.ORIGIN_REPLAY: "it belongs to a replay, and this is no replay database",
    Reason.SPOT_SHORT: "it asked for a short position where none can be held",
    Reason.BELOW_THRESHOLD: "its score asked for nothing at the consumer's thresholds",
    Reason.BELOW_FUSE: "its confidence was below the bot's fuse",
    Reason.NO_CONFIDENCE: "it carried no score, and the bot's policy is not to enter without one",
    Reason.IN_POSITION: "the position it asked for was already held",
    Reason.NOTHING_TO_EXIT: "it ended a position that was not held",
    Reason.DUPLICATE: "a trade already carried its id",
    Reason.SUPERSEDED: "a newer signal of the pair took its place",
    Reason.BUS_DOWN: "the bus had not answered lately enough to enter",
    Reason.NOT_OFFERED: "the bot asked to enter with a signal that was not the one to act upon",
    Reason.STAKE_INVALID: "no finite stake above zero came out",
    Reason.STAKE_BELOW_MINIMUM: "its stake was smaller than the least the venue takes",
    Reason.WITHIN_BAND: "the position was close enough to the weight it asked for",
    Reason.BLOCKED: "a control forbade entries",
    Reason.HALTED: "a control forbade to act on any signal",
    Reason.FLATTEN: "a control ended every position and forbade entries",
    Reason.DENIED_BY_RISK: "a risk row denied entries",
    Reason.RISK_UNKNOWN: "controls and risk rows could not be read lately enough to enter",
    Reason.MINIMUM_HOLD: "the position was younger than the least time the bot holds one",
    Reason.COOL_DOWN: "the pair's last position had ended too short a time before",
    Reason.FLIP_LIMIT: "the pair had been left and entered again often enough for a day",
    Reason.ORDER_NOT_PLACED: "the bot agreed to enter, and yet no order followed",
    Reason.ORDER_CANCELLED: "the order was cancelled without a fill",
    Reason.CLOSED_OTHERWISE: "the position ended by something else before the exit's order filled",
    Reason.EXIT_SIGNAL: "the signal ended the position",
    Reason.REVERSAL: "the signal asked for the opposite position",
    Reason.REVISED: "the signal that had opened the position was revised and ended it",
}


def sentence_of(execution: Execution) -> str:
    """Return what one consumer did with a signal, and why, as one sentence."""
    told = _did(execution)
    if execution.reason is None:
        return f"{told}."
    known = {reason.value: text for reason, text in REASONS.items()}
    return f"{told}: {known.get(execution.reason, execution.reason)}."


def _did(execution: Execution) -> str:
    match execution.state:
        case ExecutionState.SEEN:
            return "It saw the signal and has not decided yet"
        case ExecutionState.ACCEPTED:
            return f"It agreed to {_side(execution)} and has not ordered yet"
        case ExecutionState.REFUSED:
            return "It did not act"
        case ExecutionState.ORDERED:
            return f"It ordered to {_side(execution)} and waits for the fill"
        case ExecutionState.FILLED:
            price = f" at {execution.price:g}" if execution.price is not None else ""
            return f"It traded: {_side(execution)} filled{price}"
        case ExecutionState.REJECTED:
            return f"It tried to {_side(execution)}, and nothing came of it"
        case ExecutionState.EXPIRED_UNSEEN:
            return "It did not act: the time to act had passed before it looked"
        case ExecutionState.SUPERSEDED:
            return "It did not act: a newer signal of the pair came first"
        case ExecutionState.UNKNOWN:
            return "It tried to act, and what became of the order could not be found out"


def _side(execution: Execution) -> str:
    return (execution.side or "act").replace("_", " ")
