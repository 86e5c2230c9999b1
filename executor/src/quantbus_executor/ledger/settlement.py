"""What became of an accepted signal, read off Freqtrade's own trades; pure.

Freqtrade's database is the truth about trades, so these facts stand over anything noted before.
"""

from collections.abc import Sequence

from quantbus_contracts.policy import Reason
from quantbus_contracts.schema import Execution, ExecutionState
from quantbus_executor.ledger.rows import rejected, turned, with_changes
from quantbus_executor.trades.book import OrderRecord, TradeRecord
from quantbus_executor.trades.tags import (
    resize_tag,
    signal_of_entry_tag,
    signal_of_exit_tag,
    signal_of_resize_tag,
)

__all__ = ["order_of_signal", "settled", "signal_of_order", "slippage"]

_MOST_SLIPPAGE = 1e6
"""Beyond it the reference is in another unit, and the bus would refuse the row of the fill."""


def signal_of_order(order: OrderRecord) -> str | None:
    """Return the id of the signal that caused an order; None if no signal did."""
    tag = order.ft_order_tag
    return signal_of_entry_tag(tag) or signal_of_exit_tag(tag) or signal_of_resize_tag(tag)


def order_of_signal(trade: TradeRecord, signal_id: str, *, entry: bool) -> OrderRecord | None:
    """Return the last order of ``trade`` that a signal caused as entry or as exit; one with a fill comes first."""
    named = signal_of_entry_tag if entry else signal_of_exit_tag
    return _last([order for order in trade.orders if named(order.ft_order_tag) == signal_id])


def slippage(price: float, ref_price: float | None, *, buying: bool) -> float | None:
    """Return how much worse than ``ref_price`` a fill was, as a fraction; None without a sensible reference."""
    if ref_price is None:
        return None
    worse = (price - ref_price) / ref_price * (1 if buying else -1)
    return worse if abs(worse) <= _MOST_SLIPPAGE else None


def settled(row: Execution, trade: TradeRecord | None, ref_price: float | None) -> Execution:
    """Return the row with what Freqtrade's trade says became of it.

    ``trade`` None means that there is no such trade (any more): Freqtrade forgets one whose entry was cancelled
    without a fill.
    """
    entry = row.side in ("enter_long", "enter_short")
    order = _order_of(row, trade, entry=entry) if trade is not None else None
    if row.reason == Reason.REVERSAL and not entry:
        return _reversing(row, trade, order)
    if order is None or trade is None:
        return _without_order(row, trade, entry=entry)
    facts = _placed(row, trade, order)
    if order.safe_filled > 0 and not order.ft_is_open:
        return with_changes(row, facts | _fill(order, ref_price))
    if order.ft_is_open:
        return with_changes(row, facts | {"state": ExecutionState.ORDERED})
    if trade.is_open and not entry:  # an exit's order may time out; the exit stands, and is ordered again
        return with_changes(row, facts)
    return rejected(with_changes(row, facts), Reason.ORDER_CANCELLED)


def _order_of(row: Execution, trade: TradeRecord, *, entry: bool) -> OrderRecord | None:
    if row.reason != Reason.RESIZED:
        return order_of_signal(trade, row.signal_id, entry=entry)
    tag = resize_tag(row.signal_id, row.version)
    return _last([order for order in trade.orders if order.ft_order_tag == tag])


def _last(orders: Sequence[OrderRecord]) -> OrderRecord | None:
    best = [order for order in orders if order.safe_filled > 0] or orders
    return best[-1] if best else None


def _placed(row: Execution, trade: TradeRecord, order: OrderRecord) -> dict[str, object]:
    return {
        "trade_id": trade.id,
        "order_ids": tuple(dict.fromkeys((*row.order_ids, order.order_id))),
        "ordered_at": order.order_date_utc,
    }


def _reversing(row: Execution, trade: TradeRecord | None, order: OrderRecord | None) -> Execution:
    """A reversal comes to its end by its entry: it waits for that once it is flat, whatever ended the position."""
    if order is not None and trade is not None:
        state = {"state": ExecutionState.ORDERED} if order.ft_is_open else {}
        row = with_changes(row, _placed(row, trade, order) | state)
    return row if trade is not None and trade.is_open else turned(row)


def _fill(order: OrderRecord, ref_price: float | None) -> dict[str, object]:
    price = order.safe_price
    worse = slippage(price, ref_price, buying=order.ft_order_side == "buy")
    return {
        "state": ExecutionState.FILLED,
        "filled_at": order.order_filled_utc or order.order_date_utc,
        "price": price,
        "amount": order.safe_filled,
        "slippage": worse,
    }


def _without_order(row: Execution, trade: TradeRecord | None, *, entry: bool) -> Execution:
    if entry and trade is not None and row.reason != Reason.RESIZED:
        return row
    if entry:
        placed = row.state is ExecutionState.ORDERED
        return rejected(row, Reason.ORDER_CANCELLED if placed else Reason.ORDER_NOT_PLACED)
    gone = trade is None or not trade.is_open
    return rejected(row, Reason.CLOSED_OTHERWISE) if gone else row
