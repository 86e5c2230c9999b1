"""Finds missing bars by index: counts keys, and looks at open times only where the count falls short.

The unique index on (symbol, open time) means that a range is whole when it holds as many keys as it has bars. So a
million bars cost one count on the server; no document is fetched, and only pieces with a hole are read key by key.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.mongo.candle_reader import range_query
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.steps import Row, Steps, aggregate, find, new_deadline
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncHoleFinder", "Hole", "HoleFinder"]

_PIECE_BARS = 262_144  # counted within one time-out
_PART_BARS = 16_384  # what a piece with a hole is divided into, before parts with holes are halved
_READ_BARS = 512  # below this, reading the keys costs less than counting halves
_GAPPY = 50  # with more than one bar of so many missing, it does too


@dataclass(frozen=True, slots=True, order=True)
class Hole:
    """Missing bars; open times in ``[start, end)``."""

    start: datetime
    end: datetime


def _holes(symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> Steps[list[Hole]]:
    """Return the holes between stored bars in ``[start, end)``.

    Before a symbol's first bar and after its newest nothing is missing: it was not listed, or is not there yet.
    """
    first = yield from _edge(symbol, timeframe, 1)
    last = yield from _edge(symbol, timeframe, -1)
    if first is None or last is None:
        return []
    cursor, stop = max(start, first), min(end, last + timeframe.delta)
    runs: list[Hole] = []
    while cursor < stop:
        piece_end = min(cursor + _PIECE_BARS * timeframe.delta, stop)
        runs += yield from _search(symbol, timeframe, cursor, piece_end)
        yield new_deadline()
        cursor = piece_end
    return _joined(runs)


def _search(symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> Steps[list[Hole]]:
    """Divide what is not whole until it is small enough to be read."""
    wanted = timeframe.count(start, end)
    if not wanted:
        return []
    query = range_query(symbol, timeframe, start, end)
    counted = yield aggregate(candle_collection(timeframe), [{"$match": query}, {"$count": "bars"}])
    stored = counted[0]["bars"] if counted else 0
    if stored == wanted:
        return []
    if not stored:
        return [Hole(*_aligned(timeframe, start, end))]
    if wanted <= _READ_BARS or (wanted - stored) * _GAPPY > wanted:
        times = yield from _open_times(symbol, timeframe, query)
        return missing_runs(times, start, end, timeframe)
    part = (_PART_BARS if wanted > _PART_BARS else wanted // 2) * timeframe.delta
    runs: list[Hole] = []
    cursor = _ceil(timeframe, start)
    while cursor < end:
        runs += yield from _search(symbol, timeframe, cursor, min(cursor + part, end))
        cursor += part
    return runs


def missing_runs(
    times: Iterable[datetime], start: datetime, end: datetime, timeframe: Timeframe
) -> list[Hole]:
    """Return the runs of bars in ``[start, end)`` that are not among the ascending open times."""
    cursor, stop = _aligned(timeframe, start, end)
    runs: list[Hole] = []
    for moment in times:
        if moment > cursor:
            runs.append(Hole(cursor, moment))
        cursor = moment + timeframe.delta
    if cursor < stop:
        runs.append(Hole(cursor, stop))
    return runs


def _aligned(timeframe: Timeframe, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Round both bounds up to open times, as the filter of a range does."""
    return _ceil(timeframe, start), _ceil(timeframe, end)


def _ceil(timeframe: Timeframe, moment: datetime) -> datetime:
    floor = timeframe.floor(moment)
    return floor if floor == moment else floor + timeframe.delta


def _joined(runs: list[Hole]) -> list[Hole]:
    joined: list[Hole] = []
    for run in runs:
        if joined and joined[-1].end == run.start:
            joined[-1] = Hole(joined[-1].start, run.end)
        else:
            joined.append(run)
    return joined


def _when(timeframe: Timeframe) -> str:
    return "date" if timeframe.is_daily else "datetime"


def _open_times(symbol: str, timeframe: Timeframe, query: Row) -> Steps[list[datetime]]:
    when = _when(timeframe)
    rows = yield find(
        candle_collection(timeframe),
        query,
        {when: 1, "_id": 0},
        sort=[(when, 1)],
        hint=[("symbol", 1), (when, 1)],
        batch_size=_PART_BARS,
    )
    return [_open_time(row[when]) for row in rows]


def _open_time(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.strptime(value, "%Y%m%d").replace(tzinfo=UTC)


def _edge(symbol: str, timeframe: Timeframe, direction: int) -> Steps[datetime | None]:
    when = _when(timeframe)
    rows = yield find(
        candle_collection(timeframe),
        {"symbol": {"$eq": symbol}},
        {when: 1, "_id": 0},
        sort=[(when, direction)],
        limit=1,
    )
    return _open_time(rows[0][when]) if rows else None


def _symbols(timeframe: Timeframe) -> Steps[list[str]]:
    rows = yield aggregate(
        candle_collection(timeframe),
        [{"$sort": {"symbol": 1, _when(timeframe): 1}}, {"$group": {"_id": "$symbol"}}],
    )
    return sorted(row["_id"] for row in rows)


class HoleFinder:
    """Finds missing bars, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def holes(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[Hole]:
        """Return the holes between stored bars in ``[start, end)``, oldest first."""
        return self._connection.run(_holes(symbol, timeframe, start, end))

    def symbols(self, timeframe: Timeframe) -> list[str]:
        """Return every symbol that has bars of ``timeframe``."""
        return self._connection.run(_symbols(timeframe))


class AsyncHoleFinder:
    """Finds missing bars, asynchronously; see `HoleFinder`."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def holes(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[Hole]:
        """Return the holes between stored bars in ``[start, end)``, oldest first."""
        return await self._connection.run(_holes(symbol, timeframe, start, end))

    async def symbols(self, timeframe: Timeframe) -> list[str]:
        """Return every symbol that has bars of ``timeframe``."""
        return await self._connection.run(_symbols(timeframe))
