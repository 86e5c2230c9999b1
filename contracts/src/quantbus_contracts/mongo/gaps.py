"""The ledger of gaps, and of disagreements between sources."""

from collections.abc import Collection, Sequence
from datetime import datetime

from quantbus_contracts.mongo._keyed import replace_rows
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import keyed_row
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.schema import Disagreement, Gap, GapState
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncGapStore", "GapStore"]

_GAPS, _DISAGREEMENTS = "crypto_gaps", "crypto_disagreements"
_BATCH = 10_000


def _put(gaps: Sequence[Gap]) -> Steps[int]:
    rows = [keyed_row(gap.key, gap.model_dump() | {"state": gap.state.value}) for gap in gaps]
    return (yield from replace_rows(_GAPS, rows))


def _find(
    symbol: str | None,
    timeframe: Timeframe | None,
    start: datetime | None,
    end: datetime | None,
    states: Collection[GapState] | None,
) -> Steps[list[Gap]]:
    query: Row = {}
    if symbol is not None:
        query["symbol"] = {"$eq": symbol}
    if timeframe is not None:
        query["timeframe"] = timeframe.name
    if states is not None:
        query["state"] = {"$in": sorted(state.value for state in states)}
    if start is not None:
        query["end"] = {"$gt": start}
    if end is not None:
        query["start"] = {"$lt": end}
    order = [("symbol", 1), ("timeframe", 1), ("start", 1)]
    rows = yield find(_GAPS, query, {"_id": 0}, sort=order, batch_size=_BATCH)
    return [Gap(**row) for row in rows]


def _record(found: Sequence[Disagreement]) -> Steps[int]:
    rows = [keyed_row(item.key, item.model_dump() | {"kind": item.kind.value}) for item in found]
    return (yield from replace_rows(_DISAGREEMENTS, rows))


def _disagreements(symbol: str | None) -> Steps[list[Disagreement]]:
    query: Row = {} if symbol is None else {"symbol": {"$eq": symbol}}
    order = [("symbol", 1), ("timeframe", 1), ("open_time", 1)]
    rows = yield find(_DISAGREEMENTS, query, {"_id": 0}, sort=order, batch_size=_BATCH)
    return [Disagreement(**row) for row in rows]


class GapStore:
    """Reads and writes the ledger of gaps, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def put(self, gaps: Sequence[Gap]) -> int:
        """Store or replace rows; return how many were new."""
        return self._connection.run(_put(gaps))

    def find(
        self,
        symbol: str | None = None,
        timeframe: Timeframe | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        states: Collection[GapState] | None = None,
    ) -> list[Gap]:
        """Return the gaps that touch ``[start, end)``, by symbol, timeframe and time; all by default."""
        return self._connection.run(_find(symbol, timeframe, start, end, states))

    def record(self, found: Sequence[Disagreement]) -> int:
        """Store disagreements; return how many were new."""
        return self._connection.run(_record(found))

    def disagreements(self, symbol: str | None = None) -> list[Disagreement]:
        """Return the disagreements, by symbol, timeframe and time."""
        return self._connection.run(_disagreements(symbol))


class AsyncGapStore:
    """Reads and writes the ledger of gaps, asynchronously; see `GapStore`."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def put(self, gaps: Sequence[Gap]) -> int:
        """Store or replace rows; return how many were new."""
        return await self._connection.run(_put(gaps))

    async def find(
        self,
        symbol: str | None = None,
        timeframe: Timeframe | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        states: Collection[GapState] | None = None,
    ) -> list[Gap]:
        """Return the gaps that touch ``[start, end)``, by symbol, timeframe and time; all by default."""
        return await self._connection.run(_find(symbol, timeframe, start, end, states))

    async def record(self, found: Sequence[Disagreement]) -> int:
        """Store disagreements; return how many were new."""
        return await self._connection.run(_record(found))

    async def disagreements(self, symbol: str | None = None) -> list[Disagreement]:
        """Return the disagreements, by symbol, timeframe and time."""
        return await self._connection.run(_disagreements(symbol))
