"""Who is filled, at which price and how much; pure functions of book, path and order.

A *taker* buys from the made-up book that `depth` shows at that moment, level by level, and never beyond its
limit. A *maker* waits until the price path comes to its limit, and shares the amount that was traded there with
the other orders that wait: the better price first, then the older order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from quantbus_services.paper_exchange.accounts.path import Step
from quantbus_services.paper_exchange.accounts.records import ZERO, Order, Side

__all__ = ["Match", "in_turn", "made_at", "may_reach", "reaches", "take"]


@dataclass(frozen=True, slots=True)
class Match:
    """An amount at a price."""

    price: Decimal
    amount: Decimal

    @property
    def cost(self) -> Decimal:
        """Return the worth."""
        return self.price * self.amount


def take(
    levels: Iterable[Match], side: Side, *, amount: Decimal, limit: Decimal = ZERO, worth: Decimal = ZERO,
    step: Decimal = ZERO,
) -> list[Match]:  # fmt: skip
    """Return what a taker gets from ``levels``, best first.

    Parameters
    ----------
    amount
        The most that is taken; zero if ``worth`` is given instead, of which amounts are multiples of ``step``.
    limit
        The worst price that is paid; zero for any.
    """
    matches = []
    for level in levels:
        if limit and (level.price - limit) * side.sign > 0:
            break
        taken = (
            min(level.amount, amount) if amount else min(level.amount, worth // (level.price * step) * step)
        )
        if taken <= 0:
            break
        matches.append(Match(level.price, taken))
        worth -= level.price * taken
        amount -= taken if amount else 0
        if not amount and not worth > 0:
            break
    return matches


def reaches(order: Order, price: Decimal) -> bool:
    """Tell whether the price makes a waiting order with a stop price start."""
    falls = order.side is Side.SELL
    if order.type.startswith("TAKE_PROFIT"):
        falls = not falls
    return price <= order.stop_price if falls else price >= order.stop_price


def may_reach(order: Order, low: Decimal, high: Decimal) -> bool:
    """Tell whether an open order could start or be filled between two prices."""
    if order.is_waiting:
        return reaches(order, low) or reaches(order, high)
    return low <= order.price if order.side is Side.BUY else high >= order.price


def made_at(order: Order, step: Step) -> Decimal | None:
    """Return the price at which a step fills a maker; None if it does not come to its limit.

    It is the limit, or the best for the client of what the step passed, where the path never was at the limit:
    after a gap, or for the rest of an order that had emptied the book up to its limit.
    """
    if (order.price - step.price) * order.side.sign < 0:
        return None
    if order.side is Side.BUY:
        return min(order.price, max(step.before, step.price))
    return max(order.price, min(step.before, step.price))


def in_turn(orders: Sequence[Order]) -> list[Order]:
    """Return waiting orders in the order in which they are served."""
    return sorted(orders, key=lambda order: (order.side.value, -order.side.sign * order.price, order.number))
