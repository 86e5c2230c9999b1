"""Exits: whether an open trade is to be left now, asked in every loop, with or without a new candle."""

from quantbus_contracts.policy import DecisionKind, PositionSide, Reason, TradingRules, decide
from quantbus_executor.acting.stops import Stops
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.surroundings import Surroundings
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.rows import accepted, exit_action, with_changes
from quantbus_executor.trades.book import TradeRecord
from quantbus_executor.trades.positions import Positions
from quantbus_executor.trades.tags import exit_tag

__all__ = ["Exits"]


class Exits:
    """Decides about leaving; an exit that was read once stands with its trade until that is flat."""

    def __init__(
        self,
        *,
        feed: SignalFeed,
        journal: Journal,
        surroundings: Surroundings,
        positions: Positions,
        stops: Stops,
        rules: TradingRules,
    ) -> None:
        """Decide by what these know."""
        self._stops = stops
        self._feed = feed
        self._journal = journal
        self._surroundings = surroundings
        self._positions = positions
        self._rules = rules

    def reason(self, trade: TradeRecord, rate: float | None = None) -> str | None:
        """Return why an open trade is to be left now, as its exit's tag; None if it is not.

        ``rate`` is what it could be left at: beyond a stop that Freqtrade came too late to set, it is left, also
        under a halt.
        """
        position = self._positions.of(trade)
        around = self._surroundings.of(trade.pair)
        decision = decide(self._feed.newest(trade.pair), position, self._feed.now(), self._rules, around)
        if decision.kind is not DecisionKind.EXIT:
            crossed = rate is not None and self._stops.is_crossed(trade, rate)
            return Reason.STOP_CROSSED.value if crossed else None
        if decision.signal_id is None:
            return Reason.FLATTEN.value
        standing = self._positions.keep_exit(trade, decision)
        self._accept(standing.signal_id, trade, position.side, standing.reason)
        return exit_tag(standing.signal_id, standing.reason)

    def _accept(self, signal_id: str, trade: TradeRecord, side: PositionSide, reason: Reason) -> None:
        row = self._journal.row(signal_id)
        if row is None:
            return
        taken = accepted(row, exit_action(side), self._feed.now(), reason)
        if taken is not row:
            self._journal.put(with_changes(taken, {"trade_id": trade.id}))
