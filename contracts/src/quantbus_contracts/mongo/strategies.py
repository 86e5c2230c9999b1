"""Declarations of strategies."""

from quantbus_contracts.mongo._keyed import replace_rows
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import strategy_row
from quantbus_contracts.mongo.steps import Steps, find
from quantbus_contracts.schema import Strategy

__all__ = ["AsyncStrategyStore", "StrategyStore"]

COLLECTION = "strategies"


def _declare(strategy: Strategy) -> Steps[None]:
    yield from replace_rows(COLLECTION, [strategy_row(strategy)])


def _all() -> Steps[list[Strategy]]:
    rows = yield find(COLLECTION, {}, {"_id": 0}, sort=[("strategy_id", 1)])
    return [Strategy(**row) for row in rows]


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
