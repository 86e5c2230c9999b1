"""Whether bot and account agree on orders, stops and fills; pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from quantbus_contracts.schema import AccountOrder, AccountSnapshot
from quantbus_services.monitor.reconciliation.kinds import Mismatch
from quantbus_services.monitor.reconciliation.sides import Sides, market_of

__all__ = ["against_the_orders"]

_LONGEST_MOVE = timedelta(minutes=5)
"""An order of the bot's is known by then; a pair on which somebody else trades without pause never comes to rest."""


def against_the_orders(
    sides: Sides, account: AccountSnapshot, moving: frozenset[str], settled_before: datetime
) -> Iterator[Mismatch]:
    """Yield where orders, stops and fills differ, on pairs that are not ``moving``."""
    market = sides.book.market
    if account.knows(market, "orders"):
        orders = [
            order
            for order in account.orders
            if market_of(order.pair) == market
            and order.pair not in moving
            and (order.placed_at is None or order.placed_at <= settled_before)
        ]
        yield from _at_the_venue(sides, orders)
        yield from _at_the_bot(sides, account, moving)
    if account.knows(market, "fills"):
        yield from _fills(sides, account, moving, settled_before)


def _known(sides: Sides) -> frozenset[str]:
    """Return every order that the bot ever told of, as far back as we look."""
    return frozenset(
        (
            *(order.order_id for trade in sides.book.trades for order in trade.orders),
            *(name for trade in sides.book.closed for name in trade.order_ids),
            *(fill.order_id for fill in sides.told.fills),
            *(name for row in sides.meant.rows for name in row.order_ids),
        )
    )


def _at_the_venue(sides: Sides, orders: list[AccountOrder]) -> Iterator[Mismatch]:
    known = _known(sides)
    waiting = {order.order_id for trade in sides.book.trades for order in trade.orders if order.is_open}
    for order in orders:
        if order.order_id in waiting:
            continue
        price = order.stop_price or order.price
        told = f"{order.side} {order.kind} of {order.amount:.8g} on {order.pair}" + (
            f" at {price:.8g}" if price else ""
        )
        if order.order_id in known:
            yield Mismatch(
                "order_left_open",
                order.pair,
                order.order_id,
                f"order {order.order_id} ({told}) waits at the venue, but the bot is done with it",
                order.order_id,
            )
        else:
            yield Mismatch(
                "order_unknown_to_bot",
                order.pair,
                order.order_id,
                f"order {order.order_id} ({told}) waits at the venue, but the bot knows of no such order",
                order.order_id,
            )


def _at_the_bot(sides: Sides, account: AccountSnapshot, moving: frozenset[str]) -> Iterator[Mismatch]:
    there = {order.order_id for order in account.orders}
    stopped = {(order.pair, order.side) for order in account.orders if order.kind == "stop"}
    for trade in sides.book.trades:
        if trade.pair in moving:
            continue
        for order in trade.orders:
            if order.is_open and order.purpose != "stop" and order.order_id not in there:
                yield Mismatch(
                    "order_unknown_at_venue",
                    trade.pair,
                    order.order_id,
                    f"the bot waits for order {order.order_id} of trade {trade.trade_id}, but no such order is open "
                    "at the venue",
                    order.order_id,
                )
        believes = any(order.is_open and order.purpose == "stop" for order in trade.orders)
        wants = believes or (sides.book.stops_at_venue and not trade.in_flight and trade.amount > 0)
        closing = "sell" if trade.direction == "long" else "buy"
        if wants and (trade.pair, closing) not in stopped:
            yield Mismatch(
                "stop_missing",
                trade.pair,
                f"#{trade.trade_id}",
                f"trade {trade.trade_id} ({trade.direction} on {trade.pair}) is to have its stop at the exchange, but "
                "no stop waits there",
                trade.direction,
            )


def _fills(
    sides: Sides, account: AccountSnapshot, moving: frozenset[str], settled_before: datetime
) -> Iterator[Mismatch]:
    known = _known(sides)
    told: set[str] = set()
    for fill in account.fills:
        if (
            market_of(fill.pair) != sides.book.market
            or fill.order_id in known
            or fill.order_id in told
            or fill.at > settled_before - (_LONGEST_MOVE if fill.pair in moving else timedelta(0))
        ):
            continue
        told.add(fill.order_id)
        yield Mismatch(
            "fill_unknown_to_bot",
            fill.pair,
            fill.order_id,
            f"the account had a {fill.side} of {fill.amount:.8g} on {fill.pair} filled at {fill.price:.8g} "
            f"({fill.at.isoformat()}, order {fill.order_id}) that is none of the bot's",
            fill.order_id,
        )
