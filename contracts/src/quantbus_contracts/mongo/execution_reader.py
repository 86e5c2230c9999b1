"""Reads the ledger."""

from collections.abc import Collection
from datetime import datetime

from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.long_reads import read_in_order
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.schema import Execution, ExecutionState

__all__ = ["AsyncExecutionReader", "ExecutionReader"]

COLLECTION = "executions"


def _since(
    moment: datetime, consumer_id: str | None, states: Collection[ExecutionState] | None
) -> Steps[list[Execution]]:
    query: Row = {"seen_at": {"$gte": moment}}
    if consumer_id is not None:
        query["consumer_id"] = {"$eq": consumer_id}
    if states is not None:
        query["state"] = {"$in": [state.value for state in states]}
    rows = yield from read_in_order(COLLECTION, query, {"_id": 0}, by="seen_at")
    return list({row.key: row for row in (Execution(**row) for row in rows)}.values())


def _of_signal(signal_id: str) -> Steps[list[Execution]]:
    rows = yield find(COLLECTION, {"signal_id": {"$eq": signal_id}}, {"_id": 0}, sort=[("consumer_id", 1)])
    return [Execution(**row) for row in rows]


def _of_consumer(consumer_id: str, signal_ids: Collection[str]) -> Steps[list[Execution]]:
    query = {"consumer_id": {"$eq": consumer_id}, "signal_id": {"$in": list(signal_ids)}}
    rows = yield find(COLLECTION, query, {"_id": 0}, sort=[("signal_id", 1)], batch_size=5_000)
    return [Execution(**row) for row in rows]


def _of_signals(signal_ids: Collection[str]) -> Steps[list[Execution]]:
    query = {"signal_id": {"$in": list(signal_ids)}}
    rows = yield find(COLLECTION, query, {"_id": 0}, sort=[("signal_id", 1)], batch_size=5_000)
    return [Execution(**row) for row in rows]


class ExecutionReader:
    """Reads the ledger, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    def since(
        self,
        moment: datetime,
        *,
        consumer_id: str | None = None,
        states: Collection[ExecutionState] | None = None,
    ) -> list[Execution]:
        """Return rows seen at or after ``moment``, oldest first; with ``states`` only those in one of them."""
        return self._connection.run(_since(moment, consumer_id, states))

    def of_signal(self, signal_id: str) -> list[Execution]:
        """Return what every consumer did with one signal."""
        return self._connection.run(_of_signal(signal_id))

    def of_consumer(self, consumer_id: str, signal_ids: Collection[str]) -> list[Execution]:
        """Return what one consumer did with these signals."""
        return self._connection.run(_of_consumer(consumer_id, signal_ids))


class AsyncExecutionReader:
    """Reads the ledger, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    async def since(
        self,
        moment: datetime,
        *,
        consumer_id: str | None = None,
        states: Collection[ExecutionState] | None = None,
    ) -> list[Execution]:
        """Return rows seen at or after ``moment``, oldest first; with ``states`` only those in one of them."""
        return await self._connection.run(_since(moment, consumer_id, states))

    async def of_signal(self, signal_id: str) -> list[Execution]:
        """Return what every consumer did with one signal."""
        return await self._connection.run(_of_signal(signal_id))

    async def of_signals(self, signal_ids: Collection[str]) -> list[Execution]:
        """Return what every consumer did with these signals."""
        return await self._connection.run(_of_signals(signal_ids))

    async def of_consumer(self, consumer_id: str, signal_ids: Collection[str]) -> list[Execution]:
        """Return what one consumer did with these signals."""
        return await self._connection.run(_of_consumer(consumer_id, signal_ids))
