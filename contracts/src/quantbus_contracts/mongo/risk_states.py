"""Risk rows: what is thought of a strategy and pair. Clearing one ends it; nothing is ever removed."""

from pymongo import UpdateOne

from quantbus_contracts.mongo._keyed import replace_rows
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import keyed_row
from quantbus_contracts.mongo.server_clock import and_the_time
from quantbus_contracts.mongo.steps import Row, Steps, aggregate, bulk_write
from quantbus_contracts.ports import RiskSnapshot
from quantbus_contracts.schema import RiskState

__all__ = ["AsyncRiskStateStore", "RiskStateStore"]

COLLECTION = "risk_state"


def _row(state: RiskState) -> Row:
    return keyed_row(state.key, state.model_dump() | {"level": state.level.value})


def _put(state: RiskState) -> Steps[None]:
    yield from replace_rows(COLLECTION, [_row(state)])


def _clear(strategy_id: str, pair: str, by: str) -> Steps[bool]:
    """End a row by the server's own clock, unless it is over already."""
    in_force = {"$expr": {"$gt": [{"$ifNull": ["$expires_at", "$$NOW"]}, "$$NOW"]}}
    without_end = {"expires_at": {"$exists": False}}
    result = yield bulk_write(
        COLLECTION,
        [
            UpdateOne(
                {
                    "strategy_id": {"$eq": strategy_id},
                    "pair": {"$eq": pair},
                    "$or": [without_end, in_force],
                },
                # A row set by a clock a little ahead of the server's still ends no earlier than it began.
                [{"$set": {"expires_at": {"$max": ["$$NOW", "$at"]}, "cleared_by": {"$literal": by}}}],
            )
        ],
    )
    return bool(result.modified_count)


def _snapshot() -> Steps[RiskSnapshot]:
    rows = yield aggregate(
        COLLECTION,
        [{"$sort": {"strategy_id": 1, "pair": 1}}, {"$unset": "_id"}, and_the_time(COLLECTION)],
    )
    now = rows.pop()["now"]
    return RiskSnapshot(now, tuple(RiskState(**row) for row in rows))


class RiskStateStore:
    """Stores risk rows, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def put(self, state: RiskState) -> None:
        """Store or replace what is said about a strategy and pair."""
        self._connection.run(_put(state))

    def clear(self, strategy_id: str, pair: str, *, by: str) -> bool:
        """Let a row end now; tell whether one was in force."""
        return self._connection.run(_clear(strategy_id, pair, by))

    def snapshot(self) -> RiskSnapshot:
        """Return every row, with the database's clock."""
        return self._connection.run(_snapshot())


class AsyncRiskStateStore:
    """Stores risk rows, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def put(self, state: RiskState) -> None:
        """Store or replace what is said about a strategy and pair."""
        await self._connection.run(_put(state))

    async def clear(self, strategy_id: str, pair: str, *, by: str) -> bool:
        """Let a row end now; tell whether one was in force."""
        return await self._connection.run(_clear(strategy_id, pair, by))

    async def snapshot(self) -> RiskSnapshot:
        """Return every row, with the database's clock."""
        return await self._connection.run(_snapshot())
