"""Judging: what the newest signal of a pair asks for is decided, noted in the ledger, and offered to Freqtrade."""

from collections import Counter
from datetime import datetime

from quantbus_contracts.policy import (
    LASTING,
    RESTRAINTS,
    Decision,
    DecisionKind,
    Position,
    Reason,
    TradingRules,
    decide,
    final_reason,
)
from quantbus_contracts.schema import Execution, PublishedSignal
from quantbus_executor.acting.entries import Entries
from quantbus_executor.guard import fails_to
from quantbus_executor.hearing.surroundings import Surroundings
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.rows import is_acted_entry, refused, seen, superseded, waiting

__all__ = ["Judge"]


class Judge:
    """Judges each pair's newest signal once a loop."""

    def __init__(
        self, *, journal: Journal, entries: Entries, surroundings: Surroundings, rules: TradingRules
    ) -> None:
        """Note in ``journal``, offer to ``entries``."""
        self._journal = journal
        self._entries = entries
        self._surroundings = surroundings
        self._rules = rules
        self.holds: Counter[str] = Counter()
        """How many signals were held back since the start, by what."""

    @fails_to(None)  # a pair that cannot be judged is not offered, and must not silence the others
    def consider(self, published: PublishedSignal, position: Position | None, now: datetime) -> None:
        """Judge a signal against what is held of its pair, note it in the ledger, offer it where it may be entered."""
        around = self._surroundings.of(published.signal.pair, entering=position is None)
        decision = decide(published, position, now, self._rules, around)
        self._overtake(published)
        former = self._journal.row(published.signal_id)
        if former is not None and is_acted_entry(former) and decision.kind is not DecisionKind.EXIT:
            return  # it has had its one entry: a later revision can only end it
        row = seen(published, former, consumer_id=self._journal.consumer_id, now=now, rules=self._rules)
        self._journal.put(self._judged(row, published, decision), published.signal.ref_price)

    def _judged(self, row: Execution, published: PublishedSignal, decision: Decision) -> Execution:
        match decision.kind:
            case DecisionKind.ENTER:
                refusal = self._entries.offer(published, decision)
                if refusal in RESTRAINTS:  # it may pass while the signal is in time
                    return self._waiting(row, refusal)
                if refusal is not None:
                    return refused(row, refusal)
                over = row.reason in RESTRAINTS  # it was in the way, and is not any more
                return waiting(row, None) if over else row
            case DecisionKind.EXIT if decision.signal_id is None:
                return self._waiting(row, decision.reason)
            case DecisionKind.EXIT:
                another = decision.signal_id != published.signal_id
                return waiting(row, Reason.IN_POSITION if another else decision.reason)
            case DecisionKind.HOLD:
                if decision.final and decision.reason is not None:
                    return refused(row, final_reason(row.reason, decision.reason))
                return (
                    row if self._is_noted_by_resizing(row, decision) else self._waiting(row, decision.reason)
                )

    def _is_noted_by_resizing(self, row: Execution, decision: Decision) -> bool:
        """Tell whether why a position is not brought to the signal's weight says more than that it is held."""
        resizes = self._rules.drift_band is not None and decision.reason is Reason.IN_POSITION
        return resizes and row.reason in LASTING

    def _waiting(self, row: Execution, reason: Reason | None) -> Execution:
        """Note what a signal waits for, and count it where that is a restraint."""
        noted = waiting(row, reason)
        if noted is not row and reason in RESTRAINTS:
            self.holds[f"held_{reason}"] += 1
        return noted

    def _overtake(self, published: PublishedSignal) -> None:
        for row in self._journal.waiting_of(published.signal.pair):
            if row.signal_id != published.signal_id:
                self._journal.put(superseded(row))
