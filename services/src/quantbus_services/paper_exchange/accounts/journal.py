"""Where the records live: in a SQLite file that survives a kill, or in memory.

The file is written and synced before a request is answered, so that nothing acknowledged is lost.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from quantbus_contracts.errors import ConfigError

__all__ = ["FileJournal", "Journal", "MemoryJournal", "Row"]

Row = tuple[str, str, str]
"""Kind, key and JSON of a record."""

_FORMAT = 1


class Journal(Protocol):
    """Keeps rows; the newest row of a kind and key counts."""

    def rows(self) -> Iterator[Row]:
        """Return every row, in the order in which they came in first."""
        ...

    def write(self, rows: Iterable[Row]) -> None:
        """Keep rows, all of them or none."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class MemoryJournal:
    """Forgets everything with the process."""

    def __init__(self) -> None:
        """Start empty."""
        self._rows: dict[tuple[str, str], str] = {}

    def rows(self) -> Iterator[Row]:
        """Return every row."""
        return iter([(kind, key, body) for (kind, key), body in self._rows.items()])

    def write(self, rows: Iterable[Row]) -> None:
        """Keep rows."""
        self._rows.update({(kind, key): body for kind, key, body in rows})

    def close(self) -> None:
        """Do nothing."""


class FileJournal:
    """One SQLite file, used by one exchange at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises
        ------
        ConfigError
            If it cannot be opened, is no state file, or is in use by another exchange.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=2, isolation_level=None, check_same_thread=False)
            # An exclusive lock for as long as the exchange lives: two exchanges on one file would undo
            # each other's orders.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA synchronous = FULL")
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            (tables,) = self._database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if version not in (0, _FORMAT) or (version == 0 and tables):
                raise ConfigError(
                    f"--state: expected a state file of a paper exchange, found another database: {path}"
                )
            self._database.execute("BEGIN EXCLUSIVE")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS records "
                "(place INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, "
                "UNIQUE (kind, key))"
            )
            self._database.execute(f"PRAGMA user_version = {_FORMAT}")
            self._database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"--state: expected a state file that can be written and that no other exchange uses, "
                f"found {str(path)!r} ({error})"
            ) from None

    def rows(self) -> Iterator[Row]:
        """Return every row."""
        return iter(self._database.execute("SELECT kind, key, body FROM records ORDER BY place").fetchall())

    def write(self, rows: Iterable[Row]) -> None:
        """Keep rows, synced to the disk."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany(
                "INSERT INTO records (kind, key, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
                rows,
            )
            self._database.execute("COMMIT")
        except sqlite3.Error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
