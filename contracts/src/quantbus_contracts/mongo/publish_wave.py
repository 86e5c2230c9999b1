"""One wave of a publication: rows with distinct keys, what stands on the bus, and what is to be done with each."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from quantbus_contracts.mongo.audit_log import read_with_head
from quantbus_contracts.mongo.audit_rows import Head
from quantbus_contracts.mongo.revisions import MOST_REVISIONS
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.mongo.strategies import standing
from quantbus_contracts.schema import Declaration, Signal

__all__ = ["Outcome", "RowResult", "State", "Wave", "read_state"]

COLLECTION = "crypto_signals"


class Outcome(StrEnum):
    """What became of one row."""

    INSERTED = "inserted"
    REVISED = "revised"
    UNCHANGED = "unchanged"
    STALE = "stale"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row and, where it does not stand as given, which field was to blame and why."""

    outcome: Outcome
    reason: str = ""
    field: str = ""
    value: object = None


@dataclass(frozen=True, slots=True)
class State:
    """What one question to the bus answered: the rows that stand, the head of the audit, the server's clock."""

    stored: dict[str, Row]
    head: Head
    now: datetime


@dataclass(slots=True)
class Wave:
    """Rows of one strategy on their way to the bus, by signal id."""

    signals: Mapping[str, Signal]
    hashes: Mapping[str, str]
    expected: Mapping[str, int]
    mark: str
    declaration: Declaration
    results: dict[str, RowResult] = field(default_factory=dict)
    heeded: int | None = None
    """The version of the declaration that the rows were held against."""
    room: dict[datetime, int] | None = None
    """How many more signals the declaration allows, by bar; None without such a limit."""

    @property
    def open(self) -> list[str]:
        """The rows without a result yet."""
        return [identity for identity in self.signals if identity not in self.results]

    def settle(
        self, identity: str, outcome: Outcome, reason: str = "", field: str = "", value: object = None
    ) -> None:
        """Note what became of a row."""
        self.results[identity] = RowResult(outcome, reason, field, value)

    def settle_all(self, identities: Iterable[str], outcome: Outcome) -> None:
        """Note that rows ended alike."""
        result = RowResult(outcome)
        self.results |= dict.fromkeys(identities, result)

    def give_up(self, reason: str) -> None:
        """Leave the open rows unknown."""
        self.results |= dict.fromkeys(self.open, RowResult(Outcome.UNKNOWN, reason))

    def recognise(self, state: State) -> None:
        """Settle the rows that we wrote, though the word of it never came back."""
        for identity in self.open:
            version = _version_of_mark(state.stored.get(identity, {}), self.mark)
            if version is not None:
                self.settle(identity, Outcome.INSERTED if version == 1 else Outcome.REVISED)

    def heed(self, state: State) -> Steps[None]:
        """Refuse what contradicts the declaration in force when the state was read.

        The head of the audit names its version, so the declaration itself is fetched only when it is another than
        the one we hold. A declaration goes through the same head: it cannot change before our transaction ends.
        """
        if state.head.declaration > self.declaration.version:
            fresh = yield from standing([self.declaration.strategy.strategy_id])
            self.declaration = fresh.get(self.declaration.strategy.strategy_id, self.declaration)
        if self.heeded != self.declaration.version:
            self.heeded = self.declaration.version
            rows = self.open
            found = self.declaration.strategy.contradictions(self.signals[identity] for identity in rows)
            for identity, wrong in zip(rows, found, strict=True):
                if wrong is not None:
                    self.settle(identity, Outcome.REJECTED, wrong.reason, wrong.field, wrong.value)
        self.room = yield from self._room()

    def _room(self) -> Steps[dict[datetime, int] | None]:
        most = self.declaration.strategy.max_signals_per_bar
        if most is None:
            return None
        bars = sorted({self.signals[identity].ts for identity in self.open})
        query = {
            "strategy_id": {"$eq": self.declaration.strategy.strategy_id},
            "timeframe": self.declaration.strategy.timeframe,
            "pair": {"$in": list(self.declaration.strategy.pairs)},
            "ts": {"$in": bars},
        }
        taken: defaultdict[datetime, int] = defaultdict(int)
        for row in (yield find(COLLECTION, query, {"_id": 0, "ts": 1})):
            taken[row["ts"]] += 1
        return {bar: most - taken[bar] for bar in bars}

    def sort_out(self, state: State) -> tuple[list[str], list[str]]:
        """Settle what needs no write; return the ids to insert, and those to revise."""
        missing: list[str] = []
        changed: list[str] = []
        for identity in self.open:
            found = state.stored.get(identity)
            if found is None:
                if self._may_be_new(identity):
                    missing.append(identity)
            elif self._may_be_changed(identity, found):
                changed.append(identity)
        return missing, changed

    def _may_be_new(self, identity: str) -> bool:
        expected = self.expected.get(identity, 0)
        if expected:
            self._stale(identity, expected, 0)
            return False
        if self.room is not None:
            bar = self.signals[identity].ts
            if self.room[bar] <= 0:
                most = self.declaration.strategy.max_signals_per_bar
                reason = f"strategy {self.declaration.strategy.strategy_id!r} is declared with {most} signals a bar"
                self.settle(identity, Outcome.REJECTED, reason, "ts", bar.isoformat())
                return False
            self.room[bar] -= 1
        return True

    def _may_be_changed(self, identity: str, found: Row) -> bool:
        version = int(found["version"])
        expected = self.expected.get(identity, version)
        if found["content_hash"] == self.hashes[identity]:
            self.settle(identity, Outcome.UNCHANGED)
        elif expected != version:
            self._stale(identity, expected, version)
        elif version > MOST_REVISIONS:
            reason = f"too_many_revisions: {version - 1} revisions stand already"
            self.settle(identity, Outcome.REJECTED, reason, "ts", self.signals[identity].ts.isoformat())
        else:
            return True
        return False

    def _stale(self, identity: str, expected: int, version: int) -> None:
        reason = f"expected version {expected}, the bus holds version {version}; read it, then publish again"
        self.settle(identity, Outcome.STALE, reason, "version", expected)


def _version_of_mark(found: Row, mark: str) -> int | None:
    """Return the version that a wave wrote, though another publisher may have revised it since."""
    for state in (found, *found.get("history", ())):
        if state.get("batch_id") == mark:
            return int(state["version"])
    return None


def read_state(wave: Wave, *, again: bool) -> Steps[State]:
    """Read what stands of the open rows; after a first try also whose revisions it has been since."""
    fields = ["content_hash", "version", "batch_id"]
    fields += ["history.batch_id", "history.version"] if again else []
    pipeline: list[Row] = [{"$match": {"_id": {"$in": wave.open}}}, {"$project": dict.fromkeys(fields, 1)}]
    rows, head, now = yield from read_with_head(COLLECTION, pipeline, wave.declaration.strategy.strategy_id)
    return State({row["_id"]: row for row in rows}, head, now)
