"""A strategy's declaration, and the record that it was evaluated for a bar."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from quantbus_contracts.schema._base import Document, Identifier, Pair, TimeframeName, UtcMoment

__all__ = ["PublishRun", "Strategy"]


class Strategy(Document):
    """What a strategy promises: where it trades, which pairs, and how often it speaks."""

    strategy_id: Identifier
    venue: Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,32}$")]
    market_type: Literal["spot", "swap", "future"] = "spot"
    timeframe: TimeframeName
    pairs: Annotated[tuple[Pair, ...], Field(min_length=1, max_length=5_000)]
    cadence_bars: Annotated[int, Field(ge=1, le=10_000)] = 1
    """It is evaluated at every n-th bar; a bar without a `PublishRun` is silence."""
    max_delay_seconds: Annotated[float, Field(gt=0)] | None = None
    """How late after bar close a signal may appear; half a bar where not given."""
    note: Annotated[str, Field(max_length=1_000)] | None = None

    @property
    def key(self) -> tuple[str]:
        """What makes the declaration unique."""
        return (self.strategy_id,)


class PublishRun(Document):
    """This strategy was evaluated for this bar, whether or not it had something to say."""

    strategy_id: Identifier
    timeframe: TimeframeName
    ts: UtcMoment
    evaluated_at: UtcMoment
    pairs_evaluated: Annotated[int, Field(ge=0)]
    signals: Annotated[int, Field(ge=0)]
    degraded: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.signals > self.pairs_evaluated:
            raise ValueError(
                f"expected at most one signal per evaluated pair, found {self.signals} "
                f"signals of {self.pairs_evaluated} pairs"
            )
        return self

    @property
    def key(self) -> tuple[str, str, UtcMoment]:
        """What makes the row unique: strategy, timeframe, bar."""
        return self.strategy_id, self.timeframe, self.ts
