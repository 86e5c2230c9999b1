"""How risky a strategy, or one of its pairs, is thought to be, and what that does to its entries."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from quantbus_contracts.schema._base import Document, Identifier, Pair, UtcMoment

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


class RiskState(Document):
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
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    evidence: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Where to look it up: the id of a run, a report, a finding."""
    at: UtcMoment
    expires_at: UtcMoment | None = None
    by: Annotated[str, Field(min_length=1, max_length=128)]
    cleared_by: Annotated[str, Field(min_length=1, max_length=128)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.expires_at is not None and self.expires_at < self.at:
            raise ValueError(
                f"expires_at: expected a time not before {self.at.isoformat()}, "
                f"found {self.expires_at.isoformat()}"
            )
        return self

    @property
    def key(self) -> tuple[str, str]:
        """What makes the row unique: strategy and pair."""
        return self.strategy_id, self.pair

    @property
    def denies_entries(self) -> bool:
        """Whether nothing may be entered."""
        return self.block_entries or self.level is RiskLevel.CRIT or self.stake_scale == 0.0

    def is_active(self, now: datetime) -> bool:
        """Tell whether it counts at ``now`` (the database's clock)."""
        return self.expires_at is None or self.expires_at > now

    def concerns(self, strategy_id: str, pair: str) -> bool:
        """Tell whether it is about this pair of this strategy."""
        return self.strategy_id == strategy_id and self.pair in (pair, EVERY_PAIR)
