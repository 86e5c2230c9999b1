"""What the bus has not taken yet, on the disk: it survives a killed process and a bus that is away.

SQLite beside the bot's own database; every change is flushed before the call returns, those inside `together` at its
end. A disk that takes no more must not stop the bot: then it goes on in memory, and writes all of it once it can.
"""

import logging
import os
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count, islice
from pathlib import Path

from quantbus_contracts.errors import ConfigError

__all__ = ["Letter", "Outbox"]

logger = logging.getLogger(__name__)
_TABLES = """
CREATE TABLE IF NOT EXISTS letters (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, number INTEGER NOT NULL, sent INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT;
CREATE TABLE IF NOT EXISTS places (name TEXT PRIMARY KEY, moment TEXT NOT NULL) STRICT;
"""
_OWNER_ONLY = 0o600
_BUSY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Letter:
    """The newest state of one thing to tell the bus; ``number`` grows with every change."""

    kind: str
    key: str
    body: str
    number: int
    sent: bool = False


class Outbox:
    """Letters by kind and key, and named places in what was read. Freqtrade calls back from two threads."""

    def __init__(self, path: Path | None = None, *, most: int = 10_000) -> None:
        """Open or make the file; None keeps all of it in memory. At most ``most`` letters of a kind wait.

        Raises
        ------
        ConfigError
            If the file cannot be used.
        """
        self._path = path
        self._most = most
        self.lock = threading.RLock()
        """Held while anything changes; whoever keeps rows beside the outbox shares it."""
        self._waiting: defaultdict[str, dict[str, Letter]] = defaultdict(dict)
        self._kept: defaultdict[str, dict[str, Letter]] = defaultdict(dict)
        self._places: dict[str, datetime] = {}
        self._depth = 0
        self._behind = False
        self._file: sqlite3.Connection | None = None
        if path is not None:
            try:
                self._file = _open(path)
                self._load(self._file)
            except (sqlite3.Error, OSError, ValueError) as error:
                raise ConfigError(
                    f"expected an outbox in {path}, found a file that cannot be used: {error}; move it away to begin "
                    "a new one (trades are not in it, only what the bus has not heard of yet)"
                ) from None
        self._numbers = count(max((letter.number for letter in self._every()), default=0) + 1)

    def all(self, kind: str) -> list[Letter]:
        """Return the letters of a kind, sent ones that are kept among them."""
        with self.lock:
            return [*self._kept[kind].values(), *self._waiting[kind].values()]

    def unsent(self, kind: str | None = None) -> int:
        """Return how many letters, of one kind or of all, the bus has not taken."""
        with self.lock:
            return sum(len(letters) for name, letters in self._waiting.items() if kind in (None, name))

    def oldest(self, kind: str, limit: int) -> list[Letter]:
        """Return the letters of a kind that have waited longest."""
        with self.lock:
            return list(islice(self._waiting[kind].values(), limit))

    def lay(self, kind: str, key: str, body: str) -> None:
        """Keep the newest state of one thing until the bus has taken it."""
        with self.lock, self._writing() as file:
            letter = Letter(kind, key, body, next(self._numbers))
            self._kept[kind].pop(key, None)
            self._waiting[kind].pop(key, None)
            self._waiting[kind][key] = letter
            _write(file, letter)
            while len(self._waiting[kind]) > self._most:
                lost = self._waiting[kind].pop(next(iter(self._waiting[kind])))
                _remove(file, [lost])
                logger.error("the outbox is full: %s %s is lost to the bus", lost.kind, lost.key)

    def sent(self, letters: Iterable[Letter], *, keep: Collection[str] = ()) -> None:
        """Note that the bus has taken these, unless they changed meanwhile; those with a key in ``keep`` stay."""
        with self.lock, self._writing() as file:
            for letter in letters:
                if self._waiting[letter.kind].get(letter.key) != letter:
                    continue
                del self._waiting[letter.kind][letter.key]
                if letter.key in keep:
                    stays = replace(letter, sent=True)
                    self._kept[letter.kind][letter.key] = stays
                    _write(file, stays)
                else:
                    _remove(file, [letter])

    def place(self, name: str) -> datetime | None:
        """Return how far something was read; None if it never was."""
        with self.lock:
            return self._places.get(name)

    def keep_place(self, name: str, moment: datetime) -> None:
        """Keep how far something was read."""
        with self.lock:
            if self._places.get(name) == moment:
                return
            with self._writing() as file:
                self._places[name] = moment
                _write_place(file, name, moment)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Flush what changes inside once, at the end."""
        with self.lock, self._writing():
            yield

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection | None]:
        """Give the file inside a transaction; None where there is none, or it takes no more."""
        if self._file is None:
            yield None
            return
        self._depth += 1
        if self._depth == 1:
            self._begin(self._file)
        try:
            yield None if self._behind else self._file
        except sqlite3.Error as error:
            self._fall_behind(error)
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._commit(self._file)

    def _begin(self, file: sqlite3.Connection) -> None:
        was_behind, self._behind = self._behind, False
        try:
            file.execute("BEGIN IMMEDIATE")
            if was_behind:
                file.execute("DELETE FROM letters")
                for letter in self._every():
                    _write(file, letter)
                for name, moment in self._places.items():
                    _write_place(file, name, moment)
        except sqlite3.Error as error:
            self._behind = was_behind
            self._fall_behind(error)

    def _commit(self, file: sqlite3.Connection) -> None:
        if not file.in_transaction:
            return
        try:
            file.execute("ROLLBACK" if self._behind else "COMMIT")
        except sqlite3.Error as error:
            self._fall_behind(error)

    def _fall_behind(self, error: sqlite3.Error) -> None:
        if not self._behind:
            logger.error("the outbox in %s cannot be written; going on in memory: %s", self._path, error)
        self._behind = True

    def _load(self, file: sqlite3.Connection) -> None:
        rows = file.execute("SELECT kind, key, body, number, sent FROM letters ORDER BY number")
        for kind, key, body, number, sent in rows:
            place = self._kept if sent else self._waiting
            place[kind][key] = Letter(kind, key, body, number, bool(sent))
        places = file.execute("SELECT name, moment FROM places").fetchall()
        self._places = {name: datetime.fromisoformat(moment) for name, moment in places}

    def _every(self) -> Iterator[Letter]:
        for letters in (*self._kept.values(), *self._waiting.values()):
            yield from letters.values()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY))
    file = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = FULL")
    file.executescript(_TABLES)
    return file


def _write(file: sqlite3.Connection | None, letter: Letter) -> None:
    if file is not None:
        file.execute(
            "INSERT OR REPLACE INTO letters VALUES (?, ?, ?, ?, ?)",
            (letter.kind, letter.key, letter.body, letter.number, int(letter.sent)),
        )


def _write_place(file: sqlite3.Connection | None, name: str, moment: datetime) -> None:
    if file is not None:
        file.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", (name, moment.isoformat()))


def _remove(file: sqlite3.Connection | None, letters: Iterable[Letter]) -> None:
    if file is not None:
        file.executemany(
            "DELETE FROM letters WHERE kind = ? AND key = ?", [(item.kind, item.key) for item in letters]
        )
