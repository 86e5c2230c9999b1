"""Stores dated universes: a list that stands is never rewritten unless someone says so."""

from datetime import datetime

from pymongo import ReplaceOne

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo._diff_insert import insert_missing
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import keyed_row
from quantbus_contracts.mongo.steps import Row, Steps, bulk_write, find, server_time
from quantbus_contracts.schema import Universe

__all__ = ["AsyncUniverseStore", "UniverseStore"]

COLLECTION = "crypto_universe"


def _row(universe: Universe) -> Row:
    fields = universe.model_dump(exclude={"members"})
    fields["members"] = [member.model_dump(exclude_none=True) for member in universe.members]
    return keyed_row(universe.key, fields)


def _from_row(row: Row) -> Universe:
    return Universe(**{name: row[name] for name in Universe.model_fields if name in row})


def _put(universe: Universe, replace: bool) -> Steps[bool]:
    row = _row(universe)
    now: datetime = yield server_time()
    raced = yield from insert_missing(COLLECTION, [{**row, "built_at": now}])
    if not raced:
        return True
    stored = yield find(COLLECTION, {"_id": row["_id"]})
    if stored and _from_row(stored[0]) == universe:
        return False
    if not replace:
        raise ConfigError(
            f"expected universe {universe.name!r} as of {universe.as_of.isoformat()} to be new, found another "
            "list under that date, which backtests may have used; give another name, or say --replace"
        )
    yield bulk_write(COLLECTION, [ReplaceOne({"_id": row["_id"]}, {**row, "built_at": now})])
    return True


def _at(name: str, moment: datetime) -> Steps[Universe | None]:
    rows = yield find(
        COLLECTION,
        {"name": {"$eq": name}, "as_of": {"$lte": moment}},
        None,
        sort=[("as_of", -1)],
        limit=1,
    )
    return _from_row(rows[0]) if rows else None


def _all(name: str | None) -> Steps[list[Universe]]:
    query: Row = {"name": {"$eq": name}} if name else {}
    rows = yield find(COLLECTION, query, None, sort=[("name", 1), ("as_of", 1)])
    return [_from_row(row) for row in rows]


class UniverseStore:
    """Dated universes, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def put(self, universe: Universe, *, replace: bool = False) -> bool:
        """Store a universe; return whether anything was written.

        Raises
        ------
        ConfigError
            If another list stands under its name and date, and ``replace`` is not given.
        """
        return self._connection.run(_put(universe, replace))

    def universe(self, name: str, at: datetime) -> Universe | None:
        """Return the newest list with ``as_of <= at``: what could be known then; None if there is none."""
        return self._connection.run(_at(name, at))

    def all(self, name: str | None = None) -> list[Universe]:
        """Return every stored list, by name and date."""
        return self._connection.run(_all(name))


class AsyncUniverseStore:
    """Dated universes, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def put(self, universe: Universe, *, replace: bool = False) -> bool:
        """Store a universe; return whether anything was written; see `UniverseStore.put`."""
        return await self._connection.run(_put(universe, replace))

    async def universe(self, name: str, at: datetime) -> Universe | None:
        """Return the newest list with ``as_of <= at``: what could be known then; None if there is none."""
        return await self._connection.run(_at(name, at))

    async def all(self, name: str | None = None) -> list[Universe]:
        """Return every stored list, by name and date."""
        return await self._connection.run(_all(name))
