"""Stops: a signal's stop price, kept with the trade, and handed to Freqtrade as its own stop.

Freqtrade's stop is a share of the stake below the *current* rate, leverage included, and moves only towards the
market. So the nearest stop counts: the operator's ``stoploss`` bounds what any signal may set, and a later signal for
the same position may pull the stop nearer, never push it away. A position that no signal opened keeps its own.
"""

import logging
from collections.abc import Iterable

from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.policy import (
    Position,
    PositionSide,
    TradingRules,
    is_beyond_stop,
    is_future_stamped,
    is_nearer_stop,
    origin_refusal,
    stop_distance,
    wish_of,
)
from quantbus_contracts.ports import SignalReader
from quantbus_contracts.schema import ControlKind, PublishedSignal
from quantbus_executor.guard import fails_to
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.surroundings import Surroundings
from quantbus_executor.trades.book import TradeRecord
from quantbus_executor.trades.kept_stops import KeptStop, KeptStops
from quantbus_executor.trades.positions import Positions
from quantbus_executor.trades.tags import signal_of_entry_tag

__all__ = ["Stops"]

logger = logging.getLogger(__name__)


class Stops:
    """Knows the stop of every open trade."""

    def __init__(
        self,
        *,
        feed: SignalFeed,
        signals: SignalReader,
        surroundings: Surroundings,
        positions: Positions,
        rules: TradingRules,
    ) -> None:
        """Hear stops from ``feed``; ask ``signals`` for one that a crash kept from being written down."""
        self._feed = feed
        self._signals = signals
        self._surroundings = surroundings
        self._positions = positions
        self._rules = rules
        self._kept = KeptStops()
        self._asked_for: dict[str, KeptStop] = {}

    def is_crossed_by(self, published: PublishedSignal, rate: float | None) -> bool:
        """Tell whether an entry at ``rate`` would be at its stop from the start; note its stop for when it fills."""
        self._asked_for[published.signal.pair] = _stop_of(published)
        wanted, stop = wish_of(published.signal, self._rules).take, published.signal.stop_price
        if rate is None or stop is None or wanted is None:
            return False
        return is_beyond_stop(rate, stop, wanted)

    def on_fill(self, trade: TradeRecord) -> None:
        """Keep the stop with the trade that its signal opened, before Freqtrade asks for it."""
        asked_for = self._asked_for.get(trade.pair)
        if asked_for is not None and asked_for.signal_id == trade.enter_tag and self._kept.of(trade) is None:
            self._kept.keep(trade, asked_for)
            del self._asked_for[trade.pair]

    def follow(self, trades: Iterable[TradeRecord]) -> None:
        """Write down what a crash kept from it, and pull stops nearer where newer signals ask for that."""
        known = list(trades)
        self._kept.forget_all_but(known)
        for trade in known:
            self._follow(trade)

    def distance(self, trade: TradeRecord, rate: float, own: float | None = None) -> float | None:
        """Return the stop as Freqtrade wants it; None where the one that it holds is to stay.

        After a fill Freqtrade has moved its stop along with the average price of entry, and lets it be put back:
        ``own`` is given then, the operator's stop as a share of the stake, which still bounds it.
        """
        stop, side = self._price(trade), _side(trade)
        if stop is None:
            return None
        leverage = trade.leverage or 1.0
        if own is not None:
            bound = _price_at(own, trade.open_rate, side, leverage)
            return stop_distance(stop if is_nearer_stop(stop, bound, side) else bound, rate, side, leverage)
        return (
            stop_distance(stop, rate, side, leverage) if is_nearer_stop(stop, trade.stop_loss, side) else None
        )

    def would_end(self, trade: TradeRecord, rate: float) -> bool:
        """Tell whether Freqtrade would stop a trade out, at ``rate``, for having changed its size.

        With a further fill it lays its stop as far from the average price of entry as it was told to lay it from the
        market, at the time. Where the market is far below (for a short: above) that price, so would be its stop.
        """
        if not trade.stop_loss_pct:
            return False
        side = _side(trade)
        moved = _price_at(trade.stop_loss_pct, trade.open_rate, side, trade.leverage or 1.0)
        return is_beyond_stop(rate, moved, side)

    def is_crossed(self, trade: TradeRecord, rate: float) -> bool:
        """Tell whether the market is beyond a stop that Freqtrade does not hold: it cannot set one there any more."""
        stop, side = self._price(trade), _side(trade)
        if stop is None or not is_nearer_stop(stop, trade.stop_loss, side):
            return False
        return is_beyond_stop(rate, stop, side)

    @fails_to(None)  # one trade that cannot be followed must not keep the others from it
    def _follow(self, trade: TradeRecord) -> None:
        if self._kept.of(trade) is None:
            self._restore(trade)
        published = self._feed.newest(trade.pair)
        if published is not None and self._may_move(published, self._positions.of(trade)):
            self._pull(trade, published)

    def _restore(self, trade: TradeRecord) -> None:
        signal_id = signal_of_entry_tag(trade.enter_tag)
        if signal_id is None:
            return
        try:
            published = self._signals.get(signal_id)
        except (QuantbusError, ValueError) as error:  # ValueError: a row that is no signal
            logger.debug("the stop of trade %s is read later: %s", trade.id, error)
            return
        traded = published.as_of(trade.open_date_utc) or published if published is not None else None
        self._kept.keep(trade, _stop_of(traded) if traded is not None else KeptStop(None, signal_id, 0))

    def _may_move(self, published: PublishedSignal, position: Position) -> bool:
        signal = published.signal
        return (
            signal.stop_price is not None
            and position.signal_id is not None
            and wish_of(signal, self._rules).take == position.side
            and origin_refusal(signal, self._rules) is None
            and (position.ts is None or signal.ts >= position.ts)
            and not is_future_stamped(published, self._rules)
            and self._feed.now() >= signal.closes_at
            and self._surroundings.of(signal.pair).control is not ControlKind.HALT
        )

    def _pull(self, trade: TradeRecord, published: PublishedSignal) -> None:
        stop, kept = _stop_of(published), self._kept.of(trade)
        held = kept.price if kept is not None else None
        if stop.price is None or not is_nearer_stop(stop.price, held, _side(trade)):
            return
        logger.info(
            "%s: the stop moves from %s to %s (signal %s)", trade.pair, held, stop.price, stop.signal_id
        )
        self._kept.keep(trade, stop)

    def _price(self, trade: TradeRecord) -> float | None:
        kept = self._kept.of(trade)
        return kept.price if kept is not None else None


def _price_at(share: float, rate: float, side: PositionSide, leverage: float) -> float:
    """Return the price at which a share of the stake is lost, counted from ``rate``."""
    away = abs(share) / leverage
    return rate * (1 - away if side == "long" else 1 + away)


def _stop_of(published: PublishedSignal) -> KeptStop:
    return KeptStop(published.signal.stop_price, published.signal_id, published.version)


def _side(trade: TradeRecord) -> PositionSide:
    return "short" if trade.is_short else "long"
