"""A backup on disk: a folder with one compressed file per collection, and a manifest that vouches for them.

The files are BSON in gzip, the very bytes of the server, as MongoDB's own tools read and write them. A backup appears
under its name only once it is whole and on the disk.
"""

import errno
import fcntl
import glob
import gzip
import hashlib
import io
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quantbus_contracts.collections import Database
from quantbus_contracts.errors import ArtefactError, ConfigError

__all__ = [
    "CollectionFile",
    "Manifest",
    "StoredCollection",
    "documents_in",
    "new_folder",
    "read_manifest",
    "write_manifest",
]

_MANIFEST = "manifest.json"
_LARGEST_DOCUMENT = 16 * 2**20 + 16 * 2**10
_LEVEL = 1  # a backup is made beside live trading: a fast one holds up less than a small one
_SHA256 = r"^[0-9a-f]{64}$"


class StoredCollection(BaseModel):
    """One collection of a backup: how many documents and bytes it has, and the hash of its file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: Database
    name: str = Field(pattern=r"^[a-z0-9_]{1,64}$")
    documents: int = Field(ge=0)
    document_bytes: int = Field(ge=0)
    file_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=_SHA256)

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.database}.{self.name}.bson.gz"


class Manifest(BaseModel):
    """What a backup holds, and of which instant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["quantbus backup"] = "quantbus backup"
    format: Literal[1] = 1
    made_at: datetime
    cluster_time: tuple[int, int]
    """The one instant of all documents, on the server's logical clock: seconds and increment."""
    schema_version: int = Field(ge=1)
    release: str
    server_version: str
    databases: dict[Database, str]
    collections: tuple[StoredCollection, ...]

    @property
    def sha256(self) -> str:
        """The hash of all of this; whoever knows it elsewhere knows the backup."""
        return hashlib.sha256(_canonical(self.model_dump(mode="json"))).hexdigest()

    @property
    def documents(self) -> int:
        """How many documents there are in all."""
        return sum(stored.documents for stored in self.collections)


def _canonical(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


class _Hashed:
    """A file that knows the hash and the size of what was written to it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> str:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._hash.hexdigest()

    def close(self) -> None:
        self._file.close()


class CollectionFile:
    """Writes the documents of one collection."""

    def __init__(self, folder: Path, database: Database, name: str) -> None:
        """Open the file; it must not exist."""
        self._database: Database = database
        self._name = name
        self._hashed = _Hashed(folder / f"{database}.{name}.bson.gz")
        self._packed = gzip.GzipFile("", "wb", _LEVEL, self._hashed, mtime=0)
        self._documents = self._bytes = 0

    def add(self, documents: Iterable[bytes]) -> int:
        """Write documents as they came; return how many there are by now."""
        for document in documents:
            self._packed.write(document)
            self._documents += 1
            self._bytes += len(document)
        return self._documents

    def finish(self) -> StoredCollection:
        """Bring it to the disk, and return what the manifest says of it."""
        self._packed.close()
        sha256 = self._hashed.finish()
        return StoredCollection(
            database=self._database,
            name=self._name,
            documents=self._documents,
            document_bytes=self._bytes,
            file_bytes=self._hashed.size,
            sha256=sha256,
        )

    def __enter__(self) -> "CollectionFile":
        """Give the file itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the file; what was not finished is of no use."""
        self._hashed.close()


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder, for its owner alone, that gets the name ``target`` once all in it is done and on the disk.

    What an attempt that was killed left beside it is removed, unless its process still lives.

    Raises
    ------
    ConfigError
        If ``target`` exists, or cannot be written.
    """
    if target.exists():
        raise ConfigError(f"expected a name that is free, found {str(target)!r}: name another folder")
    mark = f".{target.name}.unfinished-"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target.parent, mark)
        folder = Path(tempfile.mkdtemp(prefix=mark, dir=target.parent))
        held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield folder
            os.fsync(held)
            folder.rename(target)
            _bring_to_disk(target.parent)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            os.close(held)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise ConfigError(f"{str(target)!r} appeared meanwhile: name another folder") from error
        raise ConfigError(
            f"the backup could not be written to {str(target.parent)!r}: {error.strerror}"
        ) from error


def _remove_leftovers(parent: Path, mark: str) -> None:
    for folder in parent.glob(f"{glob.escape(mark)}*"):
        held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue  # somebody is at it
        finally:
            os.close(held)


def _bring_to_disk(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, with its own hash beside it."""
    text = json.dumps({"manifest": manifest.model_dump(mode="json"), "sha256": manifest.sha256}, indent=1)
    with (folder / _MANIFEST).open("x", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest and check it against its hash.

    Raises
    ------
    ConfigError
        If the folder is no backup.
    ArtefactError
        If the manifest is not what was written.
    """
    try:
        text = (folder / _MANIFEST).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"expected the folder of a backup, found no {_MANIFEST} to read in {str(folder)!r}"
        ) from error
    try:
        content = json.loads(text)
        manifest = Manifest.model_validate(content["manifest"])
        vouched = content["sha256"]
    except (ValueError, KeyError, TypeError, ValidationError, RecursionError) as error:
        raise ArtefactError(
            f"{_MANIFEST} of {str(folder)!r} is not one that this release wrote: {str(error)[:300]}"
        ) from error
    if len({stored.name for stored in manifest.collections}) < len(manifest.collections):
        raise ArtefactError(f"{_MANIFEST} of {str(folder)!r} names a collection twice")
    if vouched != manifest.sha256:
        raise ArtefactError(
            f"{_MANIFEST} of {str(folder)!r} was changed: it vouches for {vouched}, and is {manifest.sha256}"
        )
    return manifest


class _HashingReader(io.RawIOBase):
    """A file that hashes what is read of it."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]  # what BufferedReader gives
        count = self._file.readinto(buffer)
        self.hash.update(memoryview(buffer)[:count])
        return count


def documents_in(folder: Path, stored: StoredCollection) -> Iterator[bytes]:
    """Yield the documents of one file, and raise unless all of it, to its end, is what the manifest says.

    Raises
    ------
    ArtefactError
        If the file is missing, cut, or changed; the last document may have been given by then.
    """
    path = folder / stored.file
    if path.exists() and not path.is_file():
        raise ArtefactError(f"{path} is no file")
    count = size = 0
    try:
        with path.open("rb") as file:
            reader = _HashingReader(file)
            with gzip.GzipFile(fileobj=io.BufferedReader(reader, 2**20)) as packed:
                while size <= stored.document_bytes and (head := packed.read(4)):
                    document = head + packed.read(max(_length(head, path) - 4, 0))
                    if len(document) != _length(head, path) or document[-1] != 0:
                        raise ArtefactError(f"{path} ends in the middle of a document")
                    count, size = count + 1, size + len(document)
                    yield document
    except (OSError, EOFError, zlib.error) as error:
        raise ArtefactError(f"{path} cannot be read as it was written: {error}") from error
    if (count, size) != (stored.documents, stored.document_bytes) or reader.hash.hexdigest() != stored.sha256:
        raise ArtefactError(
            f"{path} is not what the manifest vouches for: expected {stored.documents} documents and hash "
            f"{stored.sha256}, found {count} and {reader.hash.hexdigest()}; use another backup"
        )


def _length(head: bytes, path: Path) -> int:
    length = int.from_bytes(head, "little")
    if len(head) < 4 or not 5 <= length <= _LARGEST_DOCUMENT:
        raise ArtefactError(f"{path} holds something else than documents")
    return length
