"""Reads closed bars."""

from datetime import datetime

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import candle_from_row
from quantbus_contracts.mongo.steps import Row, Steps, aggregate, find
from quantbus_contracts.schema import Candle
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncCandleReader", "CandleReader"]


def when_of(timeframe: Timeframe) -> str:
    """Return the field that names a bar of this timeframe."""
    return "date" if timeframe.is_daily else "datetime"


def _bound(timeframe: Timeframe, moment: datetime) -> datetime | str:
    if not timeframe.is_daily:
        return moment
    # A bar belongs to [start, end) by its open time: round a bound inside a day up to the next one.
    floor = timeframe.floor(moment)
    return f"{floor if floor == moment else floor + timeframe.delta:%Y%m%d}"


def range_query(symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> Row:
    """Return the filter for the bars of a symbol that open in ``[start, end)``."""
    bounds = {"$gte": _bound(timeframe, start), "$lt": _bound(timeframe, end)}
    return {"symbol": {"$eq": symbol}, when_of(timeframe): bounds}


def _candles(
    symbol: str, timeframe: Timeframe, start: datetime, end: datetime, limit: int | None
) -> Steps[list[Candle]]:
    options: Row = {"sort": [(when_of(timeframe), -1 if limit else 1)], "batch_size": 10_000}
    if limit:
        options["limit"] = limit
    query = range_query(symbol, timeframe, start, end)
    rows = yield find(candle_collection(timeframe), query, None, **options)
    candles = [candle_from_row(row, timeframe) for row in rows]
    return candles[::-1] if limit else candles


def _open_times(symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> Steps[list[datetime]]:
    when = when_of(timeframe)
    rows = yield find(
        candle_collection(timeframe),
        range_query(symbol, timeframe, start, end),
        {when: 1, "_id": 0},
        sort=[(when, 1)],
        hint=[("symbol", 1), (when, 1)],
        batch_size=50_000,
    )
    return [open_time_of(row, timeframe) for row in rows]


def open_time_of(row: Row, timeframe: Timeframe) -> datetime:
    """Return when the bar of a stored row opens."""
    if not timeframe.is_daily:
        moment: datetime = row["datetime"]
        return moment
    return datetime.strptime(f"{row['date']}+0000", "%Y%m%d%z")


def _last_open_time(symbol: str, timeframe: Timeframe) -> Steps[datetime | None]:
    when = when_of(timeframe)
    rows = yield find(
        candle_collection(timeframe),
        {"symbol": {"$eq": symbol}},
        {when: 1, "_id": 0},
        sort=[(when, -1)],
        limit=1,
    )
    return open_time_of(rows[0], timeframe) if rows else None


def _last_open_times(timeframe: Timeframe) -> Steps[dict[str, datetime]]:
    when = when_of(timeframe)
    rows = yield aggregate(
        candle_collection(timeframe),
        [{"$sort": {"symbol": 1, when: 1}}, {"$group": {"_id": "$symbol", when: {"$last": f"${when}"}}}],
    )
    return {row["_id"]: open_time_of(row, timeframe) for row in rows}


class CandleReader:
    """Reads closed bars, synchronously; see `quantbus_contracts.ports.CandleReader`."""

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self.connection = connection

    def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, *, limit: int | None = None
    ) -> list[Candle]:
        """Return the bars that open in ``[start, end)``, oldest first; with ``limit`` the newest that many."""
        return self.connection.run(_candles(symbol, timeframe, start, end, limit))

    def open_times(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[datetime]:
        """Return the open times of stored bars in ``[start, end)``, oldest first."""
        return self.connection.run(_open_times(symbol, timeframe, start, end))

    def last_open_time(self, symbol: str, timeframe: Timeframe) -> datetime | None:
        """Return the open time of the newest stored bar; None if there is none."""
        return self.connection.run(_last_open_time(symbol, timeframe))

    def last_open_times(self, timeframe: Timeframe) -> dict[str, datetime]:
        """Return the open time of the newest stored bar of every symbol."""
        return self.connection.run(_last_open_times(timeframe))


class AsyncCandleReader:
    """Reads closed bars, asynchronously; see `quantbus_contracts.ports.AsyncCandleReader`."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self.connection = connection

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, *, limit: int | None = None
    ) -> list[Candle]:
        """Return the bars that open in ``[start, end)``, oldest first; with ``limit`` the newest that many."""
        return await self.connection.run(_candles(symbol, timeframe, start, end, limit))

    async def open_times(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[datetime]:
        """Return the open times of stored bars in ``[start, end)``, oldest first."""
        return await self.connection.run(_open_times(symbol, timeframe, start, end))

    async def last_open_time(self, symbol: str, timeframe: Timeframe) -> datetime | None:
        """Return the open time of the newest stored bar; None if there is none."""
        return await self.connection.run(_last_open_time(symbol, timeframe))

    async def last_open_times(self, timeframe: Timeframe) -> dict[str, datetime]:
        """Return the open time of the newest stored bar of every symbol."""
        return await self.connection.run(_last_open_times(timeframe))
