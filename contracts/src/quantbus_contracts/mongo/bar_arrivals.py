"""When a bar came to the bus."""

from datetime import datetime

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.mongo.candle_reader import range_query
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.steps import Steps, find
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncBarArrivals", "BarArrivals"]


def _of(symbol: str, timeframe: Timeframe, open_time: datetime) -> Steps[datetime | None]:
    query = range_query(symbol, timeframe, open_time, open_time + timeframe.delta)
    rows = yield find(candle_collection(timeframe), query, {"ingested_at": 1, "_id": 0}, limit=1)
    return rows[0]["ingested_at"] if rows else None


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
