"""What the strategy's callbacks delegate to: one loop asks the bus once, the rest acts upon that answer."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from quantbus_contracts.policy import (
    Position,
    TradingRules,
)
from quantbus_contracts.ports import SignalReader
from quantbus_contracts.schema import PublishedSignal
from quantbus_executor.acting.attempts import Attempts
from quantbus_executor.acting.desk import Desk
from quantbus_executor.acting.gate import EntryGate
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
        house: HouseRules | None = None,
        sweep: Sweep | None = None,
        reports: Reports | None = None,
    ) -> None:
        """Put the parts together; nothing is asked of the bus before the first loop.

        Over the past there is no ``house`` to refuse, nothing to ``sweep``, and no account for ``reports``.
        """
        self._house = house
        self._sweep = sweep
        self._reports = reports
        self._feed = feed
        self._journal = journal
        self._bookkeeper = bookkeeper
        self._book = book
        self._pulse = pulse
        self._patience = patience
        self._claims = claims
        self._positions = Positions()
        self._surroundings = Surroundings(feed, restraints, book, rules)
        desk = Desk.over(
            feed=feed,
            signals=signals,
            journal=journal,
            gate=gate,
            surroundings=self._surroundings,
            positions=self._positions,
            rules=rules,
            attempts=Attempts(house, book),
        )
        self.entries, self.exits, self._judge = desk.entries, desk.exits, desk.judge
        self.leverage, self.resizing, self.stops = desk.leverage, desk.resizing, desk.stops
        self.resting = desk.resting
        self._overheard = Overheard(self.entries.heard) if house is not None else None
        if self._overheard is not None:
            self._overheard.begin()

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
            with self._journal.together():
                for published in known:
                    self._judge.consider(published, held.get(published.signal.pair), now)
            self._go_after(pairs, heard, now)
            if self._journal.flush():
                self._pulse.beat_if_due(now, self._detail(pairs, held))

    def on_fill(self, trade: TradeRecord, order: OrderRecord) -> None:
        """Note a fill in the ledger, and with the trade which signal opened it and where that wants its stop."""
        self.stops.on_fill(trade)
        row = self._bookkeeper.note_fill(trade, order)
        if row is not None and is_acted_entry(row) and row.signal_id == trade.enter_tag:
            self._positions.keep_entry(trade, row)
        if self._reports is not None:
            self._reports.on_fill(trade, order)

    def end(self) -> None:
        """Send what has not gone out yet, and let go of Freqtrade's log and of the outbox."""
        if self._overheard is not None:
            self._overheard.end()
        if self._reports is not None:
            self._reports.flush()
        self.send_ledger()
        self._journal.close()

    def send_ledger(self) -> None:
        """Send the rows that have not gone out yet."""
        self._journal.flush()

    @fails_to(None)  # what is told besides must not keep a loop from being brought to its end
    def _go_after(self, pairs: Sequence[str], heard: Sequence[PublishedSignal], now: datetime) -> None:
        """Bring to an end what the loop does not see, and tell what the account looks like."""
        if self._sweep is not None:
            newest = {published.signal.pair: published for published in heard}
            self._sweep.sweep(now, pairs, newest, self._feed.looking_since)
        if self._reports is not None and self._house is not None:
            self._reports.on_loop(self._house.wallets(), now)
            self._reports.flush()

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
