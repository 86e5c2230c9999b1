"""The claims file: SQLite, flushed to the disk before the order goes out, and held by one process at a time.

The bus plays no part in it: a claim must be possible to check while the bus is away, and must not be lost with it. A
rollback journal with ``synchronous=EXTRA`` costs a few milliseconds for each order and is one plain file that can be
copied, also on a network volume. A lock of the kernel on a file beside it ends with the process, however that ends.
"""

import fcntl
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from quantbus_contracts.errors import ConfigError
from quantbus_executor.claims.claim import MOST_ATTEMPTS, Claim, ClaimState, Wish

__all__ = ["ClaimRegister"]

_LAYOUT = "1"
_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT OR IGNORE INTO about VALUES ('layout', '1');
CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY, signal_id TEXT NOT NULL, version INTEGER NOT NULL, pair TEXT NOT NULL, side TEXT NOT NULL,
    amount REAL NOT NULL, rate REAL NOT NULL, leverage REAL NOT NULL, trade_id INTEGER,
    state TEXT NOT NULL, attempts INTEGER NOT NULL, process TEXT NOT NULL, claimed_at TEXT NOT NULL,
    settled_at TEXT, order_id TEXT, note TEXT, told INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS claims_by_state ON claims (state, pair);
CREATE INDEX IF NOT EXISTS claims_by_order ON claims (order_id, pair);
CREATE INDEX IF NOT EXISTS claims_untold ON claims (told) WHERE told = 0;
"""
_CLAIM = """
INSERT INTO claims VALUES (:key, :signal_id, :version, :pair, :side, :amount, :rate, :leverage, :trade_id,
    'open', 1, :process, :claimed_at, NULL, NULL, NULL, 0)
ON CONFLICT (key) DO UPDATE SET version = excluded.version, pair = excluded.pair, side = excluded.side,
    amount = excluded.amount, rate = excluded.rate, leverage = excluded.leverage, trade_id = excluded.trade_id,
    state = 'open', attempts = attempts + 1, process = excluded.process, claimed_at = excluded.claimed_at,
    settled_at = NULL, order_id = NULL, note = NULL, told = 0
WHERE state = 'released' AND attempts < :most
"""
_OWNER_ONLY = 0o600


class ClaimRegister:
    """Claims by key. Freqtrade calls back from two threads, so every access goes through one lock."""

    def __init__(self, path: Path, *, exclusive: bool = True) -> None:
        """Open or make the file. ``exclusive`` is for the bot; a command that only looks goes without.

        Raises
        ------
        ConfigError
            If another process holds the file, or it cannot be a claims file.
        """
        self.path = path
        self.process = uuid.uuid4().hex
        """Which run of the bot this is."""
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._held = _hold(path) if exclusive else None
        try:
            self._file = _open(path)
            self.identity = self._identity()
            """Which file it is: made up when it was made, never changed."""
        except (sqlite3.Error, OSError) as error:
            self._let_go()
            raise ConfigError(
                f"expected a claims file in {path}, found one that cannot be used: {error}"
            ) from None

    def claim(self, wish: Wish, now: datetime) -> bool:
        """Write a claim and return once it is on the disk; False, with nothing written, where it must not be."""
        values = {name: getattr(wish, name) for name in Wish.__slots__}
        values |= {"key": wish.key, "process": self.process, "claimed_at": _text(now), "most": MOST_ATTEMPTS}
        with self._writing() as file:
            return file.execute(_CLAIM, values).rowcount == 1

    def settle(
        self,
        claim: Claim,
        state: ClaimState,
        now: datetime,
        *,
        order_id: str | None = None,
        note: str | None = None,
    ) -> bool:
        """Note what became of a claim, unless it has changed since it was read; tell whether it was noted."""
        with self._writing() as file:
            changed = file.execute(
                "UPDATE claims SET state = ?, settled_at = ?, order_id = ?, note = ?, told = 0 "
                "WHERE key = ? AND state = ? AND attempts = ?",
                (state, _text(now), order_id, note, claim.wish.key, claim.state, claim.attempts),
            )
            return changed.rowcount == 1

    def tell(self, claim: Claim) -> None:
        """Note that the ledger knows what became of a claim."""
        with self._writing() as file:
            file.execute(
                "UPDATE claims SET told = 1 WHERE key = ? AND state = ? AND attempts = ?",
                (claim.wish.key, claim.state, claim.attempts),
            )

    def get(self, key: str) -> Claim | None:
        """Return the claim under a key: a signal's id for its entry, with ``:version`` for an increase."""
        return next(iter(self._read("WHERE key = ?", key)), None)

    def in_state(self, state: ClaimState) -> list[Claim]:
        """Return the claims of one state, oldest first."""
        return self._read("WHERE state = ? ORDER BY claimed_at", state)

    def blocking(self, pair: str) -> Claim | None:
        """Return a claim for which a pair must wait; None if there is none."""
        return next(iter(self._read("WHERE state IN ('open', 'unknown') AND pair = ?", pair)), None)

    def has_order(self, order_id: str, pair: str) -> bool:
        """Tell whether an order of the venue is accounted for by a claim."""
        return bool(self._read("WHERE order_id = ? AND pair = ?", order_id, pair))

    def untold(self) -> list[Claim]:
        """Return the claims of which the ledger does not know yet how they stand."""
        return self._read("WHERE told = 0")

    def all(self) -> list[Claim]:
        """Return every claim, oldest first."""
        return self._read("ORDER BY claimed_at")

    def close(self) -> None:
        """Close the file and let others have it."""
        with self._lock:
            self._file.close()
        self._let_go()

    def _read(self, where: str, *values: str) -> list[Claim]:
        with self._lock:
            rows = self._file.execute(f"SELECT * FROM claims {where}", values).fetchall()  # noqa: S608  # ours
        return [_claim(row) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield self._file
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:  # a full disk may have ended it already
                    self._file.execute("ROLLBACK")
                raise

    def _identity(self) -> str:
        with self._writing() as file:
            file.execute("INSERT OR IGNORE INTO about VALUES ('identity', ?)", (uuid.uuid4().hex,))
        known = dict(self._pairs())
        if known["layout"] != _LAYOUT:
            raise ConfigError(
                f"expected a claims file of layout {_LAYOUT} in {self.path}, found layout {known['layout']}: "
                "it was written by another version of quantbus"
            )
        return known["identity"]

    def _pairs(self) -> Iterable[tuple[str, str]]:
        with self._lock:
            return [(row["name"], row["value"]) for row in self._file.execute("SELECT * FROM about")]

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            os.close(held)


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY))
    file = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    file.row_factory = sqlite3.Row
    file.execute("PRAGMA journal_mode = DELETE")
    file.execute("PRAGMA synchronous = EXTRA")
    file.executescript(_TABLES)
    _flush_folder(path.parent)  # or the file itself may be gone after a power cut
    return file


def _hold(path: Path) -> int:
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, _OWNER_ONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ConfigError(
            f"expected the claims file {path} for this bot alone, found another bot that runs with it: stop that one, "
            "or give this one a database (db_url) and a consumer_id of its own"
        ) from None
    return descriptor


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _claim(row: sqlite3.Row) -> Claim:
    wish = Wish(**{name: row[name] for name in Wish.__slots__})
    return Claim(
        wish=wish,
        state=ClaimState(row["state"]),
        attempts=row["attempts"],
        process=row["process"],
        claimed_at=datetime.fromisoformat(row["claimed_at"]),
        settled_at=datetime.fromisoformat(row["settled_at"]) if row["settled_at"] else None,
        order_id=row["order_id"],
        note=row["note"],
        told=bool(row["told"]),
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
