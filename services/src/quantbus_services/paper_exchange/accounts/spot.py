"""What orders and fills do to spot balances."""

from collections.abc import Sequence
from decimal import Decimal

from quantbus_services.paper_exchange.accounts.ledger import Ledger
from quantbus_services.paper_exchange.accounts.matching import Match
from quantbus_services.paper_exchange.accounts.money import fee_of
from quantbus_services.paper_exchange.accounts.records import ZERO, Account, Fill, Order, Side
from quantbus_services.paper_exchange.binance.queries import Refusal

__all__ = ["SpotClearing"]


class SpotClearing:
    """Reserves what an open order may cost, and exchanges it fill by fill."""

    def __init__(self, ledger: Ledger) -> None:
        """Clear the accounts of ``ledger``."""
        self._ledger = ledger

    def reserve(self, account: Account, order: Order, matches: Sequence[Match], now_ms: int) -> None:
        """Lock what the order may cost; ``matches`` are what it takes at once.

        Raises
        ------
        Refusal
            If the account does not have as much.
        """
        balance = account.balance(_spent(order))
        cost = _reserved(order, order.amount) or sum((match.cost for match in matches), ZERO)
        if cost > balance.free:
            raise Refusal(-2010, "Account has insufficient balance for requested action.")
        balance.free -= cost
        balance.locked += cost
        order.locked = cost

    def affordable(self, account: Account, order: Order, matches: Sequence[Match], at_ms: int) -> list[Match]:
        """Return all of ``matches``: what they cost has been reserved."""
        return list(matches)

    def fill(self, account: Account, order: Order, match: Match, *, is_maker: bool, at_ms: int) -> Fill:
        """Exchange the currencies of one fill and take the fee from what was received."""
        order.filled += match.amount
        order.cost += match.cost
        spent = match.cost if order.side is Side.BUY else match.amount
        is_bounded = bool(order.price) or order.side is Side.SELL
        kept = _reserved(order, order.remaining) if is_bounded else max(order.locked - spent, ZERO)
        self._unlock(account, order, kept, spent)
        received_asset = order.base if order.side is Side.BUY else order.quote
        received = match.amount if order.side is Side.BUY else match.cost
        rates = account.spot_rates
        fee = fee_of(received, rates.maker if is_maker else rates.taker)
        account.balance(received_asset).free += received - fee
        return self._ledger.note(
            Fill(
                number=self._ledger.new_number(),
                order=order.number,
                account=account.name,
                board="spot",
                symbol=order.symbol,
                side=order.side,
                price=match.price,
                amount=match.amount,
                fee=fee,
                fee_asset=received_asset,
                is_maker=is_maker,
                time_ms=at_ms,
            )
        )

    def release(self, account: Account, order: Order) -> None:
        """Unlock what an order that has ended did not use."""
        self._unlock(account, order, ZERO, ZERO)

    @staticmethod
    def _unlock(account: Account, order: Order, kept: Decimal, spent: Decimal) -> None:
        balance = account.balance(_spent(order))
        balance.locked -= order.locked - kept
        balance.free += order.locked - kept - spent
        order.locked = kept


def _spent(order: Order) -> str:
    return order.quote if order.side is Side.BUY else order.base


def _reserved(order: Order, amount: Decimal) -> Decimal:
    """Return what so much of an order may cost; zero for a market purchase, which costs what it takes."""
    return amount if order.side is Side.SELL else amount * order.price
