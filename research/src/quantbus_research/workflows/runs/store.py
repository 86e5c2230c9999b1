"""Keeps artefacts in folders named by their keys: whole or not there, and handed out only if they are what was written.

``<root>/<key[:2]>/<key>/`` holds ``tables/*.arrow``, ``texts/*``, ``facts.json``, and ``artefact.json`` with the
SHA-256 of each. Several processes may read and write it at once.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from quantbus_contracts.errors import ArtefactError
from quantbus_research.registry import one_writer, settle_folder, write_file
from quantbus_research.settings.nodes import ArtefactType
from quantbus_research.workflows.nodes import Artefact, Json
from quantbus_research.workflows.runs.tables import read_table, write_table

__all__ = ["ArtefactStore", "Stored", "identity_of"]

FORMAT = 1
_INFO, _FACTS = "artefact.json", "facts.json"
_NAME = re.compile(r"^(?!\.)[A-Za-z0-9_.-]{1,128}$")
_DRAFT = ".draft-"
_CHUNK = 1 << 20
_STALE = timedelta(hours=6)
"""What was not used for so long may be thrown away, and a draft of that age belongs to nobody."""


class Stored(BaseModel):
    """What is known of an artefact without reading it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    type: ArtefactType
    rows: int
    files: Mapping[str, str]
    """SHA-256 by path in the folder."""
    facts: Mapping[str, Json]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of all of it."""
        told = json.dumps([self.type, dict(sorted(self.files.items()))], separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def without_facts(self) -> "Stored":
        """The same with tables and texts alone."""
        files = {name: digest for name, digest in self.files.items() if name != _FACTS}
        return Stored(type=self.type, rows=self.rows, files=files, facts={})


@dataclass(frozen=True, slots=True)
class _Sink:
    """Hashes what is written to it and passes it on, if there is somewhere to pass it on to."""

    digest: "hashlib._Hash"
    file: IO[bytes] | None

    closed = False

    def write(self, chunk: bytes) -> int:
        self.digest.update(chunk)
        if self.file is not None:
            self.file.write(chunk)
        return len(chunk)

    def flush(self) -> None:
        if self.file is not None:
            self.file.flush()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """The file is closed by who opened it."""


def identity_of(artefact: Artefact) -> Stored:
    """Say what an artefact would be if it were stored; nothing is written."""
    return _described(artefact, lambda name, fill: _hashed(None, fill))


class ArtefactStore:
    """Artefacts by key."""

    def __init__(self, root: Path) -> None:
        """Keep everything under ``root``, which need not be there."""
        self._root = root

    def folder(self, key: str) -> Path:
        """Return where an artefact lies, or would lie."""
        return self._root / key[:2] / key

    def find(self, key: str, *, now: datetime | None = None) -> Stored | None:
        """Return what stands under a key, once every file of it has the hash it was written with; None if not all do.

        With ``now`` it counts as used.
        """
        stored = self._described(key)
        if stored is None:
            return None
        folder = self.folder(key)
        if any(_hash_of(folder / name) != digest for name, digest in stored.files.items()):
            return None
        if now is not None:
            self._touch(folder, now)
        return stored

    def is_damaged(self, key: str) -> bool:
        """Tell whether something stands under a key that is not what was written."""
        return self.folder(key).is_dir() and self.find(key) is None

    def read(self, key: str) -> Artefact:
        """Return the artefact under a key, which `find` has found sound or `save` has written.

        Raises
        ------
        ArtefactError
            If it is not there, or cannot be read.
        """
        stored, folder = self._described(key), self.folder(key)
        if stored is None:
            raise ArtefactError(
                f"expected an artefact in {folder}, found none that can be read; run it again"
            )
        try:
            tables = {
                Path(name).stem: read_table(str(folder / name))
                for name in stored.files
                if name.startswith("tables/")
            }
            texts = {
                Path(name).name: (folder / name).read_bytes().decode()
                for name in stored.files
                if name.startswith("texts/")
            }
        except (OSError, ValueError) as error:  # of Arrow too: what it cannot read is a ValueError
            raise ArtefactError(f"cannot read the artefact in {folder}: {error}; run it again") from None
        return Artefact(stored.type, tables, texts, stored.facts)

    def save(self, key: str, artefact: Artefact) -> Stored:
        """Store an artefact; what stood there is replaced, unless it is the same and sound.

        Raises
        ------
        ArtefactError
            If the disk does not take it.
        """
        try:
            return self._save(key, artefact)
        except OSError as error:
            raise ArtefactError(
                f"cannot keep an artefact in {self._root}: {error.strerror or error}; make room there, "
                "or choose another QUANTBUS_HOME"
            ) from None

    def trim(self, limit_bytes: int, now: datetime) -> int:
        """Throw away what was used longest ago until all takes at most so many bytes; return how many were freed.

        What was used within hours stays, whatever it takes: it may be some run's that goes on.
        """
        with one_writer(self._root / ".lock"):
            self._sweep(now)
            entries = sorted(self._entries())
            taken = sum(size for _, size, _ in entries)
            freed = 0
            for used, size, folder in entries:
                if taken - freed <= limit_bytes or used > (now - _STALE).timestamp():
                    break
                shutil.rmtree(folder, ignore_errors=True)
                freed += size
        return freed

    def _save(self, key: str, artefact: Artefact) -> Stored:
        self._root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_DRAFT, dir=self._root) as workplace:
            draft = Path(workplace) / "new"
            for part in ("tables", "texts"):
                (draft / part).mkdir(parents=True)
            stored = _described(artefact, lambda name, fill: _hashed(draft / name, fill))
            write_file(draft / _INFO, stored.model_dump_json(indent=1) + "\n")
            for folder in (draft / "tables", draft / "texts", draft):
                settle_folder(folder)
            self._put(draft, Path(workplace) / "old", key, stored)
        return stored

    def _put(self, draft: Path, old: Path, key: str, stored: Stored) -> None:
        target = self.folder(key)
        with one_writer(self._root / ".lock"):
            found = self.find(key)
            if found is not None and found.sha256 == stored.sha256:
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                target.rename(old)
            draft.rename(target)
            settle_folder(target.parent)

    def _described(self, key: str) -> Stored | None:
        try:
            stored = Stored.model_validate_json((self.folder(key) / _INFO).read_bytes())
        except (OSError, ValidationError):
            return None
        inside = all(_is_inside(name) for name in stored.files)
        return stored if stored.format == FORMAT and inside else None

    def _touch(self, folder: Path, now: datetime) -> None:
        try:
            os.utime(folder / _INFO, (now.timestamp(), now.timestamp()))
        except OSError:
            return  # on a disk that may only be read nothing is thrown away either

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        for folder in self._root.glob("[0-9a-f][0-9a-f]/*"):
            try:
                used = (folder / _INFO).stat().st_mtime
                size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            except OSError:
                continue
            yield used, size, folder

    def _sweep(self, now: datetime) -> None:
        for draft in self._root.glob(f"{_DRAFT}*"):
            if draft.stat().st_mtime < (now - _STALE).timestamp():
                shutil.rmtree(draft, ignore_errors=True)


Fill = Callable[[IO[bytes]], None]


def _described(artefact: Artefact, hashed: Callable[[str, Fill], str]) -> Stored:
    fills: dict[str, Fill] = {}
    for name, table in artefact.tables.items():
        fills[_path("tables", f"{name}.arrow")] = partial(write_table, table)
    for name, text in artefact.texts.items():
        fills[_path("texts", name)] = partial(_write, text)
    try:
        facts = json.dumps(dict(artefact.facts), sort_keys=True, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ArtefactError(f"facts: expected what JSON can say, found {artefact.facts!r}: {error}") from None
    fills[_FACTS] = partial(_write, facts)
    files = {name: hashed(name, fill) for name, fill in fills.items()}
    return Stored(type=artefact.type, rows=artefact.rows, files=files, facts=json.loads(facts))


def _write(text: str, sink: IO[bytes]) -> None:
    sink.write(text.encode())


def _path(part: str, name: str) -> str:
    if not _NAME.match(name):
        raise ArtefactError(f"expected letters, digits, '_', '-' and '.' (not first), found {name!r}")
    return f"{part}/{name}"


def _is_inside(name: str) -> bool:
    part, _, rest = name.rpartition("/")
    return part in ("", "tables", "texts") and bool(_NAME.match(rest))


def _hashed(path: Path | None, fill: Fill) -> str:
    digest = hashlib.sha256()
    if path is None:
        fill(_Sink(digest, None))  # type: ignore[arg-type]  # as much of a file as is needed
        return digest.hexdigest()
    with path.open("wb") as file:
        fill(_Sink(digest, file))  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _hash_of(path: Path) -> str | None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()
