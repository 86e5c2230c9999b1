"""Reads the audit: whether the chain holds, and whether signals and audit say the same.

Signals are read after the audit up to its heads, and what they have beyond those is looked up again, so that
publishers may go on: a revision is never seen without its audit row, nor an audit row without its revision.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from quantbus_contracts.mongo.audit_rows import COLLECTION, Entry, Head, exported, hash_of
from quantbus_contracts.mongo.documents import signal_from_row
from quantbus_contracts.mongo.steps import Row, Steps, aggregate, find, new_deadline
from quantbus_contracts.schema import AuditFinding, AuditReport, FindingKind, PublishedSignal, Revision

__all__ = ["check_audit", "exported_page"]

SIGNALS = "crypto_signals"
_AUDIT_PAGE, _SIGNAL_PAGE = 100, 2_000
_MOST_FINDINGS = 10_000
Named = tuple[str, int]
"""A signal's id and the version."""


@dataclass(slots=True)
class _Ledger:
    """What the audit of one strategy says, and what was found wrong on the way."""

    strategy_id: str
    head: Head = field(default_factory=Head)
    entries: dict[Named, tuple[str, datetime]] = field(default_factory=dict)
    """By revision: its content hash, and the server's clock when it was accepted."""
    findings: list[AuditFinding] = field(default_factory=list)
    rows: int = 0
    revisions: int = 0

    def note(self, kind: FindingKind, subject: str, reason: str) -> None:
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(AuditFinding(kind, self.strategy_id, subject, reason))

    def take(self, row: Row) -> None:
        """Follow the chain by one row and take up what it says."""
        seq, subject = row["seq"], f"row {row['seq']}"
        if seq != self.head.seq + 1:
            self.note("row_missing", subject, f"expected row {self.head.seq + 1} to come before it")
        elif row["previous_hash"] != self.head.hash:
            self.note("chain_broken", subject, f"is not chained to row {self.head.seq} as that stands")
        if row["hash"] != hash_of(row):
            self.note("row_altered", subject, "does not carry the hash of its own content")
        self.head = Head(seq, row["hash"], row["declaration"])
        self.rows += 1
        for text in row["entries"]:
            try:
                entry = Entry.parse(text)
            except ValueError:
                self.note("row_altered", subject, f"has an entry that cannot be read: {text[:80]!r}")
                continue
            revision = (entry.signal_id, entry.version)
            if revision in self.entries:
                self.note("revision_twice", _named(revision), f"stands in {subject} and in an earlier row")
            self.entries[revision] = (entry.content_hash, row["at"])


@dataclass(frozen=True, slots=True)
class _Seen:
    """A revision as a signal's document has it."""

    revision: Named
    content_hash: str
    available_at: datetime
    not_before: datetime | None
    """When the revision before it was available: of two that race, the later may carry the earlier's clock."""


def _named(revision: Named) -> str:
    return f"{revision[0]} version {revision[1]}"


def check_audit(strategy_id: str | None) -> Steps[AuditReport]:
    """Verify one strategy or all; see `quantbus_contracts.bus.audit.verify`."""
    names = [strategy_id] if strategy_id is not None else (yield from _strategies())
    ledgers = []
    for name in names:
        ledger = _Ledger(name)
        yield from _follow(ledger)
        said = set(ledger.entries)
        beyond = yield from _compare(ledger)
        for revision in sorted(said & ledger.entries.keys()):
            ledger.note("revision_missing", _named(revision), "was accepted and is not there")
        if beyond:
            yield from _follow(ledger)
            for seen in beyond:
                if seen.revision in ledger.entries:
                    _match(ledger, seen)
                else:
                    ledger.note("revision_unaudited", _named(seen.revision), "stands in no row of the audit")
        ledgers.append(ledger)
    return AuditReport(
        rows=sum(ledger.rows for ledger in ledgers),
        revisions=sum(ledger.revisions for ledger in ledgers),
        findings=tuple(finding for ledger in ledgers for finding in ledger.findings),
        heads={ledger.strategy_id: (ledger.head.seq, ledger.head.hash) for ledger in ledgers if ledger.rows},
    )


def _strategies() -> Steps[list[str]]:
    found: set[str] = set()
    for collection in (COLLECTION, SIGNALS):
        rows = yield aggregate(collection, [{"$group": {"_id": "$strategy_id"}}])
        found |= {str(row["_id"]) for row in rows}
    return sorted(found)


def _follow(ledger: _Ledger) -> Steps[None]:
    """Follow the chain from where the ledger stands to its end."""
    while True:
        yield new_deadline()
        query = {"strategy_id": {"$eq": ledger.strategy_id}, "seq": {"$gt": ledger.head.seq}}
        rows = yield find(COLLECTION, query, sort=[("seq", 1)], limit=_AUDIT_PAGE)
        for row in rows:
            try:
                ledger.take(row)
            except (KeyError, TypeError, AttributeError) as error:
                ledger.note("row_altered", f"row {row['seq']}", f"cannot be read: {error!r}")
                ledger.head = Head(row["seq"], str(row.get("hash")), ledger.head.declaration)
        if len(rows) < _AUDIT_PAGE:
            return


def _compare(ledger: _Ledger) -> Steps[list[_Seen]]:
    """Match every revision with its entry; return those that the ledger does not know (yet)."""
    beyond: list[_Seen] = []
    mine = {"strategy_id": {"$eq": ledger.strategy_id}}
    series = yield aggregate(
        SIGNALS, [{"$match": mine}, {"$group": {"_id": {"timeframe": "$timeframe", "pair": "$pair"}}}]
    )
    for one in series:
        query: Row = mine | {name: {"$eq": value} for name, value in one["_id"].items()}
        rows: list[Row] = []
        while True:
            yield new_deadline()
            later = {"ts": {"$gt": rows[-1]["ts"]}} if rows else {}
            rows = yield find(SIGNALS, query | later, sort=[("ts", 1)], limit=_SIGNAL_PAGE)
            for row in rows:
                beyond += [seen for seen in _revisions(ledger, row) if not _match(ledger, seen)]
            if len(rows) < _SIGNAL_PAGE:
                break
    return beyond


def _revisions(ledger: _Ledger, row: Row) -> Iterator[_Seen]:
    """Yield the revisions of a stored signal, oldest first, hashed anew from what they say."""
    try:
        signal = signal_from_row(row)
        stated = [state["content_hash"] for state in (*row.get("history", ()), row)]
    except (ValidationError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        ledger.note("revision_altered", str(row["_id"]), f"cannot be read: {str(error).splitlines()[0]}")
        return
    if signal.signal_id != row["_id"]:
        ledger.note("revision_altered", str(row["_id"]), "does not carry the id of its own key")
    before: datetime | None = None
    states: list[Revision | PublishedSignal] = [*signal.history, signal]
    for revision, hashed in zip(states, stated, strict=True):
        ledger.revisions += 1
        named = (str(row["_id"]), revision.version)
        if revision.signal.content_hash != hashed:
            ledger.note("revision_altered", _named(named), "does not carry the hash of its own content")
        yield _Seen(named, revision.signal.content_hash, revision.available_at, before)
        before = revision.available_at


def _match(ledger: _Ledger, seen: _Seen) -> bool:
    """Hold a revision against its entry and take that off the list; return whether there is one."""
    entry = ledger.entries.pop(seen.revision, None)
    if entry is None:
        return False
    content_hash, at = entry
    if content_hash != seen.content_hash:
        ledger.note("revision_altered", _named(seen.revision), "says something else than what was accepted")
    if seen.available_at != max(at, seen.not_before or at):
        ledger.note(
            "revision_altered",
            _named(seen.revision),
            f"is marked available at {seen.available_at.isoformat()}, it was accepted at {at.isoformat()}",
        )
    return True


def exported_page(
    start: datetime, end: datetime, strategy_id: str | None, after: tuple[datetime, str] | None
) -> Steps[tuple[list[Row], tuple[datetime, str] | None]]:
    """Return audit rows of ``[start, end)``, oldest first, and where to go on; None at the end."""
    query: Row = {"at": {"$gte": start, "$lt": end}}
    if strategy_id is not None:
        query["strategy_id"] = {"$eq": strategy_id}
    if after is not None:
        moment, name = after
        query = {"$and": [query, {"$or": [{"at": {"$gt": moment}}, {"at": moment, "_id": {"$gt": name}}]}]}
    rows = yield find(COLLECTION, query, sort=[("at", 1), ("_id", 1)], limit=_AUDIT_PAGE)
    last = (rows[-1]["at"], rows[-1]["_id"]) if len(rows) == _AUDIT_PAGE else None
    return [exported(row) for row in rows], last
