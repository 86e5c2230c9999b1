"""Resting entries: an order that waits for its price is taken back once its signal would not be entered any more.

With market orders nothing rests. A limit order may fill minutes after the time that its signal was worth something.
"""

from quantbus_contracts.policy import (
    PositionSide,
    TradingRules,
    entry_interval,
    origin_refusal,
    tolerance_end,
    wish_of,
)
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.surroundings import Surroundings
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.settlement import signal_of_order
from quantbus_executor.trades.book import OrderRecord, TradeRecord

__all__ = ["Resting"]


class Resting:
    """Tells which orders to enter, or to increase, have waited too long."""

    def __init__(
        self, *, feed: SignalFeed, journal: Journal, surroundings: Surroundings, rules: TradingRules
    ) -> None:
        """Judge by what was heard last: without the bus, time goes on all the same."""
        self._feed = feed
        self._journal = journal
        self._surroundings = surroundings
        self._rules = rules

    def is_over(self, trade: TradeRecord, order: OrderRecord) -> bool:
        """Tell whether an unfilled order of the entry's side is to be cancelled; never one that a person placed."""
        signal_id = signal_of_order(order)
        if signal_id is None:
            return False
        stopped = self._surroundings.control(trade.pair) is not None
        return stopped or self._is_unwanted(trade) or self._is_late(trade.pair, signal_id)

    def _is_unwanted(self, trade: TradeRecord) -> bool:
        """Tell whether the pair's newest signal asks for something else by now."""
        published = self._feed.newest(trade.pair)
        if published is None or origin_refusal(published.signal, self._rules) is not None:
            return False
        side: PositionSide = "short" if trade.is_short else "long"
        return wish_of(published.signal, self._rules).take != side

    def _is_late(self, pair: str, signal_id: str) -> bool:
        published, now = self._feed.newest(pair), self._feed.now()
        if published is not None and published.signal_id == signal_id:
            return now >= entry_interval(published, self._rules).end
        row = self._journal.row(signal_id)
        return row is not None and now >= tolerance_end(row.ts, row.timeframe, self._rules)
