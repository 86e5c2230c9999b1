"""The arithmetic of USD-M margins: what is set aside, what is free, and where a position is liquidated."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from quantbus_services.paper_exchange.accounts.records import (
    ZERO,
    Account,
    Order,
    Position,
    PositionSide,
    Side,
)
from quantbus_services.paper_exchange.listings.brackets import Bracket

__all__ = ["Margins", "Tier", "liquidation_price", "opening_amount", "order_margin", "tier_of"]


@dataclass(frozen=True, slots=True)
class Tier:
    """What must be kept of a notional: ``rate`` of it less ``deduction``."""

    rate: Decimal = ZERO
    deduction: Decimal = ZERO

    def maintenance(self, notional: Decimal) -> Decimal:
        """Return the maintenance margin."""
        return max(notional * self.rate - self.deduction, ZERO)


def tier_of(brackets: Sequence[Bracket], notional: Decimal) -> Tier:
    """Return the tier of a notional, the last one beyond its cap; nothing is asked where there is none."""
    if not brackets:
        return Tier()
    chosen = next((one for one in brackets if notional <= Decimal(str(one.cap))), brackets[-1])
    return Tier(Decimal(str(chosen.margin_ratio)), Decimal(str(chosen.deduction)))


def opening_amount(position: Position, side: Side, amount: Decimal) -> Decimal:
    """Return how much of an order opens or enlarges the position instead of closing it."""
    closes = -position.amount * side.sign
    if position.side != "BOTH":
        return amount if (position.side == "LONG") == (side is Side.BUY) else ZERO
    return max(amount - max(closes, ZERO), ZERO)


def order_margin(account: Account, orders: Iterable[Order]) -> Decimal:
    """Return what the open orders of an account would need if all of them were filled."""
    sums: dict[tuple[str, str, PositionSide, Side], tuple[Decimal, Decimal]] = {}
    for order in orders:
        if order.reduce_only or order.is_conditional:
            continue
        slot = order.symbol, order.quote, order.position_side, order.side
        amount, worth = sums.get(slot, (ZERO, ZERO))
        sums[slot] = amount + order.remaining, worth + order.remaining * order.price
    needed = ZERO
    for (symbol, quote, position_side, side), (amount, worth) in sums.items():
        if amount:
            opens = opening_amount(account.position(symbol, quote, position_side), side, amount)
            needed += worth * opens / amount / account.setting(symbol).leverage
    return needed


@dataclass(frozen=True, slots=True)
class Margins:
    """One wallet, added up.

    Attributes
    ----------
    wallet
        Deposits, profits, fees and funding.
    isolated
        The part of it that is set aside for isolated positions.
    initial, maintenance
        What all positions need to be opened, and to stay open.
    orders
        What open orders need.
    profit, cross_profit
        What all positions, and the cross ones, would yield at the mark.
    cross_initial, cross_maintenance
        What the cross positions need.
    """

    wallet: Decimal
    isolated: Decimal
    initial: Decimal
    maintenance: Decimal
    orders: Decimal
    profit: Decimal
    cross_profit: Decimal
    cross_initial: Decimal
    cross_maintenance: Decimal

    @property
    def cross_wallet(self) -> Decimal:
        """Return what is not set aside for isolated positions."""
        return self.wallet - self.isolated

    @property
    def available(self) -> Decimal:
        """Return what may be spent on new positions."""
        return max(self.cross_wallet + self.cross_profit - self.cross_initial - self.orders, ZERO)


def liquidation_price(position: Position, wallet: Decimal, tier: Tier) -> Decimal:
    """Return the price at which ``wallet`` no longer covers the maintenance margin; zero for none."""
    size = abs(position.amount)
    if not size:
        return ZERO
    price = (wallet + tier.deduction - position.basis) / (size * tier.rate - position.amount)
    return max(price, ZERO)
