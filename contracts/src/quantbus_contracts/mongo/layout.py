"""Makes collections, unique indexes and validators from the one table; may be run any number of times."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.errors import CollectionInvalid, DuplicateKeyError, OperationFailure

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec, spec_of
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.layout_facts import validator_fault
from quantbus_contracts.mongo.schema_guard import (
    BASE_VERSION,
    SCHEMA_VERSION,
    VERSIONS_COLLECTION,
    check_version,
)
from quantbus_contracts.mongo.steps import Row

__all__ = [
    "LayoutReport",
    "initialise",
    "is_new",
    "lay_out",
    "missing_parts",
    "record_version",
    "recorded_version",
    "server_clock",
]

_DAY_SECONDS = 86_400
_NAMESPACE_EXISTS = 48


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
    ConfigError
        If the bus is newer than this code, or is being restored.
    """
    check_version(recorded_version(connection))
    return lay_out(connection)


def lay_out(connection: Connection) -> LayoutReport:
    """Do what `initialise` does, whichever version is recorded: for a restore, which has said that nobody else may."""
    created = indexes = validators = 0
    with translated_errors():
        layouts = {spec.name: _existing(connection, spec) for spec in COLLECTIONS}
        if _is_new(connection, layouts):  # written first: whoever is killed in the middle leaves no older bus
            created += _create(connection, spec_of(VERSIONS_COLLECTION))
            record_version(connection, SCHEMA_VERSION, "laid out anew")
        for spec in COLLECTIONS:
            existing = layouts[spec.name]
            if existing is None:
                created += _create(connection, spec)
                validators += 1
            elif validator_fault(existing, spec.validator):
                connection.client[connection.names.of(spec.name)].command(
                    "collMod", spec.name, **_watched_by(spec)
                )
                validators += 1
            indexes += _make_indexes(connection, spec)
    return LayoutReport(created, indexes, validators)


def is_new(connection: Connection) -> bool:
    """Tell whether nothing of ours stands in the databases, not even a version."""
    with translated_errors():
        return _is_new(connection, {spec.name: _existing(connection, spec) for spec in COLLECTIONS})


def _is_new(connection: Connection, layouts: Mapping[str, Row | None]) -> bool:
    bare = all(existing is None for name, existing in layouts.items() if name != VERSIONS_COLLECTION)
    return bare and connection.collection(VERSIONS_COLLECTION).find_one({}, {"_id": 1}) is None


def _watched_by(spec: CollectionSpec) -> Row:
    return {"validator": spec.validator, "validationLevel": "strict", "validationAction": "error"}


def recorded_version(connection: Connection) -> int:
    """Return the schema version that the bus was brought to; the first where none is recorded."""
    with translated_errors():
        newest = connection.collection(VERSIONS_COLLECTION).find_one({}, sort=[("version", -1)])
    return int(newest["version"]) if newest else BASE_VERSION


def record_version(connection: Connection, version: int, purpose: str) -> None:
    """Write down that the bus has this version now; nothing happens where that stands already."""
    with translated_errors(), suppress(DuplicateKeyError):
        connection.collection(VERSIONS_COLLECTION).insert_one(
            {"_id": version, "version": version, "purpose": purpose, "at": server_clock(connection)}
        )


def server_clock(connection: Connection) -> datetime:
    """Return the server's clock without asking which schema it has, for whoever is about to change that."""
    moment: datetime = connection.client.admin.command("hello")["localTime"]
    return moment


def missing_parts(connection: Connection) -> list[str]:
    """Return what `initialise` would make or alter, as ``collection: what`` lines; empty when all is there."""
    missing = []
    with translated_errors():
        for spec in COLLECTIONS:
            existing = _existing(connection, spec)
            if existing is None:
                missing.append(f"{spec.name}: collection")
                continue
            if validator_fault(existing, spec.validator):
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
        database.create_collection(spec.name, **_watched_by(spec))
    except CollectionInvalid:  # another initialisation was faster
        return 0
    except OperationFailure as error:  # it was, between the driver's look and the server's
        if error.code != _NAMESPACE_EXISTS:
            raise
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
        lasting: dict[str, Any] = {}
        if index.kept_days is not None:
            lasting = {"expireAfterSeconds": index.kept_days * _DAY_SECONDS}
        collection.create_index(list(index.fields), unique=index.unique, name=index.name, **lasting)
    return len(made)
