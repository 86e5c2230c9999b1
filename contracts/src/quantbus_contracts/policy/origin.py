"""Which origins of a signal trade at all, and what refuses the others."""

from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.schema import Signal

__all__ = ["origin_refusal"]


def origin_refusal(signal: Signal, rules: TradingRules) -> Reason | None:
    """Return why a signal of this origin is never acted upon here; None if it may be."""
    match signal.origin:
        case "backfill":
            return Reason.ORIGIN_BACKFILL
        case "replay" if not rules.accept_replay:
            return Reason.ORIGIN_REPLAY
    return None
