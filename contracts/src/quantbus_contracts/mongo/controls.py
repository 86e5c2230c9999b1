"""Controls of bots: who set what for which scope. Lifting one ends it; nothing is ever removed."""

from pymongo import UpdateOne

from quantbus_contracts.mongo._keyed import replace_rows
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import keyed_row
from quantbus_contracts.mongo.server_clock import and_the_time
from quantbus_contracts.mongo.steps import Row, Steps, aggregate, bulk_write
from quantbus_contracts.ports import ControlSnapshot
from quantbus_contracts.schema import Control

__all__ = ["AsyncControlStore", "ControlStore"]

COLLECTION = "controls"


def _row(control: Control) -> Row:
    return keyed_row(control.key, control.model_dump() | {"kind": control.kind.value})


def _put(control: Control) -> Steps[None]:
    yield from replace_rows(COLLECTION, [_row(control)])


def _lift(scope: str, source: str, by: str) -> Steps[bool]:
    """End one source's control by the server's own clock, unless it is over already."""
    in_force = {"$expr": {"$gt": [{"$ifNull": ["$expires_at", "$$NOW"]}, "$$NOW"]}}
    without_end = {"expires_at": {"$exists": False}}
    result = yield bulk_write(
        COLLECTION,
        [
            UpdateOne(
                {"scope": {"$eq": scope}, "source": {"$eq": source}, "$or": [without_end, in_force]},
                # A control set by a clock a little ahead of the server's still ends no earlier than it began.
                [{"$set": {"expires_at": {"$max": ["$$NOW", "$at"]}, "lifted_by": {"$literal": by}}}],
            )
        ],
    )
    return bool(result.modified_count)


def _snapshot() -> Steps[ControlSnapshot]:
    rows = yield aggregate(
        COLLECTION,
        [
            {"$sort": {"scope": 1, "source": 1}},
            {"$unset": "_id"},
            and_the_time(COLLECTION),
        ],
    )
    now = rows.pop()["now"]
    return ControlSnapshot(now, tuple(Control(**row) for row in rows))


class ControlStore:
    """Stores controls, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def put(self, control: Control) -> None:
        """Store or replace what its source says about its scope."""
        self._connection.run(_put(control))

    def lift(self, scope: str, source: str, *, by: str) -> bool:
        """Let the control of ``source`` on ``scope`` end now; tell whether one was in force."""
        return self._connection.run(_lift(scope, source, by))

    def snapshot(self) -> ControlSnapshot:
        """Return every control, with the database's clock."""
        return self._connection.run(_snapshot())


class AsyncControlStore:
    """Stores controls, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def put(self, control: Control) -> None:
        """Store or replace what its source says about its scope."""
        await self._connection.run(_put(control))

    async def lift(self, scope: str, source: str, *, by: str) -> bool:
        """Let the control of ``source`` on ``scope`` end now; tell whether one was in force."""
        return await self._connection.run(_lift(scope, source, by))

    async def snapshot(self) -> ControlSnapshot:
        """Return every control, with the database's clock."""
        return await self._connection.run(_snapshot())
