"""What stays for how long: by the table, and by what the server really does."""

from dataclasses import dataclass

from pymongo.collection import Collection

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec, Database
from quantbus_contracts.collections.retention import MAY_GO
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.steps import Row

__all__ = ["Kept", "retention", "retention_faults"]

_DAY_SECONDS = 86_400


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
        faults = ((spec, _fault(spec, _removals(_collection(connection, spec)))) for spec in COLLECTIONS)
        return [f"{spec.name}: {fault}" for spec, fault in faults if fault]


def _collection(connection: Connection, spec: CollectionSpec) -> Collection[Row]:
    return connection.client[connection.names.of(spec.name)][spec.name]


def _removals(collection: Collection[Row]) -> dict[str, tuple[float, str]]:
    """Return the days and the field of each index that removes documents."""
    return {
        str(index["name"]): (float(index["expireAfterSeconds"]) / _DAY_SECONDS, next(iter(index["key"])))
        for index in collection.list_indexes()
        if "expireAfterSeconds" in index
    }


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
        fault=_fault(spec, found),
    )


def _fault(spec: CollectionSpec, found: dict[str, tuple[float, str]]) -> str | None:
    wanted = {index.name: index.kept_days for index in spec.indexes if index.kept_days is not None}
    for name, (days, _) in found.items():
        if name not in wanted:
            return f"the index {name} removes documents after {days:g} days, and all of them are to stay: drop it"
        if days != wanted[name]:
            return (
                f"the index {name} removes documents after {days:g} days, {wanted[name]} are agreed: mend it"
            )
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        return f"nothing is removed, {wanted[missing[0]]} days are agreed: run `quantbus bus migrate`"
    return None
