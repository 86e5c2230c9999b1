"""Writes a backup into an empty bus: every hash first, then every document, and only then is it a bus again.

While documents are written, `schema_version` says which restore is under way and into which databases, so that no
process works on half of them and no other restore mixes with it. Whoever is killed in the middle begins anew: what
stands then came from a restore alone, and is thrown away.
"""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.write_concern import WriteConcern

from quantbus_contracts.collections import COLLECTIONS, spec_of
from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.mongo.backing_up import Progress
from quantbus_contracts.mongo.backup_files import Manifest, StoredCollection, documents_in, read_manifest
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.layout import lay_out, recorded_version, server_clock
from quantbus_contracts.mongo.layout_facts import layout_faults
from quantbus_contracts.mongo.migrations import MIGRATIONS
from quantbus_contracts.mongo.refusals import REFUSED_BY_VALIDATOR
from quantbus_contracts.mongo.schema_guard import (
    BASE_VERSION,
    RESTORING,
    SCHEMA_VERSION,
    VERSIONS_COLLECTION,
    check_version,
)
from quantbus_contracts.mongo.steps import Row

__all__ = ["restore", "verify"]

_WRITE = WriteConcern(w="majority", j=True)
_BATCH_DOCUMENTS, _BATCH_BYTES = 10_000, 8 * 2**20
_BEFORE_VERSIONS = "laid out before versions were recorded"
_ASIDE = "schema_version_aside"
"""Where the versions are written before they take the place of those that stand, all at once."""


def verify(folder: Path, *, told: Progress = lambda name, documents: None) -> Manifest:
    """Read all of a backup, and check every file against the manifest; nothing is written anywhere.

    Raises
    ------
    ConfigError
        If the folder is no backup, or one of a newer release.
    ArtefactError
        If a file is missing, cut, or changed.
    """
    manifest = read_manifest(folder)
    unknown = {stored.name for stored in manifest.collections} - {spec.name for spec in COLLECTIONS}
    if manifest.schema_version > SCHEMA_VERSION or unknown:
        raise ConfigError(
            f"expected a backup of schema version {SCHEMA_VERSION} or older, found {manifest.schema_version} of "
            f"release {manifest.release}{f' with {sorted(unknown)}' if unknown else ''}: restore it with that release"
        )
    for stored in manifest.collections:
        count = sum(1 for _ in documents_in(folder, stored))
        told(stored.name, count)
    return manifest


def restore(
    connection: Connection,
    folder: Path,
    *,
    again: bool = False,
    unchecked: bool = False,
    told: Progress = lambda name, documents: None,
) -> Manifest:
    """Write a backup that has been verified into a bus without documents.

    ``again`` throws away what a restore left that was killed. ``unchecked`` also takes documents that the validators
    of this release refuse.

    Raises
    ------
    ConfigError
        If the bus holds documents, or another restore is under way or was killed.
    BusError
        If a document was refused; the bus stays marked as half restored.
    """
    manifest = verify(folder)
    with translated_errors():
        mark = _mark(connection, manifest)
        _make_room(connection, mark, again=again)
        versions = [stored for stored in manifest.collections if stored.name == VERSIONS_COLLECTION]
        for stored in manifest.collections:
            if stored not in versions:
                _write(connection, folder, stored, mark, unchecked=unchecked, told=told)
        rows = [RawBSONDocument(row) for stored in versions for row in documents_in(folder, stored)]
        _check_mark(connection, mark)
        _replace_versions(connection, rows or [_version(connection, BASE_VERSION, _BEFORE_VERSIONS)])
    return manifest


def _mark(connection: Connection, manifest: Manifest) -> Row:
    """Return the row that says which restore is under way."""
    purpose = f"restore {uuid.uuid4().hex[:8]} of {manifest.sha256[:16]} {_into(connection)}"
    return _version(connection, RESTORING, purpose)


def _into(connection: Connection) -> str:
    return "into " + ", ".join(connection.names.all().values())


def _version(connection: Connection, version: int, purpose: str) -> Row:
    return {"_id": version, "version": version, "purpose": purpose, "at": server_clock(connection)}


def _check_mark(connection: Connection, mark: Row) -> None:
    """Raise unless this restore is still the one that is under way."""
    standing = _standing_mark(connection)
    if standing is None or standing["purpose"] != mark["purpose"]:
        raise BusError("another restore into this bus began meanwhile, with --again: this one ends here")


def _standing_mark(connection: Connection) -> Row | None:
    return connection.collection(VERSIONS_COLLECTION).find_one({"_id": RESTORING})


def _make_room(connection: Connection, mark: Row, *, again: bool) -> None:
    """See to it that the bus is laid out, holds nothing, and is marked as ours."""
    version = recorded_version(connection)
    if version == RESTORING:
        _take_over(connection, mark, again=again)
        lay_out(connection)
    else:
        check_version(version)
        lay_out(connection)
        for step in MIGRATIONS:
            if step.version > version:  # nothing stands in it, and what will stand is told by the backup
                step.apply(connection)
    _check_empty(connection)
    faults = layout_faults(connection)
    if faults:
        raise ConfigError(
            f"expected a bus as this release lays it out, found {'; '.join(faults[:5])}: mend it "
            "(`quantbus doctor --only bus`), or restore into other databases"
        )
    if version != RESTORING:
        try:
            connection.collection(VERSIONS_COLLECTION).insert_one(mark)
        except DuplicateKeyError as error:
            raise ConfigError("another restore into this bus has just begun: let it end") from error


def _take_over(connection: Connection, mark: Row, *, again: bool) -> None:
    """Throw away what another restore left. It may still live: it is told first, and ends before its next batch."""
    standing = _standing_mark(connection)
    if not again:
        raise ConfigError(
            "another restore into this bus is under way, or was killed: if none runs any more, --again throws "
            "away what it left and begins anew"
        )
    if standing is None or not str(standing["purpose"]).endswith(_into(connection)):
        raise ConfigError(
            f"expected the databases of the restore that was killed, found {_into(connection)!r} where it was "
            f"{standing and standing['purpose']!r}: what stands in other databases is not its own; set "
            "QUANTBUS_MARKET_DB, QUANTBUS_SIGNALS_DB and QUANTBUS_TRADING_DB as they were then"
        )
    _replace_versions(connection, [mark])
    for spec in COLLECTIONS:
        if spec.name != VERSIONS_COLLECTION:
            _drop(connection, spec.name)


def _check_empty(connection: Connection) -> None:
    held = [
        spec.name
        for spec in COLLECTIONS
        if spec.name != VERSIONS_COLLECTION and connection.collection(spec.name).find_one({}, {"_id": 1})
    ]
    if held:
        names = ", ".join(sorted(connection.names.all().values()))
        raise ConfigError(
            f"expected a bus without documents, found some in {', '.join(held[:5])}: restore into other databases "
            f"(these are {names}; QUANTBUS_MARKET_DB, QUANTBUS_SIGNALS_DB and QUANTBUS_TRADING_DB name them) or "
            "into another server"
        )


def _replace_versions(connection: Connection, rows: Sequence[Row | RawBSONDocument]) -> None:
    """Let these versions stand instead of all others, at once: there is no moment without any."""
    spec = spec_of(VERSIONS_COLLECTION)
    database: Database[Any] = connection.client[connection.names.of(spec.name)]
    database.drop_collection(_ASIDE)
    database.create_collection(_ASIDE, validator=spec.validator, validationLevel="strict")
    aside = database.get_collection(_ASIDE, write_concern=_WRITE)
    for index in spec.indexes:
        aside.create_index(list(index.fields), unique=index.unique, name=index.name)
    try:
        aside.insert_many(rows)
    except BulkWriteError as error:
        raise _refusal(spec.name, error) from error
    aside.rename(VERSIONS_COLLECTION, dropTarget=True)


def _drop(connection: Connection, name: str) -> None:
    connection.client[connection.names.of(name)].drop_collection(name)


def _write(
    connection: Connection,
    folder: Path,
    stored: StoredCollection,
    mark: Row,
    *,
    unchecked: bool,
    told: Progress,
) -> None:
    collection = connection.client[connection.names.of(stored.name)].get_collection(
        stored.name, write_concern=_WRITE
    )
    done = 0
    for batch in _batches(documents_in(folder, stored)):
        _check_mark(connection, mark)
        try:
            collection.insert_many(batch, ordered=False, bypass_document_validation=unchecked)
        except BulkWriteError as error:
            raise _refusal(stored.name, error) from error
        done += len(batch)
        told(stored.name, done)


def _batches(documents: Iterator[bytes]) -> Iterator[list[RawBSONDocument]]:
    batch: list[RawBSONDocument] = []
    size = 0
    for document in documents:
        batch.append(RawBSONDocument(document))
        size += len(document)
        if len(batch) >= _BATCH_DOCUMENTS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _refusal(name: str, error: BulkWriteError) -> BusError:
    faults = error.details.get("writeErrors", [])
    if not faults:
        return BusError(f"the bus did not confirm documents of {name} by majority; begin anew with --again")
    code = faults[0]["code"]
    way = (
        "restore with the release that made the backup, or with --unchecked"
        if code == REFUSED_BY_VALIDATOR
        else "is anybody writing to this bus? Stop the processes and begin anew with --again"
    )
    return BusError(
        f"{len(faults)} documents of {name} were refused, the first with code {code}: {way}; "
        "until then the bus stays marked as half restored"
    )
