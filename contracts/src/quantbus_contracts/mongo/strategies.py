"""Declarations of strategies."""

from datetime import datetime

from pymongo import UpdateOne

from quantbus_contracts.mongo._keyed import upsert
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import strategy_row
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.schema import Strategy

__all__ = ["AsyncStrategyStore", "StrategyStore"]

COLLECTION = "strategies"


def declaration_pipeline(row: Row) -> list[Row]:
    """Return the update that stores a declaration and, where it is not the one that stood, the time of it."""
    standing = {"$unsetField": {"field": "declared_at", "input": "$$ROOT"}}
    unchanged = {"$eq": [standing, {"$literal": row}]}
    since = {"$cond": [unchanged, {"$ifNull": ["$declared_at", "$$NOW"]}, "$$NOW"]}
    return [{"$replaceWith": {"$mergeObjects": [{"$literal": row}, {"declared_at": since}]}}]


def _declare(strategy: Strategy) -> Steps[None]:
    row = strategy_row(strategy)
    yield from upsert(COLLECTION, [UpdateOne({"_id": row["_id"]}, declaration_pipeline(row), upsert=True)])


def _all() -> Steps[list[Strategy]]:
    rows = yield find(COLLECTION, {}, {"_id": 0, "declared_at": 0}, sort=[("strategy_id", 1)])
    return [Strategy(**row) for row in rows]


def _declared_at() -> Steps[dict[str, datetime]]:
    rows = yield find(COLLECTION, {"declared_at": {"$exists": True}}, {"strategy_id": 1, "declared_at": 1})
    return {row["strategy_id"]: row["declared_at"] for row in rows}


class StrategyStore:
    """Stores declarations, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def declare(self, strategy: Strategy) -> None:
        """Store or replace a declaration."""
        self._connection.run(_declare(strategy))

    def all(self) -> list[Strategy]:
        """Return every declaration, by id."""
        return self._connection.run(_all())

    def declared_at(self) -> dict[str, datetime]:
        """Return since when each declaration stands as it is (the database's clock), by strategy id."""
        return self._connection.run(_declared_at())


class AsyncStrategyStore:
    """Stores declarations, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def declare(self, strategy: Strategy) -> None:
        """Store or replace a declaration."""
        await self._connection.run(_declare(strategy))

    async def all(self) -> list[Strategy]:
        """Return every declaration, by id."""
        return await self._connection.run(_all())

    async def declared_at(self) -> dict[str, datetime]:
        """Return since when each declaration stands as it is (the database's clock), by strategy id."""
        return await self._connection.run(_declared_at())
