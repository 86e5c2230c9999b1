"""A closed bar of one symbol."""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from quantbus_contracts.schema._base import Document, Symbol, TimeframeName, UtcMoment
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Candle", "CandleKey", "CandleRevision", "CandleValues", "ohlcv_fault"]

CandleKey = tuple[str, str, UtcMoment]


def ohlcv_fault(
    open_: float, high: float, low: float, close: float, volume: float
) -> tuple[str, float] | None:
    """Return the first rule that a bar's numbers break, as (reason, offending value), or None.

    Prices are positive and finite, volume is finite and not negative, and
    ``low <= min(open, close) <= max(open, close) <= high``.
    """
    for name, value in (("open", open_), ("high", high), ("low", low), ("close", close)):
        if not math.isfinite(value):
            return f"{name}_not_finite", value
        if not 0 < value <= 1e15:
            return f"{name}_not_positive" if value <= 0 else f"{name}_too_large", value
    if not math.isfinite(volume):
        return "volume_not_finite", volume
    if not 0 <= volume <= 1e18:
        return "volume_negative" if volume < 0 else "volume_too_large", volume
    if high < low:
        return "high_below_low", high
    if high < max(open_, close):
        return "high_below_body", high
    if low > min(open_, close):
        return "low_above_body", low
    return None


class Candle(Document):
    """A closed bar: prices in quote currency, volume in base currency, named by its open time (UTC)."""

    symbol: Symbol
    timeframe: TimeframeName
    open_time: UtcMoment
    open: float
    high: float
    low: float
    close: float
    volume: float
    source: Annotated[str, Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        fault = ohlcv_fault(self.open, self.high, self.low, self.close, self.volume)
        if fault is not None:
            raise ValueError(f"{fault[0]}: {fault[1]!r}")
        if not Timeframe.parse(self.timeframe).is_open_time(self.open_time):
            raise ValueError(f"misaligned: no {self.timeframe} bar opens at {self.open_time.isoformat()}")
        return self

    @property
    def key(self) -> CandleKey:
        """What makes the bar unique: symbol, timeframe, open time."""
        return self.symbol, self.timeframe, self.open_time


class CandleValues(Document):
    """What was held to be true of a bar, whose word it was, and when it was written (the database's clock)."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    source: Annotated[str, Field(min_length=1, max_length=64)]
    ingested_at: UtcMoment


class CandleRevision(Document):
    """One correction of a stored bar: what stood, and what stands since ``new.ingested_at``."""

    symbol: Symbol
    timeframe: TimeframeName
    open_time: UtcMoment
    old: CandleValues
    new: CandleValues
