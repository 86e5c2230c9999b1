"""What the strategy's callbacks delegate to: one loop asks the bus once, the rest acts upon that answer."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from quantbus_contracts.policy import (
    Position,
    TradingRules,
)
from quantbus_contracts.ports import SignalReader
from quantbus_executor.acting.attempts import Attempts
from quantbus_executor.acting.entries import Entries
from quantbus_executor.acting.exits import Exits
from quantbus_executor.acting.gate import EntryGate
from quantbus_executor.acting.judging import Judge
from quantbus_executor.acting.leverage import Leverage
from quantbus_executor.acting.resizing import Resizing
from quantbus_executor.acting.stops import Stops
from quantbus_executor.claims.keeper import ClaimKeeper
from quantbus_executor.guard import fails_to
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.patience import Patience
from quantbus_executor.hearing.restraints import Restraints
from quantbus_executor.hearing.surroundings import Surroundings
from quantbus_executor.heartbeat import Pulse
from quantbus_executor.ledger.bookkeeping import Bookkeeper
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.reports import Reports
from quantbus_executor.ledger.rows import (
    is_acted_entry,
)
from quantbus_executor.ledger.sweep import Sweep
from quantbus_executor.trades.book import OrderRecord, TradeBook, TradeRecord
from quantbus_executor.trades.house_rules import HouseRules
from quantbus_executor.trades.overheard import Overheard
from quantbus_executor.trades.positions import Positions

__all__ = ["SignalFollower"]

logger = logging.getLogger(__name__)
_READ_BACK_BUDGET = timedelta(milliseconds=200)


class SignalFollower:
    """Follows one strategy's signals with one bot."""

    def __init__(
        self,
        *,
        feed: SignalFeed,
        signals: SignalReader,
        journal: Journal,
        gate: EntryGate,
        bookkeeper: Bookkeeper,
        book: TradeBook,
        pulse: Pulse,
        restraints: Restraints,
        rules: TradingRules,
        patience: Patience,
        claims: ClaimKeeper | None = None,
    ) -> None:
        """Put the parts together; nothing is asked of the bus before the first loop."""
        self._feed = feed
        self._journal = journal
        self._bookkeeper = bookkeeper
        self._book = book
        self._pulse = pulse
        self._patience = patience
        self._claims = claims
        self._positions = Positions()
        self._surroundings = Surroundings(feed, restraints, book, rules)
        self.leverage = Leverage(feed=feed, rules=rules)
        self.stops = Stops(
            feed=feed,
            signals=signals,
            surroundings=self._surroundings,
            positions=self._positions,
            rules=rules,
        )
        self.entries = Entries(
            feed=feed,
            journal=journal,
            gate=gate,
            surroundings=self._surroundings,
            stops=self.stops,
            rules=rules,
        )
        self.exits = Exits(
            feed=feed,
            journal=journal,
            surroundings=self._surroundings,
            positions=self._positions,
            stops=self.stops,
            rules=rules,
        )
        self.resizing = Resizing(
            feed=feed,
            journal=journal,
            gate=gate,
            surroundings=self._surroundings,
            positions=self._positions,
            rules=rules,
        )
        self._judge = Judge(
            journal=journal, entries=self.entries, surroundings=self._surroundings, rules=rules
        )

    def on_loop(self, whitelist: Sequence[str]) -> None:
        """Ask the bus once for all pairs and decide about each; without an answer nothing is offered to enter."""
        self.entries.withdraw()
        if self._claims is not None:
            self._claims.resolve()
        trades = self._book.open_trades()
        self._positions.forget_all_but(trades)
        held = {trade.pair: self._positions.of(trade) for trade in trades}
        pairs = sorted({*whitelist, *held})
        with self._patience.asking():
            if not self._surroundings.ask(pairs, self._patience.stretch()):
                return
        now = self._feed.now()
        heard = self._feed.heard(pairs)
        with self._patience.telling():
            self._bookkeeper.recover()
            if self._claims is not None:
                self._claims.tell(self._journal)
            self._bookkeeper.settle(now)
            self._bookkeeper.end_unheard({published.signal.pair for published in heard}, now)
            known = self._bookkeeper.with_known_past(heard, _READ_BACK_BUDGET)
            self._bookkeeper.rebuild(_READ_BACK_BUDGET)
            self.stops.follow(trades)
            for published in known:
                self._judge.consider(published, held.get(published.signal.pair), now)
            if self._journal.flush():
                self._pulse.beat_if_due(now, self._detail(pairs, held))

    def on_fill(self, trade: TradeRecord, order: OrderRecord) -> None:
        """Note a fill in the ledger, and with the trade which signal opened it and where that wants its stop."""
        self.stops.on_fill(trade)
        row = self._bookkeeper.note_fill(trade, order)
        if row is not None and is_acted_entry(row) and row.signal_id == trade.enter_tag:
            self._positions.keep_entry(trade, row)

    def send_ledger(self) -> None:
        """Send the rows that have not gone out yet: nobody will after this follower has gone."""
        self._journal.flush()

    def _detail(
        self, pairs: Sequence[str], held: Mapping[str, Position]
    ) -> dict[str, str | int | float | bool | None]:
        return {
            "pairs": len(pairs),
            "open_trades": len(held),
            "offers": len(self.entries),
            "unsent_ledger_rows": self._journal.unsent,
            "unreadable_rows": self._surroundings.unreadable_rows,
            **self._judge.holds,
            **(self._claims.detail() if self._claims is not None else {}),
        }
