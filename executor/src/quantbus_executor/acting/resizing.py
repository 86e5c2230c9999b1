"""Resizing: an open position is brought to the weight that its pair's newest signal asks for."""

import logging
from collections.abc import Callable

from quantbus_contracts.policy import (
    DecisionKind,
    Holding,
    PositionSide,
    Reason,
    TradingRules,
    decide,
    decide_resize,
)
from quantbus_contracts.schema import ExecutionState, PublishedSignal
from quantbus_executor.acting.gate import EntryGate
from quantbus_executor.acting.stops import Stops
from quantbus_executor.claims.claim import Wish
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.surroundings import Surroundings
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.rows import (
    accepted,
    entry_action,
    exit_action,
    seen,
    waiting,
    with_changes,
)
from quantbus_executor.trades.book import TradeRecord
from quantbus_executor.trades.positions import Positions
from quantbus_executor.trades.tags import resize_tag

__all__ = ["Resizing"]

logger = logging.getLogger(__name__)
_KEPT_BACK = 1.5
"""Freqtrade wants up to half more than the venue's minimum to be left, so that a stop can still be sold."""


class Resizing:
    """Answers by how much Freqtrade is to adjust a trade."""

    def __init__(
        self,
        *,
        feed: SignalFeed,
        journal: Journal,
        gate: EntryGate,
        surroundings: Surroundings,
        positions: Positions,
        stops: Stops,
        rules: TradingRules,
    ) -> None:
        """Decide by what these know."""
        self._stops = stops
        self._feed = feed
        self._journal = journal
        self._gate = gate
        self._surroundings = surroundings
        self._positions = positions
        self._rules = rules

    def change(
        self,
        trade: TradeRecord,
        rate: float,
        capital: Callable[[], float],
        minimum: float | None,
        maximum: float,
    ) -> tuple[float, str] | None:
        """Return by how much to adjust a trade, as Freqtrade counts it, and the order's tag; None for not at all.

        Freqtrade counts an increase as a stake at the current rate, and a reduction as a share of what was staked.
        """
        published = self._feed.newest(trade.pair)
        if self._rules.drift_band is None or published is None or _is_busy(trade):
            return None
        if self._journal.row(published.signal_id) is None:
            return None  # what was decided about it before a restart is not known yet
        holding = _holding(trade, rate, capital(), minimum, maximum)
        amount, reason = self._wanted(trade, published, holding)
        if amount and self._stops.would_end(trade, rate):
            self._note(published, Reason.STOP_CROSSED)  # once the market or the stop has moved, it is resized
            return None
        if amount > 0:
            return self._increase(trade, published, amount, rate)
        if amount < 0:
            return self._reduce(trade, published, amount / holding.value * trade.stake_amount)
        if reason is not None:
            self._note(published, reason)
        return None

    def _wanted(
        self, trade: TradeRecord, published: PublishedSignal, holding: Holding
    ) -> tuple[float, Reason | None]:
        position, now = self._positions.of(trade), self._feed.now()
        around = self._surroundings.of(trade.pair)
        if decide(published, position, now, self._rules, around).kind is DecisionKind.EXIT:
            return 0.0, None
        scale = self._surroundings.stake_scale(published.signal, position.side)
        wanted = decide_resize(published, position, now, self._rules, around, holding, scale=scale)
        return wanted.amount, wanted.reason

    def _increase(
        self, trade: TradeRecord, published: PublishedSignal, stake: float, rate: float
    ) -> tuple[float, str] | None:
        if trade.pair in self._feed.unreadable:
            return None  # something newer was said of the pair, and nobody knows what
        refusal = Reason.BUS_DOWN if not self._feed.may_enter else None
        refusal = refusal or self._gate.refusal_to_increase(trade, published.signal_id, published.version)
        refusal = refusal or self._gate.claim(_wish(trade, published, stake, rate))
        if refusal is not None:
            if refusal is not Reason.DUPLICATE:
                self._note(published, refusal)
            return None
        return self._accept(trade, published, stake, increases=True)

    def _reduce(self, trade: TradeRecord, published: PublishedSignal, stake: float) -> tuple[float, str]:
        return self._accept(trade, published, stake, increases=False)

    def _accept(
        self, trade: TradeRecord, published: PublishedSignal, stake: float, *, increases: bool
    ) -> tuple[float, str]:
        now = self._feed.now()
        side: PositionSide = "short" if trade.is_short else "long"
        former = self._journal.row(published.signal_id)
        row = seen(published, former, consumer_id=self._journal.consumer_id, now=now, rules=self._rules)
        action = entry_action(side) if increases else exit_action(side)
        if (
            row.state is ExecutionState.SEEN
        ):  # what it ended as before stays; its later trims stand in the orders
            taken = accepted(row, action, now, Reason.RESIZED)
            self._journal.put(with_changes(taken, {"trade_id": trade.id}), published.signal.ref_price)
        logger.info("%s: %s by a stake of %.8g", trade.pair, "increasing" if increases else "reducing", stake)
        return stake, resize_tag(published.signal_id, published.version)

    def _note(self, published: PublishedSignal, reason: Reason) -> None:
        row = self._journal.row(published.signal_id)
        if row is not None and row.version == published.version:
            self._journal.put(waiting(row, reason))


def _is_busy(trade: TradeRecord) -> bool:
    """Tell whether an order other than a stop is on its way: what is held is not known before it ends."""
    return any(order.ft_is_open and order.ft_order_side != "stoploss" for order in trade.orders)


def _wish(trade: TradeRecord, published: PublishedSignal, stake: float, rate: float) -> Wish:
    leverage = trade.leverage or 1.0
    return Wish(
        signal_id=published.signal_id,
        version=published.version,
        pair=trade.pair,
        side="short" if trade.is_short else "long",
        amount=stake / rate * leverage,
        rate=rate,
        leverage=leverage,
        trade_id=trade.id,
    )


def _holding(
    trade: TradeRecord, rate: float, capital: float, minimum: float | None, maximum: float
) -> Holding:
    least = minimum or 0.0
    value = trade.amount * rate / (trade.leverage or 1.0)
    return Holding(
        value=value, capital=capital, minimum=least, maximum=maximum, least_rest=least * _KEPT_BACK
    )
