"""How risky a strategy, or one of its pairs, is thought to be, and what that does to its entries."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from quantbus_contracts.schema._base import Identifier, Pair
from quantbus_contracts.schema._standing import Standing

__all__ = ["EVERY_PAIR", "RiskLevel", "RiskState"]

EVERY_PAIR = "*"
_PAIR = TypeAdapter(Pair)


def _pair_or_every(text: str) -> str:
    if text == EVERY_PAIR:
        return text
    try:
        _PAIR.validate_python(text)
    except ValidationError:
        raise ValueError(
            f"expected a pair such as BTC/USDT, or {EVERY_PAIR!r} for every pair, found {text!r}"
        ) from None
    return text


class RiskLevel(StrEnum):
    """How bad it is, mildest first."""

    OK = "ok"
    WARN = "warn"
    CRIT = "crit"
    """Bad enough that nothing is entered, whatever else the row says."""

    @property
    def rank(self) -> int:
        """How bad it is; the higher is worse."""
        return list(RiskLevel).index(self)


class RiskState(Standing):
    """One row of ``risk_state``: a judgement with its reason and evidence, and its effect on entries.

    ``at`` and ``expires_at`` are the database's clock. A cleared row is one that expired when it was cleared.
    Exits and reductions are never concerned.
    """

    strategy_id: Identifier
    pair: Annotated[str, AfterValidator(_pair_or_every)] = EVERY_PAIR
    level: RiskLevel
    stake_scale: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Which share of the usual stake an entry gets; 0 denies entries."""
    block_entries: bool = False
    evidence: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Where to look it up: the id of a run, a report, a finding."""
    cleared_by: Annotated[str, Field(min_length=1, max_length=128)] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes the row unique: strategy and pair."""
        return self.strategy_id, self.pair

    @property
    def denies_entries(self) -> bool:
        """Whether nothing may be entered."""
        return self.block_entries or self.level is RiskLevel.CRIT or self.stake_scale == 0.0

    def concerns(self, strategy_id: str, pair: str) -> bool:
        """Tell whether it is about this pair of this strategy."""
        return self.strategy_id == strategy_id and self.pair in (pair, EVERY_PAIR)
