"""What is not as it should be in a series of bars: a hole, and two sources that contradict each other."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from quantbus_contracts.schema._base import Document, Symbol, TimeframeName, UtcMoment
from quantbus_contracts.timeframe import Timeframe

__all__ = ["BROKEN_GAPS", "Disagreement", "DisagreementKind", "Gap", "GapState"]

GapKey = tuple[str, str, datetime]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Told = Annotated[str, Field(min_length=1, max_length=200)]
Price = Annotated[float, Field(gt=0, le=1e15)]
Volume = Annotated[float, Field(ge=0, le=1e18)]
Source = Annotated[str, Field(min_length=1, max_length=64)]


class GapState(StrEnum):
    """What became of a gap."""

    OPEN = "open"
    """Seen; nobody has asked the venue for it yet."""
    RETRYING = "retrying"
    """Asked for, and neither filled nor confirmed so far."""
    REPAIRED = "repaired"
    """Its bars are there now."""
    EMPTY = "empty"
    """The venue was asked often enough and answers around it: there are no such bars."""
    UNREACHABLE = "unreachable"
    """The venue was asked often enough and gives nothing, not even the bars around it."""


BROKEN_GAPS: frozenset[GapState] = frozenset((GapState.OPEN, GapState.RETRYING, GapState.UNREACHABLE))
"""States in which bars may exist that the bus does not have."""


class Gap(Document):
    """A run of bars that should be there and are not; open times in ``[start, end)``."""

    symbol: Symbol
    timeframe: TimeframeName
    start: UtcMoment
    end: UtcMoment
    state: GapState = GapState.OPEN
    attempts: Count = 0
    """How often the venue was asked for it."""
    confirmations: Count = 0
    """How often the venue answered around it, each time long enough after the time before."""
    first_seen: UtcMoment
    last_attempt: UtcMoment | None = None
    last_confirmation: UtcMoment | None = None
    source: Source
    """Who saw it: ``ingest live``, ``ingest gaps``."""
    note: Told | None = None
    """What the last attempt ended with."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        timeframe = Timeframe.parse(self.timeframe)
        if self.end <= self.start:
            raise ValueError(
                f"end: expected a time after {self.start.isoformat()}, found {self.end.isoformat()}"
            )
        for moment in (self.start, self.end):
            if not timeframe.is_open_time(moment):
                raise ValueError(f"misaligned: no {timeframe} bar opens at {moment.isoformat()}")
        return self

    @property
    def key(self) -> GapKey:
        """What makes the row unique: symbol, timeframe, first missing bar."""
        return self.symbol, self.timeframe, self.start

    @property
    def bars(self) -> int:
        """How many bars are missing."""
        return Timeframe.parse(self.timeframe).count(self.start, self.end)


class DisagreementKind(StrEnum):
    """In what two sources differ by more than is tolerated."""

    CLOSE = "close"
    VOLUME = "volume"
    BOTH = "both"


class Disagreement(Document):
    """One bar of which two sources say different things; the first source's values stand on the bus."""

    symbol: Symbol
    timeframe: TimeframeName
    open_time: UtcMoment
    kind: DisagreementKind
    source: Source
    """The first source."""
    other_source: Source
    """The second one, whose bar stood on the bus until the first came back."""
    close: Price
    other_close: Price
    volume: Volume
    other_volume: Volume
    seen_at: UtcMoment

    @property
    def key(self) -> tuple[str, str, datetime, str]:
        """What makes the row unique: the bar, and who contradicts."""
        return self.symbol, self.timeframe, self.open_time, self.other_source
