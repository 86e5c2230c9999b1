"""Fills, positions and balances as bots tell them."""

from collections.abc import Mapping, Sequence

from quantbus_contracts.mongo._keyed import replace_rows
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import keyed_row
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.schema import Balance, Fill, Holding

__all__ = ["AccountBooks", "AsyncAccountBooks"]

_COLLECTIONS: Mapping[type[Fill | Holding | Balance], str] = {
    Fill: "fills",
    Holding: "positions",
    Balance: "balances",
}


def _record(entries: Sequence[Fill | Holding | Balance]) -> Steps[None]:
    for kind, collection in _COLLECTIONS.items():
        rows = {
            entry.key: keyed_row(entry.key, entry.model_dump()) for entry in entries if type(entry) is kind
        }
        if rows:
            yield from replace_rows(collection, list(rows.values()))


def _of(collection: str, query: Row, order: str) -> Steps[list[Row]]:
    rows: list[Row] = yield find(collection, query, {"_id": 0}, sort=[(order, 1)])
    return rows


def _by(consumer_id: str | None) -> Row:
    return {} if consumer_id is None else {"consumer_id": {"$eq": consumer_id}}


class AccountBooks:
    """Writes and reads what bots have done and hold, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def record(self, entries: Sequence[Fill | Holding | Balance]) -> None:
        """Store the newest state of each entry; of twins the last counts."""
        self._connection.run(_record(entries))

    def fills(self, *, consumer_id: str | None = None, signal_id: str | None = None) -> list[Fill]:
        """Return fills, oldest first: of one consumer, caused by one signal, or all."""
        query = _by(consumer_id) | ({} if signal_id is None else {"signal_id": {"$eq": signal_id}})
        return [Fill(**row) for row in self._connection.run(_of("fills", query, "filled_at"))]

    def positions(self, *, consumer_id: str | None = None) -> list[Holding]:
        """Return what is, or was last, known of each pair, by pair."""
        return [Holding(**row) for row in self._connection.run(_of("positions", _by(consumer_id), "pair"))]

    def balances(self, *, consumer_id: str | None = None) -> list[Balance]:
        """Return the balances, by currency."""
        rows = self._connection.run(_of("balances", _by(consumer_id), "currency"))
        return [Balance(**row) for row in rows]


class AsyncAccountBooks:
    """Reads what bots hold, asynchronously: for whoever watches them."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def balances(self) -> list[Balance]:
        """Return every bot's balances, by currency."""
        rows = await self._connection.run(_of("balances", {}, "currency"))
        return [Balance(**row) for row in rows]
