"""Rows of the audit: what they hold, and how each is chained to the one before it. Pure.

The hash of a row covers every field of it and the hash of the row before, from the first row of the strategy on.
Whoever alters, removes, inserts or reorders rows breaks the chain at that place.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quantbus_contracts.mongo.author import Author
from quantbus_contracts.mongo.steps import Row

__all__ = ["COLLECTION", "GENESIS", "Entry", "Head", "audit_row", "exported", "hash_of"]

COLLECTION = "signals_audit"
GENESIS = "0" * 64
"""What the first row of a strategy is chained to."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)
_UNHASHED = ("_id", "hash")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of a strategy's chain; ``declaration`` is the version that was in force."""

    seq: int = 0
    hash: str = GENESIS
    declaration: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted revision, as the audit keeps it: three words."""

    signal_id: str
    version: int
    content_hash: str

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """Read what `str` wrote.

        Raises
        ------
        ValueError
            If the text has another form.
        """
        signal_id, version, content_hash = text.split(" ")
        return cls(signal_id, int(version), content_hash)

    def __str__(self) -> str:
        return f"{self.signal_id} {self.version} {self.content_hash}"


def audit_row(
    strategy_id: str,
    head: Head,
    author: Author,
    *,
    at: datetime,
    batch_id: str,
    declaration: int,
    entries: Sequence[Entry] = (),
    declared: Row | None = None,
) -> Row:
    """Return the row that follows ``head``: of a batch its entries, of a declaration what was declared."""
    revised = sum(entry.version > 1 for entry in entries)
    row: Row = {
        "_id": f"{strategy_id}|{head.seq + 1}",
        "strategy_id": strategy_id,
        "seq": head.seq + 1,
        "batch_id": batch_id,
        "declaration": declaration,
        "entries": [str(entry) for entry in entries],
        "inserted": len(entries) - revised,
        "revised": revised,
        "published_by": author.publisher,
        "host": author.host,
        "code_version": author.code_version,
        "at": at,
        "previous_hash": head.hash,
        **({} if declared is None else {"declared": declared}),
    }
    return row | {"hash": hash_of(row)}


def hash_of(row: Row) -> str:
    """Return the hash that a row must carry: over all its fields but its name and the hash itself."""
    plain = {name: value for name, value in row.items() if name not in _UNHASHED}
    return hashlib.sha256(_CANONICAL.encode(_plain(plain)).encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def exported(row: Row) -> Row:
    """Return a row as people take it away: plain JSON values, entries taken apart."""
    entries = []
    for text in row["entries"]:
        entry = Entry.parse(text)
        entries.append(
            {"signal_id": entry.signal_id, "version": entry.version, "content_hash": entry.content_hash}
        )
    return {
        **{name: value for name, value in row.items() if name != "_id"},
        "at": row["at"].isoformat(timespec="milliseconds"),
        "entries": entries,
    }
