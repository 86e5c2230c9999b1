"""Copies the three databases as they stood at one instant, while everybody goes on writing.

Every collection is read at the same cluster time, that of the first read. The server keeps its past for
``minSnapshotHistoryWindowInSeconds`` (five minutes unless told otherwise); a backup that takes longer fails, and
says so.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bson import MaxKey
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo.errors import OperationFailure, PyMongoError

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec
from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.mongo.backup_files import (
    CollectionFile,
    Manifest,
    StoredCollection,
    new_folder,
    write_manifest,
)
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.layout import recorded_version

__all__ = ["Progress", "back_up"]

Progress = Callable[[str, int], None]
"""Told of a collection, and how many of its documents are done."""

# The id of a page's last document is read, to go on after it: also one that is a date past the year 9999.
_UNDECODED: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_WINDOW = "minSnapshotHistoryWindowInSeconds"
_SNAPSHOT_TOO_OLD, _SNAPSHOT_UNAVAILABLE = 239, 246
_PAGE = 10_000


def back_up(
    connection: Connection,
    target: Path,
    *,
    window_seconds: int | None = None,
    told: Progress = lambda name, documents: None,
) -> Manifest:
    """Write all collections, as of one instant, to the new folder ``target``.

    ``window_seconds`` makes the server keep its past for so long meanwhile; that is an administrator's right.

    Raises
    ------
    BusError
        If the server gave up the instant before everything was read.
    ConfigError
        If the folder exists or cannot be written, this user may not read everything, or there is no bus.
    """
    made_at = connection.server_now()
    standing = _standing(connection)
    with new_folder(target) as folder, translated_errors(), _window(connection, window_seconds):
        schema = recorded_version(connection)
        with _clear_words():
            instant = _instant(connection, standing)
            stored = [_copy(connection, instant, spec, folder, told) for spec in COLLECTIONS]
        manifest = Manifest(
            made_at=made_at,
            cluster_time=(instant.time, instant.inc),
            schema_version=schema,
            release=version("quantbus-contracts"),
            server_version=str(connection.client.server_info()["version"]),
            databases=connection.names.all(),
            collections=tuple(stored),
        )
        write_manifest(folder, manifest)
    return manifest


def _standing(connection: Connection) -> str:
    """Return a collection that stands; raise unless each of the three databases has some of ours.

    A name that nobody laid out would give a backup of nothing, found out on the day it is needed.
    """
    found = ""
    with translated_errors():
        for kind, name in connection.names.all().items():
            stand = set(connection.client[name].list_collection_names())
            ours = [spec.name for spec in COLLECTIONS if spec.database == kind and spec.name in stand]
            if not ours:
                raise ConfigError(
                    f"expected a bus, found none of its collections in the database {name!r}: check "
                    f"QUANTBUS_{kind.upper()}_DB and the address, or run `quantbus bus init`"
                )
            found = ours[0]
    return found


def _instant(connection: Connection, standing: str) -> Timestamp:
    """Return the newest instant that a majority has, by asking a collection that stands."""
    reply = connection.client[connection.names.of(standing)].command(
        {"find": standing, "limit": 1, "singleBatch": True, "readConcern": {"level": "snapshot"}}
    )
    instant: Timestamp = reply["cursor"]["atClusterTime"]
    return instant


def _copy(
    connection: Connection, instant: Timestamp, spec: CollectionSpec, folder: Path, told: Progress
) -> StoredCollection:
    with CollectionFile(folder, spec.database, spec.name) as file:
        for batch in _batches(connection, instant, spec.name):
            told(spec.name, file.add(batch))
        return file.finish()


def _batches(connection: Connection, instant: Timestamp, name: str) -> Iterator[list[bytes]]:
    """Yield all documents in the order of their ids: question after question, each with its own time-out.

    A page begins at the last id by bounds of the index, which hold over ids of every type, unlike a comparison.
    """
    database = connection.client[connection.names.of(name)]
    page: dict[str, Any] = {
        "find": name,
        "sort": {"_id": 1},
        "hint": {"_id": 1},
        "limit": _PAGE,
        "batchSize": _PAGE,
        "singleBatch": True,
        "readConcern": {"level": "snapshot", "atClusterTime": instant},
    }
    last: Any = None
    while found := database.command(page, codec_options=_UNDECODED)["cursor"]["firstBatch"]:
        yield [document.raw for document in found]
        last = found[-1]["_id"]
        page |= {"min": {"_id": last}, "skip": 1}
    if "min" in page and last != MaxKey():  # the one id that lies beyond every bound
        del page["min"], page["skip"]
        found = database.command(page | {"filter": {"_id": MaxKey()}}, codec_options=_UNDECODED)["cursor"][
            "firstBatch"
        ]
        if found:
            yield [document.raw for document in found]


@contextmanager
def _clear_words() -> Iterator[None]:
    """Say what to do where the server no longer, or not yet, knows the instant."""
    try:
        yield
    except OperationFailure as error:
        if error.code == _SNAPSHOT_TOO_OLD:
            raise BusError(
                f"the backup took longer than the server keeps its past ({_WINDOW}, 300 seconds by default): "
                "give --window-seconds, as an administrator; nothing was kept of this attempt"
            ) from error
        if error.code == _SNAPSHOT_UNAVAILABLE:
            raise BusError(
                "a collection or an index was made while the backup began; nothing was kept of it, try again"
            ) from error
        raise


@contextmanager
def _window(connection: Connection, seconds: int | None) -> Iterator[None]:
    """Let the server keep its past for so long, and then for as long as before."""
    if seconds is None:
        yield
        return
    admin = connection.client.admin
    before = admin.command({"getParameter": 1, _WINDOW: 1})[_WINDOW]
    admin.command({"setParameter": 1, _WINDOW: max(seconds, before)})
    try:
        yield
    finally:
        with suppress(PyMongoError):
            admin.command({"setParameter": 1, _WINDOW: before})
