"""Corrections of stored bars: each is one transaction with the row that keeps what stood before.

Whether a bar really differs is decided inside the transaction, by what stands then. So a process that dies leaves
the bar and its history both as they were or both corrected, of two writers that race the second finds the values in
place, and a call repeated after a lost answer neither writes nor counts anything twice.
"""

from collections.abc import Mapping
from datetime import datetime

from pymongo import UpdateOne

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.errors import BusContended
from quantbus_contracts.mongo.bars import VALUES
from quantbus_contracts.mongo.block_marks import open_blocks
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.steps import (
    Row,
    Steps,
    bulk_write,
    find,
    in_transaction,
    insert_many,
    new_deadline,
    pause,
    server_time,
)
from quantbus_contracts.schema import CandleRevision, CandleValues
from quantbus_contracts.timeframe import Timeframe

__all__ = ["COLLECTION", "AsyncRevisionReader", "RevisionReader", "correct"]

COLLECTION = "crypto_market_revisions"
_ROWS_AT_ONCE = 500  # a transaction must end well within the server's limit, three seconds where it is ours
# Of writers that meet, one always goes on. Eleven seconds outlast a writer that died inside its transaction, which
# our servers give up on after three.
_ATTEMPTS = 60
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 0.2


def correct(timeframe: Timeframe, changed: Mapping[str, tuple[float, ...]], source: str) -> Steps[int]:
    """Bring bars, by ``_id``, to the given values; return how many were corrected and so have one revision more.

    Raises
    ------
    BusContended
        If other writers were at the same bars again and again.
    """
    identities = list(changed)
    corrected = 0
    for start in range(0, len(identities), _ROWS_AT_ONCE):
        part = {identity: changed[identity] for identity in identities[start : start + _ROWS_AT_ONCE]}
        corrected += yield from _correct_part(timeframe, part, source)
        yield new_deadline()
    return corrected


def _correct_part(timeframe: Timeframe, part: Mapping[str, tuple[float, ...]], source: str) -> Steps[int]:
    for attempt in range(1, _ATTEMPTS + 1):
        now: datetime = yield server_time()
        try:
            return (yield from in_transaction(_replace(timeframe, part, source, now)))
        except BusContended:
            if attempt == _ATTEMPTS:
                raise
        yield pause(min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * attempt))
    return 0


def _replace(
    timeframe: Timeframe, part: Mapping[str, tuple[float, ...]], source: str, now: datetime
) -> Steps[int]:
    collection = candle_collection(timeframe)
    stored = yield find(collection, {"_id": {"$in": list(part)}})
    outdated = [row for row in stored if _values(row) != part[row["_id"]]]
    if not outdated:
        return 0
    symbol = outdated[0]["symbol"]
    yield from open_blocks(symbol, timeframe, [_open_time(row) for row in outdated], now)
    # The bars first: there two writers meet, at once and before anything else was done.
    yield bulk_write(
        collection,
        [
            UpdateOne(
                {"_id": row["_id"]},
                {"$set": {**_named(part[row["_id"]]), "source": source, "ingested_at": now}},
            )
            for row in outdated
        ],
    )
    yield insert_many(
        COLLECTION, [_revision(row, timeframe, part[row["_id"]], source, now) for row in outdated]
    )
    return len(outdated)


def _values(row: Row) -> tuple[float, ...]:
    return tuple(row[name] for name in VALUES)


def _named(values: tuple[float, ...]) -> Row:
    return dict(zip(VALUES, values, strict=True))


def _revision(row: Row, timeframe: Timeframe, values: tuple[float, ...], source: str, now: datetime) -> Row:
    return {
        "symbol": row["symbol"],
        "timeframe": timeframe.name,
        "datetime": _open_time(row),
        "old": {**_named(_values(row)), "source": row["source"], "ingested_at": row["ingested_at"]},
        "new": {**_named(values), "source": source, "ingested_at": now},
    }


def _open_time(row: Row) -> datetime:
    if "datetime" in row:
        moment: datetime = row["datetime"]
        return moment
    return datetime.strptime(f"{row['date']}+0000", "%Y%m%d%z")


def _revisions(
    symbol: str, timeframe: Timeframe, start: datetime, end: datetime
) -> Steps[list[CandleRevision]]:
    rows = yield find(
        COLLECTION,
        {"symbol": {"$eq": symbol}, "timeframe": timeframe.name, "datetime": {"$gte": start, "$lt": end}},
        sort=[("symbol", 1), ("timeframe", 1), ("datetime", 1), ("new.ingested_at", 1)],
    )
    return [_model(row) for row in rows]


def _model(row: Row) -> CandleRevision:
    return CandleRevision(
        symbol=row["symbol"],
        timeframe=row["timeframe"],
        open_time=row["datetime"],
        old=CandleValues(**row["old"]),
        new=CandleValues(**row["new"]),
    )


class RevisionReader:
    """Reads what was corrected, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    def revisions(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[CandleRevision]:
        """Return the corrections of bars that open in ``[start, end)``: by bar, then in the order they were made."""
        return self._connection.run(_revisions(symbol, timeframe, start, end))


class AsyncRevisionReader:
    """Reads what was corrected, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    async def revisions(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[CandleRevision]:
        """Return the corrections of bars that open in ``[start, end)``: by bar, then in the order they were made."""
        return await self._connection.run(_revisions(symbol, timeframe, start, end))
