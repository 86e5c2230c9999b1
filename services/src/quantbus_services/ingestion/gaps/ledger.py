"""Bring what the ledger says in line with what is missing now; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.mongo.holes import Hole
from quantbus_contracts.schema import Gap, GapState
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Seen", "reconcile", "widened"]


@dataclass(frozen=True, slots=True)
class Seen:
    """Who looked at which series, and when."""

    symbol: str
    timeframe: Timeframe
    by: str
    at: datetime


def widened(span: Hole, known: Iterable[Gap]) -> Hole:
    """Return the span, widened so that it covers wholly every gap that it touches."""
    rows = list(known)
    return Hole(min([span.start, *(row.start for row in rows)]), max([span.end, *(row.end for row in rows)]))


def reconcile(known: Sequence[Gap], missing: Sequence[Hole], seen: Seen) -> list[Gap]:
    """Return the rows to write, given every known gap and every hole of one span.

    A gap whose bars have all come is repaired. One that was filled in part is cut down to what is left, its parts
    keep its history. What no known gap covers is a new one: that the venue has nothing for a neighbour proves nothing
    for it.
    """
    rows: dict[datetime, Gap] = {}
    active = [gap for gap in known if gap.state is not GapState.REPAIRED]
    for gap in active:
        left = [part for hole in missing if (part := _overlap(hole, gap)) is not None]
        if left == [Hole(gap.start, gap.end)]:
            continue
        if not left or left[0].start > gap.start:
            end = left[0].start if left else gap.end
            rows[gap.start] = gap.model_copy(update={"state": GapState.REPAIRED, "end": end})
        rows |= {part.start: gap.model_copy(update={"start": part.start, "end": part.end}) for part in left}
    for hole in missing:
        rows |= {part.start: _new(part, seen) for part in _uncovered(hole, active)}
    return [rows[start] for start in sorted(rows)]


def _new(hole: Hole, seen: Seen) -> Gap:
    return Gap(
        symbol=seen.symbol,
        timeframe=seen.timeframe.name,
        start=hole.start,
        end=hole.end,
        first_seen=seen.at,
        source=seen.by,
    )


def _overlap(hole: Hole, gap: Gap) -> Hole | None:
    start, end = max(hole.start, gap.start), min(hole.end, gap.end)
    return Hole(start, end) if start < end else None


def _uncovered(hole: Hole, gaps: Iterable[Gap]) -> list[Hole]:
    left: list[Hole] = []
    cursor = hole.start
    for gap in sorted(gaps, key=lambda item: item.start):
        if gap.end <= cursor or gap.start >= hole.end:
            continue
        if gap.start > cursor:
            left.append(Hole(cursor, gap.start))
        cursor = max(cursor, gap.end)
    if cursor < hole.end:
        left.append(Hole(cursor, hole.end))
    return left
