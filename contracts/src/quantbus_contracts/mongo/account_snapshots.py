"""Snapshots of exchange accounts: added and never changed."""

from pymongo.errors import BulkWriteError

from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import keyed_row
from quantbus_contracts.mongo.steps import Row, Steps, aggregate, insert_many
from quantbus_contracts.schema import AccountSnapshot

__all__ = ["AccountSnapshots", "AsyncAccountSnapshots"]

COLLECTION = "account_snapshots"
_DUPLICATE = 11000


def _row(snapshot: AccountSnapshot) -> Row:
    fields = {
        name: [_without_none(item) for item in value] if isinstance(value, tuple) else value
        for name, value in snapshot.model_dump().items()
    }
    return keyed_row(snapshot.key, fields)


def _without_none(item: object) -> object:
    if isinstance(item, dict):
        return {name: value for name, value in item.items() if value is not None}
    return item


def _add(snapshot: AccountSnapshot) -> Steps[None]:
    try:
        yield insert_many(COLLECTION, [_row(snapshot)])
    except BulkWriteError as error:
        # After a lost answer the same snapshot is sent again.
        if any(item["code"] != _DUPLICATE for item in error.details["writeErrors"]):
            raise


def _newest() -> Steps[dict[str, AccountSnapshot]]:
    names = yield aggregate(
        COLLECTION,
        [
            {"$sort": {"account": 1, "at": -1}},
            {"$group": {"_id": "$account", "newest": {"$first": "$_id"}}},
        ],
    )
    rows = yield aggregate(
        COLLECTION, [{"$match": {"_id": {"$in": [name["newest"] for name in names]}}}, {"$unset": "_id"}]
    )
    return {row["account"]: AccountSnapshot(**row) for row in rows}


class AccountSnapshots:
    """Adds and reads snapshots, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def add(self, snapshot: AccountSnapshot) -> None:
        """Add a snapshot; the same one again is no error."""
        self._connection.run(_add(snapshot))

    def newest(self) -> dict[str, AccountSnapshot]:
        """Return the newest snapshot of each account, by account."""
        return self._connection.run(_newest())


class AsyncAccountSnapshots:
    """Adds and reads snapshots, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def add(self, snapshot: AccountSnapshot) -> None:
        """Add a snapshot; the same one again is no error."""
        await self._connection.run(_add(snapshot))

    async def newest(self) -> dict[str, AccountSnapshot]:
        """Return the newest snapshot of each account, by account."""
        return await self._connection.run(_newest())
