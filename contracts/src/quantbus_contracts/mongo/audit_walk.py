"""Goes round the audit a few rows at a time, so that a broken chain shows without reading all of it at once.

`quantbus_contracts.bus.audit.verify` reads everything, and so alone finds revisions that stand in no row. The walk
holds each row against the one before it and against the revisions that it names, from the first strategy to the last,
and then begins anew. A place where something did not fit is looked at again with every step, until it fits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from quantbus_contracts.mongo.audit_rows import COLLECTION, GENESIS, Entry, hash_of
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.documents import signal_from_row
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.schema import AuditFinding, FindingKind, PublishedSignal, Revision

__all__ = ["AsyncAuditWalk", "AuditStep"]

_SIGNALS = "crypto_signals"
_ROWS, _ENTRIES = 20, 500
"""Of one step, at most; a row has at most 1,000 entries, and is taken whole."""
_MOST_BROKEN = 20
"""Places that are looked at again; a chain that is broken more often is not mended by looking."""
Place = tuple[str, int]
"""Strategy and number of a row."""


@dataclass(frozen=True, slots=True)
class AuditStep:
    """What a step of the walk has seen."""

    rows: int
    findings: tuple[AuditFinding, ...]
    """Everything that is known not to fit, now."""
    went_round: bool
    """Whether it came to the end, and the next step begins anew."""


class AsyncAuditWalk:
    """One walk; remembers where it is, where each chain ended, and where something did not fit."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Walk over ``connection``, from the beginning."""
        self._connection = connection
        self._before: Row | None = None
        self._heads: dict[str, int] = {}
        self._passed: set[str] = set()
        self._broken: dict[Place, tuple[AuditFinding, ...]] = {}

    async def step(self) -> AuditStep:
        """Look at the next rows, and again at what did not fit."""
        for place in list(self._broken)[:_MOST_BROKEN]:
            self._note(place, await self._connection.run(_again(place)))
        rows = await self._connection.run(_after(self._before))
        taken = _affordable(rows)
        signals = await self._connection.run(_named_in(taken))
        before = self._before
        for row in taken:
            self._ended(before, row)
            place = _place(row)
            self._note(place, tuple(_faults(before, row, signals)))
            self._heads[place[0]] = max(self._heads.get(place[0], 0), place[1])
            self._passed.add(place[0])
            before = row
        went_round = len(taken) == len(rows) < _ROWS
        if went_round:
            self._ended(before, None)
            for strategy_id in self._heads.keys() - self._passed:
                self._gone(strategy_id, "the whole chain is gone")
            self._passed.clear()
        self._before = None if went_round else before
        return AuditStep(
            len(taken), tuple(item for found in self._broken.values() for item in found), went_round
        )

    def _note(self, place: Place, found: Sequence[AuditFinding]) -> None:
        if found:
            self._broken[place] = tuple(found)
        else:
            self._broken.pop(place, None)

    def _ended(self, before: Row | None, row: Row | None) -> None:
        """Hold the end of a chain, where the walk comes past it, against how far it once went."""
        if before is None or (row is not None and row["strategy_id"] == before["strategy_id"]):
            return
        strategy_id, seq = _place(before)
        if self._heads.get(strategy_id, 0) > seq:
            self._gone(strategy_id, f"the chain went on to it and now ends with row {seq}")

    def _gone(self, strategy_id: str, reason: str) -> None:
        last = self._heads[strategy_id]
        self._note((strategy_id, last), [AuditFinding("row_missing", strategy_id, f"row {last}", reason)])


def _after(before: Row | None) -> Steps[list[Row]]:
    query: Row = {}
    if before is not None:
        strategy_id, seq = _place(before)
        here = {"strategy_id": {"$eq": strategy_id}, "seq": {"$gt": seq}}
        query = {"$or": [here, {"strategy_id": {"$gt": strategy_id}}]}
    rows: list[Row] = yield find(COLLECTION, query, sort=[("strategy_id", 1), ("seq", 1)], limit=_ROWS)
    return rows


def _again(place: Place) -> Steps[tuple[AuditFinding, ...]]:
    """Look at one row as it stands now, with the one before it."""
    strategy_id, seq = place
    query = {"strategy_id": {"$eq": strategy_id}, "seq": {"$in": [seq - 1, seq]}}
    rows: list[Row] = yield find(COLLECTION, query, sort=[("seq", 1)])
    if not rows or rows[-1]["seq"] != seq:
        return (AuditFinding("row_missing", strategy_id, f"row {seq}", "it was there and is gone"),)
    signals = yield from _named_in(rows[-1:])
    return tuple(_faults(rows[0] if len(rows) > 1 else None, rows[-1], signals))


def _named_in(rows: Sequence[Row]) -> Steps[dict[str, Row]]:
    """Return the stored signals that the rows name, by id."""
    ids = sorted({entry.signal_id for row in rows for entry in _entries(row)})
    if not ids:
        return {}
    found = yield find(_SIGNALS, {"_id": {"$in": ids}}, batch_size=5_000)
    return {str(row["_id"]): row for row in found}


def _affordable(rows: Sequence[Row]) -> list[Row]:
    taken: list[Row] = []
    entries = 0
    for row in rows:
        entries += len(_entries(row))
        if taken and entries > _ENTRIES:
            break
        taken.append(row)
    return taken


def _entries(row: Row) -> list[Entry]:
    entries = []
    for text in row.get("entries", ()):
        try:
            entries.append(Entry.parse(text))
        except (ValueError, AttributeError):
            continue  # the row's hash says that it was altered
    return entries


def _place(row: Row) -> Place:
    return str(row["strategy_id"]), int(row["seq"])


def _faults(before: Row | None, row: Row, signals: dict[str, Row]) -> Iterable[AuditFinding]:
    """Yield what does not fit in ``row``; ``before`` is the row that the walk passed last, of whatever strategy."""
    strategy_id, seq = _place(row)
    subject = f"row {seq}"
    if before is not None and _place(before)[0] != strategy_id:
        before = None
    expected = _place(before)[1] + 1 if before is not None else 1
    if seq != expected:
        reason = f"expected row {expected} to come before it"
        yield AuditFinding("row_missing", strategy_id, subject, reason)
    elif row.get("previous_hash") != (before["hash"] if before is not None else GENESIS):
        reason = "is not chained to the row before it as that stands"
        yield AuditFinding("chain_broken", strategy_id, subject, reason)
    if not _carries_its_hash(row):
        yield AuditFinding("row_altered", strategy_id, subject, "does not carry the hash of its own content")
    for entry in _entries(row):
        fault = _revision_fault(entry, signals.get(entry.signal_id))
        if fault is not None:
            named = f"{entry.signal_id} version {entry.version}"
            yield AuditFinding(fault[0], strategy_id, named, fault[1])


def _carries_its_hash(row: Row) -> bool:
    try:
        return bool(row.get("hash") == hash_of(row))
    except (TypeError, ValueError):
        return False


def _revision_fault(entry: Entry, stored: Row | None) -> tuple[FindingKind, str] | None:
    if stored is None:
        return "revision_missing", "was accepted and is not there"
    try:
        signal = signal_from_row(stored)
        stated = [state["content_hash"] for state in (*stored.get("history", ()), stored)]
    except (ValidationError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        return "revision_altered", f"cannot be read: {str(error).splitlines()[0]}"
    states: list[Revision | PublishedSignal] = [*signal.history, signal]
    for revision, hashed in zip(states, stated, strict=True):
        if revision.version == entry.version:
            if entry.content_hash == hashed == revision.signal.content_hash:
                return None
            return "revision_altered", "says something else than what was accepted"
    return "revision_missing", "was accepted and is not there"
