"""What stays for how long: by the table, and by what the server really does."""

from dataclasses import dataclass

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec, Database
from quantbus_contracts.collections.retention import MAY_GO
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.layout_facts import forgets_by_itself
from quantbus_contracts.mongo.steps import Row

__all__ = ["Kept", "retention", "retention_faults"]

_DAY_SECONDS = 86_400
_NOT_OF_A_VIEW = 166


@dataclass(frozen=True, slots=True)
class Kept:
    """One collection: how many documents it has, and when the server removes them by itself."""

    collection: str
    database: Database
    documents: int
    kept_days: float | None
    """After so many days since ``counted_from``; None: never."""
    counted_from: str | None
    reason: str | None
    """Why its documents may go, where they may."""
    fault: str | None
    """How the server differs from the table."""


def retention(connection: Connection) -> list[Kept]:
    """Return every collection as it is kept, in the order of the table."""
    with translated_errors():
        return [_kept(connection, spec) for spec in COLLECTIONS]


def retention_faults(connection: Connection) -> list[str]:
    """Return ``collection: how the server differs from the table``; asks for no document."""
    with translated_errors():
        collections = ((spec, _collection(connection, spec)) for spec in COLLECTIONS)
        faults = ((spec, _fault(spec, one, _removals(one))) for spec, one in collections)
        return [f"{spec.name}: {fault}" for spec, fault in faults if fault]


def _collection(connection: Connection, spec: CollectionSpec) -> Collection[Row]:
    return connection.client[connection.names.of(spec.name)][spec.name]


def _removals(collection: Collection[Row]) -> dict[str, tuple[float, str]]:
    """Return the days and the field of each index that removes documents."""
    try:
        return {
            str(index["name"]): (float(index["expireAfterSeconds"]) / _DAY_SECONDS, next(iter(index["key"])))
            for index in collection.list_indexes()
            if "expireAfterSeconds" in index
        }
    except OperationFailure as error:
        if error.code == _NOT_OF_A_VIEW:
            return {}
        raise


def _kept(connection: Connection, spec: CollectionSpec) -> Kept:
    collection = _collection(connection, spec)
    found = _removals(collection)
    days, counted_from = min(found.values(), default=(None, None))
    return Kept(
        collection=spec.name,
        database=spec.database,
        documents=collection.estimated_document_count(),
        kept_days=days,
        counted_from=counted_from,
        reason=MAY_GO.get(spec.name),
        fault=_fault(spec, collection, found),
    )


def _fault(
    spec: CollectionSpec, collection: Collection[Row], found: dict[str, tuple[float, str]]
) -> str | None:
    if forgets_by_itself(collection.options()):
        return "the collection itself forgets its oldest documents: move them to one that bus init makes"
    wanted = {
        index.name: (index.kept_days, index.fields[0][0])
        for index in spec.indexes
        if index.kept_days is not None
    }
    for name, (days, field) in found.items():
        told = f"the index {name} removes documents {days:g} days after {field}"
        if name not in wanted:
            return f"{told}, and all of them are to stay: drop it"
        if (days, field) != wanted[name]:
            agreed, since = wanted[name]
            return f"{told}, {agreed} after {since} are agreed: drop it, then run `quantbus bus init`"
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        days, _ = wanted[missing[0]]
        return (
            f"nothing is removed, {days} days are agreed: run `quantbus bus init` and `quantbus bus migrate`; if that "
            f"is not enough, drop the index {missing[0]} before"
        )
    return None
