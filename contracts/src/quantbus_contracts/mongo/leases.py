"""Leases of accounts: taken, renewed and given up by the server's own clock, each in one atomic step."""

from datetime import timedelta

from pymongo.errors import DuplicateKeyError

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.steps import Call, Row, Steps, find
from quantbus_contracts.schema import Lease, LeaseBid

__all__ = ["AsyncLeaseStore", "LeaseStore"]

COLLECTION = "leases"
_ATTEMPTS = 3


def _take(bid: LeaseBid, *, over: bool) -> Steps[Lease]:
    """Take the account if nobody else holds it; return who does now."""
    for _ in range(_ATTEMPTS):
        try:
            row: Row = yield Call(
                COLLECTION,
                "find_one_and_update",
                ({"_id": {"$eq": bid.account}}, [{"$replaceWith": _row_unless_held(bid, over=over)}]),
                {"projection": {"_id": 0}, "upsert": True, "return_document": True},
            )
        except DuplicateKeyError:  # another bot asked for it for the first time at the same moment
            continue
        return Lease(**row)
    raise BusUnavailable(f"expected an answer about the lease of account {bid.account!r}, found only races")


def _row_unless_held(bid: LeaseBid, *, over: bool) -> Row:
    same_run: Row = {"$and": [_is("$holder", bid.holder), _is("$process", bid.process)]}
    free: Row = {"$lte": [{"$ifNull": ["$expires_at", "$$NOW"]}, "$$NOW"]}
    may_take: Row = {"$or": [free, _is("$holder", bid.holder) if over else same_run]}
    until: Row = {"$add": ["$$NOW", timedelta(seconds=bid.seconds) // timedelta(milliseconds=1)]}
    ours: Row = {
        "_id": {"$literal": bid.account},
        "account": {"$literal": bid.account},
        "consumer_id": {"$literal": bid.consumer_id},
        "holder": {"$literal": bid.holder},
        "process": {"$literal": bid.process},
        "host": {"$literal": bid.host},
        "taken_at": {"$cond": [same_run, {"$min": ["$taken_at", "$$NOW"]}, "$$NOW"]},
        "renewed_at": "$$NOW",
        "expires_at": until,
    }
    return {"$cond": [may_take, ours, "$$ROOT"]}


def _is(field: str, value: str) -> Row:
    return {"$eq": [field, {"$literal": value}]}


def _give_up(bid: LeaseBid) -> Steps[bool]:
    """End the lease now, if it is still held by this run of the bot."""
    ours: Row = {
        "_id": {"$eq": bid.account},
        "holder": {"$eq": bid.holder},
        "process": {"$eq": bid.process},
    }
    # Renewed by a server whose clock was ahead, it still ends no earlier than it was renewed.
    row: Row | None = yield Call(
        COLLECTION,
        "find_one_and_update",
        (ours, [{"$set": {"expires_at": {"$max": ["$$NOW", "$renewed_at"]}}}]),
        {"projection": {"_id": 1}},
    )
    return row is not None


def _all() -> Steps[list[Lease]]:
    rows = yield find(COLLECTION, {}, {"_id": 0}, sort=[("account", 1)])
    return [Lease(**row) for row in rows]


class LeaseStore:
    """Stores leases, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def take(self, bid: LeaseBid, *, over: bool = False) -> Lease:
        """Take or renew a lease if it is free, expired or this run's own; return the lease that stands now.

        With ``over``, also from an earlier run of the same bot (the same ``holder``), at once.
        """
        return self._connection.run(_take(bid, over=over))

    def give_up(self, bid: LeaseBid) -> bool:
        """Let the lease end now; tell whether this run held it."""
        return self._connection.run(_give_up(bid))

    def all(self) -> list[Lease]:
        """Return every lease, expired ones too, by account."""
        return self._connection.run(_all())


class AsyncLeaseStore:
    """Stores leases, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def take(self, bid: LeaseBid, *, over: bool = False) -> Lease:
        """Take or renew a lease if it is free, expired or this run's own; return the lease that stands now.

        With ``over``, also from an earlier run of the same bot (the same ``holder``), at once.
        """
        return await self._connection.run(_take(bid, over=over))

    async def give_up(self, bid: LeaseBid) -> bool:
        """Let the lease end now; tell whether this run held it."""
        return await self._connection.run(_give_up(bid))

    async def all(self) -> list[Lease]:
        """Return every lease, expired ones too, by account."""
        return await self._connection.run(_all())
