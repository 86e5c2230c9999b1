"""What the risk rows in force amount to for one pair: the strictest of each thing they say."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.schema import RiskLevel, RiskState

__all__ = ["NO_RISK", "RiskView", "risk_view"]


@dataclass(frozen=True, slots=True)
class RiskView:
    """Whether entries are denied, and which share of the stake is left. Exits are never concerned."""

    level: RiskLevel = RiskLevel.OK
    blocks_entries: bool = False
    stake_scale: float = 1.0


NO_RISK = RiskView()


def risk_view(states: Iterable[RiskState], now: datetime, *, strategy_id: str, pair: str) -> RiskView:
    """Return what the rows in force at ``now`` (the database's clock) amount to for one pair of a strategy.

    Of a row for the pair and one for the whole strategy, the stricter counts in each respect.
    """
    found = [state for state in states if state.is_active(now) and state.concerns(strategy_id, pair)]
    if not found:
        return NO_RISK
    return RiskView(
        level=max((state.level for state in found), key=lambda level: level.rank),
        blocks_entries=any(state.denies_entries for state in found),
        stake_scale=min(state.stake_scale for state in found),
    )
