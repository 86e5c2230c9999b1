"""What, besides the signal and the position, bears on a decision about one pair."""

from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.policy.debounce import PastTrade
from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.risk import NO_RISK, RiskView
from quantbus_contracts.schema import ControlKind

__all__ = ["UNRESTRAINED", "Circumstances"]

_OF_CONTROL = {
    ControlKind.BLOCK: Reason.BLOCKED,
    ControlKind.HALT: Reason.HALTED,
    ControlKind.FLATTEN: Reason.FLATTEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """The restraints on one pair at one moment.

    Attributes
    ----------
    control
        The strictest control in force.
    risk
        What the risk rows in force amount to.
    restraints_known
        Whether controls and risk rows could be read lately enough to enter; for who fails open, always.
    past
        Positions of the pair that are over, as far back as `Debounce.looks_back` asks.
    looking_since
        Since when signals are looked at without a gap; None where there never was one.
    """

    control: ControlKind | None = None
    risk: RiskView = NO_RISK
    restraints_known: bool = True
    past: tuple[PastTrade, ...] = ()
    looking_since: datetime | None = None

    @property
    def entry_hold(self) -> Reason | None:
        """What keeps every signal of the pair from entering now; None if nothing does."""
        if self.control is not None:
            return _OF_CONTROL[self.control]
        if not self.restraints_known:
            return Reason.RISK_UNKNOWN
        return Reason.DENIED_BY_RISK if self.risk.blocks_entries else None


UNRESTRAINED = Circumstances()
