"""The instrument master: every market a venue lists or listed, its rules, and what changed in them.

A market's row and the records of its changes stand together or not at all: they are written in one transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from pymongo import UpdateOne

from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import instrument_from_row, instrument_row, keyed_row
from quantbus_contracts.mongo.steps import (
    Row,
    Steps,
    bulk_write,
    find,
    in_transaction,
    insert_many,
    new_deadline,
)
from quantbus_contracts.schema import RULE_FIELDS, Listing, MarketChange

__all__ = ["AsyncListingStore", "ListingStore"]

COLLECTION = "crypto_instruments"
CHANGES = "crypto_instrument_changes"
_AT_ONCE = 500  # markets: a transaction has to end within seconds


def _update(listing: Listing) -> UpdateOne:
    rules = {name: getattr(listing, name) for name in RULE_FIELDS}
    row = instrument_row(listing.instrument)
    given = {name: value for name, value in rules.items() if value is not None}
    unset = {name: "" for name, value in rules.items() if value is None}
    fields = {name: value for name, value in row.items() if name != "_id"} | given
    return UpdateOne(
        {"_id": row["_id"]}, {"$set": fields} | ({"$unset": unset} if unset else {}), upsert=True
    )


def _change_row(change: MarketChange) -> Row:
    return keyed_row(change.key, {**change.model_dump(), "venue": change.symbol.split(":", 1)[0]})


def _record(listings: Sequence[Listing], changes: Sequence[MarketChange]) -> Steps[None]:
    rows: dict[str, list[Row]] = {listing.symbol: [] for listing in listings}
    for change in changes:
        rows.setdefault(change.symbol, []).append(_change_row(change))
    updates = {listing.symbol: _update(listing) for listing in listings}
    symbols = list(rows)
    for start in range(0, len(symbols), _AT_ONCE):
        part = symbols[start : start + _AT_ONCE]
        yield from in_transaction(
            _write(
                [row for symbol in part for row in rows[symbol]],
                [updates[symbol] for symbol in part if symbol in updates],
            )
        )
        yield new_deadline()


def _write(changes: list[Row], updates: list[UpdateOne]) -> Steps[None]:
    if changes:
        yield insert_many(CHANGES, changes)
    if updates:
        yield bulk_write(COLLECTION, updates)


def _all(venue: str | None) -> Steps[list[Listing]]:
    query: Row = {"status": {"$exists": True}} | ({"venue": {"$eq": venue}} if venue else {})
    rows = yield find(COLLECTION, query, None, sort=[("symbol", 1)], batch_size=10_000)
    return [
        Listing(
            instrument=instrument_from_row(row), **{name: row[name] for name in RULE_FIELDS if name in row}
        )
        for row in rows
    ]


def _changes(venue: str | None, symbol: str | None, since: datetime | None) -> Steps[list[MarketChange]]:
    query: Row = {}
    if venue:
        query["venue"] = {"$eq": venue}
    if symbol:
        query["symbol"] = {"$eq": symbol}
    if since:
        query["at"] = {"$gte": since}
    rows = yield find(CHANGES, query, {"_id": 0, "venue": 0}, sort=[("at", 1), ("symbol", 1), ("field", 1)])
    return [MarketChange(**row) for row in rows]


class ListingStore:
    """The instrument master, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def record(self, listings: Iterable[Listing], changes: Iterable[MarketChange] = ()) -> None:
        """Store listings as they now are, together with what changed; all of a market or nothing."""
        self._connection.run(_record(list(listings), list(changes)))

    def all(self, venue: str | None = None) -> list[Listing]:
        """Return every market that a venue's list was read for, delisted ones among them."""
        return self._connection.run(_all(venue))

    def changes(
        self, *, venue: str | None = None, symbol: str | None = None, since: datetime | None = None
    ) -> list[MarketChange]:
        """Return what changed, oldest first; with ``since`` what was noticed at or after it."""
        return self._connection.run(_changes(venue, symbol, since))


class AsyncListingStore:
    """The instrument master, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def record(self, listings: Iterable[Listing], changes: Iterable[MarketChange] = ()) -> None:
        """Store listings as they now are, together with what changed; all of a market or nothing."""
        await self._connection.run(_record(list(listings), list(changes)))

    async def all(self, venue: str | None = None) -> list[Listing]:
        """Return every market that a venue's list was read for, delisted ones among them."""
        return await self._connection.run(_all(venue))

    async def changes(
        self, *, venue: str | None = None, symbol: str | None = None, since: datetime | None = None
    ) -> list[MarketChange]:
        """Return what changed, oldest first; with ``since`` what was noticed at or after it."""
        return await self._connection.run(_changes(venue, symbol, since))
