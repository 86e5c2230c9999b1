"""Declarations of strategies: one stands per strategy, every one that ever stood is a row of the audit."""

from collections.abc import Sequence
from datetime import datetime

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from quantbus_contracts.errors import BusContended
from quantbus_contracts.mongo.audit_log import append, read_with_head
from quantbus_contracts.mongo.audit_rows import Head, audit_row
from quantbus_contracts.mongo.author import Author
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import strategy_row
from quantbus_contracts.mongo.publish_turns import Place
from quantbus_contracts.mongo.steps import Row, Steps, bulk_write, find, in_transaction
from quantbus_contracts.schema import Declaration, Strategy

__all__ = ["AsyncStrategyStore", "StrategyStore", "declare", "standing"]

COLLECTION = "strategies"
_DUPLICATE = 11000
_STRATEGY_FIELDS = tuple(Strategy.model_fields)


def _declaration(row: Row) -> Declaration:
    no_cadence = {
        "cadence_bars": None
    }  # what is not stored is None, which is not what the model would assume
    strategy = Strategy(**no_cadence | {name: row[name] for name in _STRATEGY_FIELDS if name in row})
    return Declaration(
        strategy=strategy,
        version=row.get("version", 1),
        declared_at=row.get("declared_at"),
        declared_by=row.get("declared_by", ""),
    )


def standing(strategy_ids: Sequence[str]) -> Steps[dict[str, Declaration]]:
    """Return the declarations that stand, by strategy id."""
    rows = yield find(COLLECTION, {"_id": {"$in": list(strategy_ids)}})
    return {row["strategy_id"]: _declaration(row) for row in rows}


def declare(strategy: Strategy, author: Author, *, first_only: bool = False) -> Steps[Declaration]:
    """Make ``strategy`` the declaration that stands; with ``first_only`` only where none does.

    An equal declaration again writes nothing; another one is the next version, and a row of the audit.
    """
    place = Place(strategy.strategy_id)
    while place.patient:
        try:
            rows, head, now = yield from read_with_head(
                COLLECTION, [{"$match": {"_id": {"$eq": strategy.strategy_id}}}], strategy.strategy_id
            )
            former = _declaration(rows[0]) if rows else None
            if former is not None and (first_only or former.strategy == strategy):
                declared = former
            else:
                declared = yield from in_transaction(_replace(strategy, former, author, head, now))
        except BusContended:
            yield from place.wait()
        else:
            yield from place.leave()
            return declared
    raise BusContended(f"too many declare or publish {strategy.strategy_id!r} at once; try again")


def _replace(
    strategy: Strategy, former: Declaration | None, author: Author, head: Head, now: datetime
) -> Steps[Declaration]:
    declaration = Declaration(
        strategy=strategy,
        version=former.version + 1 if former else 1,
        declared_at=now,
        declared_by=author.publisher,
    )
    row = strategy_row(strategy)
    told = {name: value for name, value in row.items() if name != "_id"}
    yield from append(
        audit_row(
            strategy.strategy_id,
            head,
            author,
            at=now,
            batch_id=f"declaration.{declaration.version}",
            declaration=declaration.version,
            declared=told,
        )
    )
    stored = row | {"version": declaration.version, "declared_at": now, "declared_by": author.publisher}
    try:
        yield bulk_write(COLLECTION, [ReplaceOne({"_id": row["_id"]}, stored, upsert=True)])
    except BulkWriteError as failure:
        if failure.details["writeErrors"][0]["code"] == _DUPLICATE:
            raise BusContended(f"{strategy.strategy_id!r} was declared at the same moment") from failure
        raise
    return declaration


def _all() -> Steps[list[Strategy]]:
    rows = yield find(COLLECTION, {}, sort=[("strategy_id", 1)])
    return [_declaration(row).strategy for row in rows]


def _declared_at() -> Steps[dict[str, datetime]]:
    rows = yield find(COLLECTION, {"declared_at": {"$exists": True}}, {"strategy_id": 1, "declared_at": 1})
    return {row["strategy_id"]: row["declared_at"] for row in rows}


def _get(strategy_id: str) -> Steps[Declaration | None]:
    return (yield from standing([strategy_id])).get(strategy_id)


class StrategyStore:
    """Stores declarations, synchronously."""

    def __init__(self, connection: Connection, *, author: Author | None = None) -> None:
        """Work over ``connection``, signing as ``author`` (this process where not given)."""
        self._connection = connection
        self._author = author or Author.here()

    def declare(self, strategy: Strategy) -> None:
        """Store or replace a declaration."""
        self._connection.run(declare(strategy, self._author))

    def get(self, strategy_id: str) -> Declaration | None:
        """Return the declaration that stands, with its version; None if there is none."""
        return self._connection.run(_get(strategy_id))

    def all(self) -> list[Strategy]:
        """Return every declaration, by id."""
        return self._connection.run(_all())

    def declared_at(self) -> dict[str, datetime]:
        """Return since when each declaration stands as it is (the database's clock), by strategy id."""
        return self._connection.run(_declared_at())


class AsyncStrategyStore:
    """Stores declarations, asynchronously; the methods are those of `StrategyStore`, awaited."""

    def __init__(self, connection: AsyncConnection, *, author: Author | None = None) -> None:
        """Work over ``connection``, signing as ``author`` (this process where not given)."""
        self._connection = connection
        self._author = author or Author.here()

    async def declare(self, strategy: Strategy) -> None:
        """Store or replace a declaration."""
        await self._connection.run(declare(strategy, self._author))

    async def get(self, strategy_id: str) -> Declaration | None:
        """Return the declaration that stands, with its version; None if there is none."""
        return await self._connection.run(_get(strategy_id))

    async def all(self) -> list[Strategy]:
        """Return every declaration, by id."""
        return await self._connection.run(_all())

    async def declared_at(self) -> dict[str, datetime]:
        """Return since when each declaration stands as it is (the database's clock), by strategy id."""
        return await self._connection.run(_declared_at())
