"""Makes collections, unique indexes and validators from the one table; may be run any number of times."""

from dataclasses import dataclass

from pymongo.errors import CollectionInvalid

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.steps import Row

__all__ = ["LayoutReport", "initialise", "missing_parts"]

_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class LayoutReport:
    """What an initialisation did."""

    collections_created: int
    indexes_created: int
    validators_set: int

    @property
    def changed(self) -> bool:
        """Whether anything was made or altered."""
        return bool(self.collections_created or self.indexes_created or self.validators_set)


def initialise(connection: Connection) -> LayoutReport:
    """Bring the three databases to the layout of the table: validators first, then whoever writes.

    Raises
    ------
    BusError
        If stored rows break a unique index; the message names the collection.
    """
    created = indexes = validators = 0
    with translated_errors():
        for spec in COLLECTIONS:
            existing = _existing(connection, spec)
            if existing is None:
                created += _create(connection, spec)
                validators += 1
            elif existing.get("validator") != spec.validator:
                database = connection.client[connection.names.of(spec.name)]
                database.command("collMod", spec.name, validator=spec.validator, validationLevel="strict")
                validators += 1
            indexes += _make_indexes(connection, spec)
    return LayoutReport(created, indexes, validators)


def missing_parts(connection: Connection) -> list[str]:
    """Return what `initialise` would make or alter, as ``collection: what`` lines; empty when all is there."""
    missing = []
    with translated_errors():
        for spec in COLLECTIONS:
            existing = _existing(connection, spec)
            if existing is None:
                missing.append(f"{spec.name}: collection")
                continue
            if existing.get("validator") != spec.validator:
                missing.append(f"{spec.name}: validator")
            names = _index_names(connection, spec)
            missing += [
                f"{spec.name}: index {index.name}" for index in spec.indexes if index.name not in names
            ]
    return missing


def _existing(connection: Connection, spec: CollectionSpec) -> Row | None:
    database = connection.client[connection.names.of(spec.name)]
    for found in database.list_collections(filter={"name": spec.name}):
        options: Row = found["options"]
        return options
    return None


def _create(connection: Connection, spec: CollectionSpec) -> int:
    database = connection.client[connection.names.of(spec.name)]
    try:
        database.create_collection(spec.name, validator=spec.validator, validationLevel="strict")
    except CollectionInvalid:  # another initialisation was faster
        return 0
    return 1


def _index_names(connection: Connection, spec: CollectionSpec) -> set[str]:
    collection = connection.client[connection.names.of(spec.name)][spec.name]
    return {str(index["name"]) for index in collection.list_indexes()}


def _make_indexes(connection: Connection, spec: CollectionSpec) -> int:
    collection = connection.client[connection.names.of(spec.name)][spec.name]
    present = _index_names(connection, spec)
    made = [index for index in spec.indexes if index.name not in present]
    for index in made:
        lasting = {} if index.kept_days is None else {"expireAfterSeconds": index.kept_days * _DAY_SECONDS}
        collection.create_index(list(index.fields), unique=index.unique, name=index.name, **lasting)
    return len(made)
