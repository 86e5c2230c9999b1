"""Which days a block covers, and when it may be sealed; pure.

A block holds the bars of one symbol and timeframe that open in a span of whole UTC days: one day of 1m to 5m bars,
so many days of coarser ones that a block is worth reading, 30 at most. Spans are counted from 1970-01-01, so every
process on every machine cuts the same ones.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from quantbus_contracts.timeframe import Timeframe

__all__ = [
    "SETTLING",
    "block_id",
    "day_of",
    "is_past",
    "may_be_sealed",
    "span_length",
    "span_start",
    "spans_of",
]

SETTLING = timedelta(hours=1)
"""How long after its end a span may be sealed: far longer than a write that began within the span can take."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS = 86_400
_WORTH_READING = 288
_MOST_DAYS = 30


def span_length(timeframe: Timeframe) -> timedelta:
    """Return how long the span of a block is."""
    days = -(-_WORTH_READING * timeframe.seconds // _DAY_SECONDS)
    return timedelta(days=min(days, _MOST_DAYS))


def span_start(timeframe: Timeframe, moment: datetime) -> datetime:
    """Return the beginning of the span that contains ``moment``."""
    length = span_length(timeframe)
    return _EPOCH + (moment - _EPOCH) // length * length


def spans_of(timeframe: Timeframe, open_times: Iterable[datetime]) -> list[datetime]:
    """Return the beginnings of the spans that the bars lie in, oldest first."""
    return sorted({span_start(timeframe, moment) for moment in open_times})


def is_past(timeframe: Timeframe, start: datetime, now: datetime) -> bool:
    """Tell whether the span that begins at ``start`` has ended."""
    return start + span_length(timeframe) <= now


def may_be_sealed(timeframe: Timeframe, start: datetime, now: datetime) -> bool:
    """Tell whether the span that begins at ``start`` has ended and settled."""
    return start + span_length(timeframe) + SETTLING <= now


def day_of(start: datetime) -> str:
    """Return how a block names its span: by its first day."""
    return f"{start:%Y%m%d}"


def block_id(symbol: str, timeframe: Timeframe, start: datetime) -> str:
    """Return the ``_id`` of a block, made from its key."""
    return f"{symbol}|{timeframe.name}|{day_of(start)}"
