"""Which markets there are, by name; their rules and histories are with `quantbus_contracts.mongo.listings`."""

from collections.abc import Iterable

from pymongo import UpdateOne

from quantbus_contracts.mongo._keyed import upsert
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import instrument_from_row, instrument_row
from quantbus_contracts.mongo.steps import Steps, find
from quantbus_contracts.symbols import Instrument

__all__ = ["AsyncInstrumentStore", "InstrumentStore"]

COLLECTION = "crypto_instruments"


def _write(instruments: Iterable[Instrument]) -> Steps[int]:
    rows = {instrument.symbol: instrument_row(instrument) for instrument in instruments}
    # What else is known of a market, such as its tick size, is not this writer's to touch.
    requests = [UpdateOne({"_id": row["_id"]}, {"$set": row}, upsert=True) for row in rows.values()]
    return (yield from upsert(COLLECTION, requests))


def _all(venue: str | None) -> Steps[list[Instrument]]:
    rows = yield find(COLLECTION, {"venue": {"$eq": venue}} if venue else {}, None, sort=[("symbol", 1)])
    return [instrument_from_row(row) for row in rows]


class InstrumentStore:
    """Stores markets, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def write(self, instruments: Iterable[Instrument]) -> int:
        """Store the instruments; return how many were new."""
        return self._connection.run(_write(instruments))

    def all(self, venue: str | None = None) -> list[Instrument]:
        """Return the known instruments, of one venue or of all."""
        return self._connection.run(_all(venue))


class AsyncInstrumentStore:
    """Stores markets, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def write(self, instruments: Iterable[Instrument]) -> int:
        """Store the instruments; return how many were new."""
        return await self._connection.run(_write(instruments))

    async def all(self, venue: str | None = None) -> list[Instrument]:
        """Return the known instruments, of one venue or of all."""
        return await self._connection.run(_all(venue))
