"""What the strategy's callbacks delegate to: one loop asks the bus once, the rest acts upon that answer."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pandas as pd

from quantbus_contracts.policy import (
    RESTRAINTS,
    Decision,
    DecisionKind,
    Position,
    PositionSide,
    Reason,
    TradingRules,
    decide,
    entry_stake,
    final_reason,
    is_below_minimum,
)
from quantbus_contracts.schema import Execution, PublishedSignal
from quantbus_executor.book import OrderRecord, TradeBook, TradeRecord
from quantbus_executor.bookkeeping import Bookkeeper
from quantbus_executor.columns import mark_entry
from quantbus_executor.feed import SignalFeed
from quantbus_executor.gate import EntryGate
from quantbus_executor.guard import fails_to
from quantbus_executor.heartbeat import Pulse
from quantbus_executor.journal import Journal
from quantbus_executor.ledger import (
    accepted,
    entry_action,
    exit_action,
    is_acted_entry,
    refused,
    seen,
    superseded,
    waiting,
    with_changes,
)
from quantbus_executor.patience import Patience
from quantbus_executor.positions import Positions
from quantbus_executor.restraints import Restraints
from quantbus_executor.surroundings import Surroundings
from quantbus_executor.tags import FORCED_ENTRY, exit_tag

__all__ = ["SignalFollower"]

logger = logging.getLogger(__name__)
_READ_BACK_BUDGET = timedelta(milliseconds=200)


class SignalFollower:
    """Follows one strategy's signals with one bot."""

    def __init__(
        self,
        *,
        feed: SignalFeed,
        journal: Journal,
        gate: EntryGate,
        bookkeeper: Bookkeeper,
        book: TradeBook,
        pulse: Pulse,
        restraints: Restraints,
        rules: TradingRules,
        patience: Patience,
    ) -> None:
        """Put the parts together; nothing is asked of the bus before the first loop."""
        self._feed = feed
        self._journal = journal
        self._gate = gate
        self._bookkeeper = bookkeeper
        self._book = book
        self._pulse = pulse
        self._surroundings = Surroundings(feed, restraints, book, rules)
        self._rules = rules
        self._patience = patience
        self._holds: Counter[str] = Counter()
        self._positions = Positions()
        self._offers: dict[str, Decision] = {}

    def on_loop(self, whitelist: Sequence[str]) -> None:
        """Ask the bus once for all pairs and decide about each; without an answer nothing is offered to enter."""
        self._offers = {}
        trades = self._book.open_trades()
        self._positions.forget_all_but(trades)
        held = {trade.pair: self._positions.of(trade) for trade in trades}
        pairs = sorted({*whitelist, *held})
        with self._patience.asking():
            if not self._surroundings.ask(pairs, self._patience.stretch()):
                return
        now = self._feed.now()
        heard = [published for pair in pairs if (published := self._feed.newest(pair))]
        with self._patience.telling():
            self._bookkeeper.recover()
            self._bookkeeper.settle(now)
            self._bookkeeper.end_unheard({published.signal.pair for published in heard}, now)
            known = self._bookkeeper.with_known_past(heard, _READ_BACK_BUDGET)
            self._bookkeeper.rebuild(_READ_BACK_BUDGET)
            for published in known:
                self._consider(published, held.get(published.signal.pair), now)
            if self._journal.flush():
                self._pulse.beat_if_due(now, self._detail(pairs, held))

    def mark_entry(self, frame: pd.DataFrame, pair: str) -> pd.DataFrame:
        """Return the frame with its last row marked if the pair's newest signal is to be entered now."""
        offer = self._offers.get(pair)
        return mark_entry(frame, offer.side if offer else None, offer.signal_id if offer else None)

    def stake(
        self,
        pair: str,
        tag: str | None,
        proposed: float,
        capital: float,
        maximum: float,
        minimum: float | None = None,
    ) -> float:
        """Return the stake of an entry; 0.0, which Freqtrade takes for no trade, where there is no sound one."""
        if tag == FORCED_ENTRY:
            return proposed
        published, side = self._offered(pair, tag), self._side_offered(pair)
        if published is None or side is None:
            return 0.0
        scale = self._surroundings.stake_scale(published.signal, side)
        stake = entry_stake(published.signal, proposed, capital, maximum=maximum, scale=scale)
        if stake == 0.0:
            self._hold_back(published.signal_id, Reason.STAKE_INVALID)
        elif is_below_minimum(stake, minimum):
            self._hold_back(published.signal_id, Reason.STAKE_BELOW_MINIMUM)
            return 0.0
        return stake

    def confirm_entry(self, pair: str, tag: str | None, side: str) -> bool:
        """Return whether an entry may be ordered: everything is checked again, at this moment."""
        if tag == FORCED_ENTRY:
            return self._confirm_forced(pair)
        published = self._offered(pair, tag)
        refusal = self._entry_refusal(published, side)
        if refusal is not None or published is None:
            logger.info("%s: entry with tag %s refused: %s", pair, tag, refusal)
            if published is not None and refusal is not None:
                self._hold_back(published.signal_id, refusal)
            return False
        return self._accept_entry(published, side)

    def exit_reason(self, trade: TradeRecord) -> str | None:
        """Return why an open trade is to be left now; None if it is not."""
        position = self._positions.of(trade)
        around = self._surroundings.of(trade.pair)
        decision = decide(self._feed.newest(trade.pair), position, self._feed.now(), self._rules, around)
        if decision.kind is not DecisionKind.EXIT:
            return None
        if decision.signal_id is None:
            return Reason.FLATTEN.value
        standing = self._positions.keep_exit(trade, decision)
        self._accept_exit(standing.signal_id, trade, position.side, standing.reason)
        return exit_tag(standing.signal_id, standing.reason)

    def on_fill(self, trade: TradeRecord, order: OrderRecord) -> None:
        """Note a fill in the ledger, and with the trade which signal opened it."""
        row = self._bookkeeper.note_fill(trade, order)
        if row is not None and is_acted_entry(row):
            self._positions.keep_entry(trade, row)

    def send_ledger(self) -> None:
        """Send the rows that have not gone out yet: nobody will after this follower has gone."""
        self._journal.flush()

    def _confirm_forced(self, pair: str) -> bool:
        control = self._surroundings.control(pair)
        if control is not None:
            logger.warning(
                "%s: the entry that a person asked for is refused: %s of %s by %s is in force (%s)",
                pair,
                control.kind.value,
                control.scope,
                control.source,
                control.reason,
            )
            return False
        logger.info("%s: entering because a person asked for it, not because of a signal", pair)
        return True

    @fails_to(None)  # a pair that cannot be judged is not offered, and must not silence the others
    def _consider(self, published: PublishedSignal, position: Position | None, now: datetime) -> None:
        around = self._surroundings.of(published.signal.pair, entering=position is None)
        decision = decide(published, position, now, self._rules, around)
        former = self._journal.row(published.signal_id)
        if former is not None and is_acted_entry(former) and decision.kind is not DecisionKind.EXIT:
            return  # it has had its one entry: a later revision can only end it
        row = seen(published, former, consumer_id=self._journal.consumer_id, now=now, rules=self._rules)
        self._overtake(published)
        self._journal.put(self._judged(row, published, decision), published.signal.ref_price)

    def _judged(self, row: Execution, published: PublishedSignal, decision: Decision) -> Execution:
        match decision.kind:
            case DecisionKind.ENTER:
                refusal = self._gate.refusal(published.signal_id, published.version)
                if refusal is not None:
                    return refused(row, refusal)
                self._offers[published.signal.pair] = decision
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
                return self._waiting(row, decision.reason)

    def _waiting(self, row: Execution, reason: Reason | None) -> Execution:
        """Note what a signal waits for, and count it where that is a restraint."""
        noted = waiting(row, reason)
        if noted is not row and reason in RESTRAINTS:
            self._holds[f"held_{reason}"] += 1
        return noted

    def _overtake(self, published: PublishedSignal) -> None:
        for row in self._journal.waiting_of(published.signal.pair):
            if row.signal_id != published.signal_id:
                self._journal.put(superseded(row))

    def _offered(self, pair: str, tag: str | None) -> PublishedSignal | None:
        """Return the signal that this loop offered to enter with and that ``tag`` names."""
        offer = self._offers.get(pair)
        return self._feed.newest(pair) if offer is not None and tag == offer.signal_id else None

    def _side_offered(self, pair: str) -> PositionSide | None:
        offer = self._offers.get(pair)
        return offer.side if offer is not None else None

    def _entry_refusal(self, published: PublishedSignal | None, side: str) -> Reason | None:
        if not self._feed.may_enter:
            return Reason.BUS_DOWN
        if published is None:
            return Reason.NOT_OFFERED
        around = self._surroundings.of(published.signal.pair, entering=True)
        decision = decide(published, None, self._feed.now(), self._rules, around)
        if decision.kind is not DecisionKind.ENTER:
            return decision.reason or Reason.NOT_OFFERED
        if decision.side != side:
            return Reason.NOT_OFFERED
        return self._gate.refusal(published.signal_id, published.version)

    def _accept_entry(self, published: PublishedSignal, side: str) -> bool:
        row = self._journal.row(published.signal_id)
        if row is None:
            return False
        taken: PositionSide = "short" if side == "short" else "long"
        self._journal.put(accepted(row, entry_action(taken), self._feed.now()))
        return True

    def _accept_exit(self, signal_id: str, trade: TradeRecord, side: PositionSide, reason: Reason) -> None:
        row = self._journal.row(signal_id)
        if row is None:
            return
        taken = accepted(row, exit_action(side), self._feed.now(), reason)
        if taken is not row:
            self._journal.put(with_changes(taken, {"trade_id": trade.id}))

    def _hold_back(self, signal_id: str, reason: Reason) -> None:
        row = self._journal.row(signal_id)
        if row is not None:
            self._journal.put(waiting(row, reason))

    def _detail(
        self, pairs: Sequence[str], held: Mapping[str, Position]
    ) -> dict[str, str | int | float | bool | None]:
        return {
            "pairs": len(pairs),
            "open_trades": len(held),
            "offers": len(self._offers),
            "unsent_ledger_rows": self._journal.unsent,
            **self._holds,
        }
