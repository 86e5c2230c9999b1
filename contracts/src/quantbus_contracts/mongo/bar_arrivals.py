"""When a bar came to the bus."""

from collections.abc import Collection
from datetime import datetime

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.mongo.candle_reader import open_time_of, range_query, when_of
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.steps import Steps, find
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncBarArrivals", "BarArrivals"]


def _of(symbol: str, timeframe: Timeframe, open_time: datetime) -> Steps[datetime | None]:
    query = range_query(symbol, timeframe, open_time, open_time + timeframe.delta)
    rows = yield find(candle_collection(timeframe), query, {"ingested_at": 1, "_id": 0}, limit=1)
    return rows[0]["ingested_at"] if rows else None


def _all_of(
    timeframe: Timeframe, bars: Collection[tuple[str, datetime]]
) -> Steps[dict[tuple[str, datetime], datetime]]:
    when = when_of(timeframe)
    times = {opened for _, opened in bars}
    query = {
        "symbol": {"$in": sorted({symbol for symbol, _ in bars})},
        when: {"$in": sorted(f"{opened:%Y%m%d}" if timeframe.is_daily else opened for opened in times)},
    }
    rows = yield find(
        candle_collection(timeframe),
        query,
        {"symbol": 1, when: 1, "ingested_at": 1, "_id": 0},
        batch_size=5_000,
    )
    return {
        (row["symbol"], open_time_of(row, timeframe)): row["ingested_at"]
        for row in rows
        if "ingested_at" in row
    }


class BarArrivals:
    """Reads when bars were written, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    def of(self, symbol: str, timeframe: Timeframe, open_time: datetime) -> datetime | None:
        """Return when the bar that opened then was written as it stands; None if there is none."""
        return self._connection.run(_of(symbol, timeframe, open_time))


class AsyncBarArrivals:
    """Reads when bars were written, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    async def of(self, symbol: str, timeframe: Timeframe, open_time: datetime) -> datetime | None:
        """Return when the bar that opened then was written as it stands; None if there is none."""
        return await self._connection.run(_of(symbol, timeframe, open_time))

    async def all_of(
        self, timeframe: Timeframe, bars: Collection[tuple[str, datetime]]
    ) -> dict[tuple[str, datetime], datetime]:
        """Return, by one question, when bars (symbol, open time) were written as they stand; missing ones are left out.

        Bars of the same symbols at the same times come along, also where they were not asked for.
        """
        return await self._connection.run(_all_of(timeframe, bars))
