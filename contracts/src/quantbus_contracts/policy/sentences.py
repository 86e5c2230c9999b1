"""Reasons and states as sentences: what the ledger's words mean to somebody who asks why."""

from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.schema import Execution, ExecutionState

__all__ = ["sentence_of"]


def sentence_of(execution: Execution) -> str:
    """Return what one consumer did with a signal, and why, as one sentence."""
    told = _did(execution)
    if execution.reason is None:
        return f"{told}."
    try:
        return f"{told}: {Reason(execution.reason).meaning}."
    except ValueError:  # a word of another version
        return f"{told}: {execution.reason}."


def _did(execution: Execution) -> str:
    match execution.state:
        case ExecutionState.SEEN:
            return (
                "It has not acted so far" if execution.reason else "It saw the signal and has not decided yet"
            )
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
