"""Writes a backup into an empty bus: every hash first, then every document, and only then is it a bus again.

While documents are written, `schema_version` says that a restore is under way, so that no process works on half of
them. Whoever is killed in the middle begins anew: what stands then came from a restore alone, and is thrown away.
"""

from collections.abc import Iterator
from pathlib import Path

from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError
from pymongo.write_concern import WriteConcern

from quantbus_contracts.collections import COLLECTIONS
from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.mongo.backing_up import Progress
from quantbus_contracts.mongo.backup_files import Manifest, StoredCollection, documents_in, read_manifest
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.layout import initialise, record_version, recorded_version
from quantbus_contracts.mongo.refusals import REFUSED_BY_VALIDATOR
from quantbus_contracts.mongo.schema_guard import (
    BASE_VERSION,
    RESTORING,
    SCHEMA_VERSION,
    VERSIONS_COLLECTION,
)

__all__ = ["restore", "verify"]

_WRITE = WriteConcern(w="majority", j=True)
_BATCH_DOCUMENTS, _BATCH_BYTES = 10_000, 8 * 2**20


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
        _make_room(connection, again=again)
        record_version(connection, RESTORING, f"a restore of the backup {manifest.sha256} is under way")
        versions = [stored for stored in manifest.collections if stored.name == VERSIONS_COLLECTION]
        for stored in manifest.collections:
            if stored not in versions:
                _write(connection, folder, stored, unchecked=unchecked, told=told)
        _drop(connection, VERSIONS_COLLECTION)
        initialise(connection)
        for stored in versions:
            _write(connection, folder, stored, unchecked=unchecked, told=told)
        if not any(stored.documents for stored in versions):
            record_version(connection, BASE_VERSION, "laid out before versions were recorded")
    return manifest


def _make_room(connection: Connection, *, again: bool) -> None:
    """See to it that the bus is laid out and holds nothing."""
    if recorded_version(connection) == RESTORING:
        if not again:
            raise ConfigError(
                "another restore into this bus is under way, or was killed: if none runs any more, --again throws "
                "away what it left and begins anew"
            )
        for spec in reversed(COLLECTIONS):  # the mark of the restore goes last
            if spec.name != VERSIONS_COLLECTION:
                _drop(connection, spec.name)
        _drop(connection, VERSIONS_COLLECTION)
    initialise(connection)
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


def _drop(connection: Connection, name: str) -> None:
    connection.client[connection.names.of(name)].drop_collection(name)


def _write(
    connection: Connection, folder: Path, stored: StoredCollection, *, unchecked: bool, told: Progress
) -> None:
    collection = connection.client[connection.names.of(stored.name)].get_collection(
        stored.name, write_concern=_WRITE
    )
    done = 0
    for batch in _batches(documents_in(folder, stored)):
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
