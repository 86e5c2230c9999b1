"""A position as the policy sees it, and an exit that stands."""

from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.side import PositionSide

__all__ = ["Position", "StandingExit"]


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
