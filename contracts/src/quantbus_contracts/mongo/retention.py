"""What stays for how long: by the table, and by what the server really does."""

from dataclasses import dataclass

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec, Database
from quantbus_contracts.collections.retention import MAY_GO
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors

__all__ = ["Kept", "retention"]

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


def _kept(connection: Connection, spec: CollectionSpec) -> Kept:
    collection = connection.client[connection.names.of(spec.name)][spec.name]
    wanted = {index.name: index.kept_days for index in spec.indexes if index.kept_days is not None}
    found = {
        str(index["name"]): (float(index["expireAfterSeconds"]) / _DAY_SECONDS, next(iter(index["key"])))
        for index in collection.list_indexes()
        if "expireAfterSeconds" in index
    }
    days, counted_from = min(found.values(), default=(None, None))
    return Kept(
        collection=spec.name,
        database=spec.database,
        documents=collection.estimated_document_count(),
        kept_days=days,
        counted_from=counted_from,
        reason=MAY_GO.get(spec.name),
        fault=_fault(wanted, {name: found_days for name, (found_days, _) in found.items()}),
    )


def _fault(wanted: dict[str, int], found: dict[str, float]) -> str | None:
    for name, days in found.items():
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
