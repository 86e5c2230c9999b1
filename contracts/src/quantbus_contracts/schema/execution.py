"""What one consumer did with one signal: a row of the ledger."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from quantbus_contracts.schema._base import Document, Identifier, Pair, TimeframeName, UtcMoment

__all__ = ["FINAL_STATES", "Execution", "ExecutionState", "Side"]

Side = Literal["enter_long", "exit_long", "enter_short", "exit_short"]


class ExecutionState(StrEnum):
    """How far a signal has come.

    ``seen → accepted | refused → ordered → filled | rejected``, or ``expired_unseen``, ``superseded``, ``unknown``.
    """

    SEEN = "seen"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    ORDERED = "ordered"
    FILLED = "filled"
    REJECTED = "rejected"
    EXPIRED_UNSEEN = "expired_unseen"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"


FINAL_STATES = frozenset(
    {
        ExecutionState.REFUSED,
        ExecutionState.FILLED,
        ExecutionState.REJECTED,
        ExecutionState.EXPIRED_UNSEEN,
        ExecutionState.SUPERSEDED,
        ExecutionState.UNKNOWN,
    }
)


class Execution(Document):
    """The newest state of one signal at one consumer. Prices in quote currency, amount in base currency."""

    consumer_id: Identifier
    signal_id: Annotated[str, Field(min_length=1, max_length=64)]
    strategy_id: Identifier
    pair: Pair
    timeframe: TimeframeName
    ts: UtcMoment
    version: Annotated[int, Field(ge=1)]
    side: Side | None = None
    state: ExecutionState
    reason: Annotated[str, Field(max_length=64)] | None = None
    """Why it was refused or rejected; from the closed list of `quantbus_contracts.policy`."""
    available_at: UtcMoment
    seen_at: UtcMoment
    accepted_at: UtcMoment | None = None
    ordered_at: UtcMoment | None = None
    filled_at: UtcMoment | None = None
    trade_id: int | None = None
    order_ids: tuple[str, ...] = ()
    price: Annotated[float, Field(gt=0)] | None = None
    amount: Annotated[float, Field(gt=0)] | None = None
    slippage: float | None = None
    """Fill price against ``ref_price`` as a signed fraction; positive is worse for us."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.state in (ExecutionState.REFUSED, ExecutionState.REJECTED) and not self.reason:
            raise ValueError(f"expected a reason for state {self.state.value!r}, found none")
        return self

    @property
    def key(self) -> tuple[str, str]:
        """What makes the row unique: consumer and signal."""
        return self.consumer_id, self.signal_id
