"""Signs of life."""

from quantbus_contracts.mongo._keyed import replace_rows
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import heartbeat_row
from quantbus_contracts.mongo.steps import Steps, find
from quantbus_contracts.schema import Heartbeat

__all__ = ["AsyncHeartbeatStore", "HeartbeatStore"]

COLLECTION = "heartbeats"


def _beat(heartbeat: Heartbeat) -> Steps[None]:
    yield from replace_rows(COLLECTION, [heartbeat_row(heartbeat)])


def _all() -> Steps[list[Heartbeat]]:
    rows = yield find(COLLECTION, {}, {"_id": 0}, sort=[("process", 1), ("instance", 1)])
    return [Heartbeat(**row) for row in rows]


class HeartbeatStore:
    """Stores signs of life, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def beat(self, heartbeat: Heartbeat) -> None:
        """Store the newest sign of life of a process."""
        self._connection.run(_beat(heartbeat))

    def all(self) -> list[Heartbeat]:
        """Return the newest sign of life of every process."""
        return self._connection.run(_all())


class AsyncHeartbeatStore:
    """Stores signs of life, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Store the newest sign of life of a process."""
        await self._connection.run(_beat(heartbeat))

    async def all(self) -> list[Heartbeat]:
        """Return the newest sign of life of every process."""
        return await self._connection.run(_all())
