"""What orders, fills, funding and liquidations do to a USD-M wallet and its positions."""

from collections.abc import Sequence
from decimal import Decimal

from quantbus_services.paper_exchange.accounts.ledger import Ledger
from quantbus_services.paper_exchange.accounts.margin import (
    Margins,
    Tier,
    liquidation_price,
    opening_amount,
    order_margin,
    tier_of,
)
from quantbus_services.paper_exchange.accounts.matching import Match
from quantbus_services.paper_exchange.accounts.money import exact, fee_of, rounded
from quantbus_services.paper_exchange.accounts.ports import Perpetuals
from quantbus_services.paper_exchange.accounts.records import (
    ZERO,
    Account,
    Fill,
    Income,
    Order,
    Position,
)
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.generator.funding import Funding

__all__ = ["FuturesClearing"]

_PRICE_DECIMALS = 8


class FuturesClearing:
    """Keeps margins, and turns fills into positions and profits."""

    def __init__(self, ledger: Ledger, contracts: Perpetuals) -> None:
        """Clear the wallets of ``ledger`` with the marks and brackets of ``contracts``."""
        self._ledger = ledger
        self._contracts = contracts

    def reserve(self, account: Account, order: Order, matches: Sequence[Match], now_ms: int) -> None:
        """Check that the margin of what the order opens is free; nothing is locked, it is summed up on demand.

        Raises
        ------
        Refusal
            If it is not, or if a reduce-only order has nothing to reduce.
        """
        if _only_closes(order) and not self._reducible(account, order):
            raise Refusal(-2022, "ReduceOnly Order is rejected.")
        price = max(order.price, _mean_price(matches))
        if _only_closes(order) or not price:
            return
        others = [one for one in self._orders(account) if one.number != order.number]
        priced = order.model_copy(update={"price": price, "is_conditional": False})
        needed = order_margin(account, [*others, priced]) - order_margin(account, others)
        if not needed:
            return
        worth = (abs(_position(account, order).amount) + order.amount) * price
        leverage = account.setting(order.symbol).leverage
        if worth > self.most_notional(order.symbol, leverage, now_ms):
            raise Refusal(-2027, "Exceeded the maximum allowable position at current leverage.")
        fee = fee_of(order.amount * price, account.futures_rates.taker)
        if needed + fee > self.margins(account, order.quote, now_ms, without=order).available:
            raise Refusal(-2019, "Margin is insufficient.")

    def affordable(self, account: Account, order: Order, matches: Sequence[Match], at_ms: int) -> list[Match]:
        """Return the part of ``matches`` that closes a position, or for whose opening there is a margin."""
        if not _only_closes(order):
            return list(matches) if self._has_margin(account, order, matches, at_ms) else []
        left, kept = self._reducible(account, order), []
        for match in matches:
            amount = min(match.amount, left)
            if amount > 0:
                kept.append(Match(match.price, amount))
                left -= amount
        return kept

    def fill(self, account: Account, order: Order, match: Match, *, is_maker: bool, at_ms: int) -> Fill:
        """Change the position, and book profit and fee."""
        order.filled += match.amount
        order.cost += match.cost
        rates = account.futures_rates
        fee = fee_of(match.cost, rates.maker if is_maker else rates.taker)
        realised = self._move(account, order, match, at_ms)
        fill = self._ledger.note(
            Fill(
                number=self._ledger.new_number(),
                order=order.number,
                account=account.name,
                board="futures",
                symbol=order.symbol,
                side=order.side,
                price=match.price,
                amount=match.amount,
                fee=fee,
                fee_asset=order.quote,
                is_maker=is_maker,
                time_ms=at_ms,
                realised=realised,
                position_side=order.position_side,
            )
        )
        self.book(account, (order.symbol, order.quote), "REALIZED_PNL", realised, at_ms, fill.number)
        self.book(account, (order.symbol, order.quote), "COMMISSION", -fee, at_ms, fill.number)
        self._cover(account, (order.symbol, order.quote), at_ms)
        return fill

    def release(self, account: Account, order: Order) -> None:
        """Do nothing: margins of open orders are summed up on demand."""

    def pay_funding(self, account: Account, symbol: str, funding: Funding) -> None:
        """Exchange funding for every position in a perpetual."""
        mark, rate = exact(funding.mark, _PRICE_DECIMALS), Decimal(str(funding.rate))
        for position in account.held(symbol):
            payment = rounded(-position.amount * mark * rate)
            if account.setting(symbol).is_isolated:
                position.margin += payment
            self.book(account, (symbol, position.asset), "FUNDING_FEE", payment, funding.time_ms)
            self._cover(account, (symbol, position.asset), funding.time_ms)

    def margins(self, account: Account, asset: str, now_ms: int, *, without: Order | None = None) -> Margins:
        """Add up one wallet."""
        initial = maintenance = isolated = profit = ZERO
        cross_profit = cross_initial = cross_maintenance = ZERO
        for position in account.held():
            if position.asset != asset:
                continue
            mark, setting = self.mark(position, now_ms), account.setting(position.symbol)
            notional, gain = abs(position.amount) * mark, position.profit_at(mark)
            needed, kept = (
                notional / setting.leverage,
                self.tier(position.symbol, notional, now_ms).maintenance(notional),
            )
            initial, maintenance, profit = initial + needed, maintenance + kept, profit + gain
            if setting.is_isolated:
                isolated += position.margin
            else:
                cross_profit, cross_initial = cross_profit + gain, cross_initial + needed
                cross_maintenance += kept
        orders = [one for one in self._orders(account) if one.quote == asset and one is not without]
        return Margins(
            wallet=account.wallet.get(asset, ZERO),
            isolated=isolated,
            initial=initial,
            maintenance=maintenance,
            orders=order_margin(account, orders),
            profit=profit,
            cross_profit=cross_profit,
            cross_initial=cross_initial,
            cross_maintenance=cross_maintenance,
        )

    def liquidation_price(self, account: Account, position: Position, now_ms: int) -> Decimal:
        """Return where a position is liquidated; zero for nowhere."""
        if account.setting(position.symbol).is_isolated:
            tier = self.tier(position.symbol, abs(position.basis), now_ms)
            return liquidation_price(position, position.margin, tier)
        mark, sums = self.mark(position, now_ms), self.margins(account, position.asset, now_ms)
        notional = abs(position.amount) * mark
        tier = self.tier(position.symbol, notional, now_ms)
        others = sums.cross_profit - position.profit_at(mark)
        others -= sums.cross_maintenance - tier.maintenance(notional)
        return liquidation_price(position, sums.cross_wallet + others, tier)

    def mark(self, position: Position, now_ms: int) -> Decimal:
        """Return the mark price of a position; its entry price once the perpetual is gone."""
        mark = self._contracts.mark_price(position.symbol, now_ms)
        return position.entry_price if mark is None else exact(mark, _PRICE_DECIMALS)

    def tier(self, symbol: str, notional: Decimal, now_ms: int) -> Tier:
        """Return what must be kept of a notional."""
        return tier_of(self._contracts.brackets(symbol, now_ms), notional)

    def most_leverage(self, symbol: str, now_ms: int) -> int:
        """Return the highest leverage that may be set."""
        return max((one.leverage for one in self._contracts.brackets(symbol, now_ms)), default=1)

    def most_notional(self, symbol: str, leverage: int, now_ms: int) -> Decimal:
        """Return how much a position may be worth at a leverage."""
        caps = [one.cap for one in self._contracts.brackets(symbol, now_ms) if one.leverage >= leverage]
        return Decimal(str(max(caps, default=0.0)))

    def book(
        self,
        account: Account,
        what: tuple[str, str],
        kind: str,
        amount: Decimal,
        at_ms: int,
        fill: int | None = None,
    ) -> None:
        """Change a wallet and say why; ``what`` are symbol and currency."""
        if not amount:
            return
        symbol, asset = what
        account.wallet[asset] = account.wallet.get(asset, ZERO) + amount
        self._ledger.note(
            Income(
                number=self._ledger.new_number(),
                account=account.name,
                symbol=symbol,
                type=kind,
                asset=asset,
                amount=amount,
                time_ms=at_ms,
                fill=fill,
            )
        )

    def _cover(self, account: Account, what: tuple[str, str], at_ms: int) -> None:
        # A price that leapt over a liquidation may cost more than there is; the venue bears the rest.
        isolated = sum((one.margin for one in account.held() if one.asset == what[1]), ZERO)
        lacking = isolated - account.wallet.get(what[1], ZERO)
        if lacking > 0:
            self.book(account, what, "INSURANCE_CLEAR", lacking, at_ms)

    def _has_margin(self, account: Account, order: Order, matches: Sequence[Match], at_ms: int) -> bool:
        """Tell whether the margin is there; a maker's may have been lost since its order was accepted."""
        amount = sum((match.amount for match in matches), ZERO)
        opens, price = opening_amount(_position(account, order), order.side, amount), _mean_price(matches)
        if not opens:
            return True
        sums = self.margins(account, order.quote, at_ms)
        spare = sums.cross_wallet + sums.cross_profit - sums.cross_initial
        return opens * price / account.setting(order.symbol).leverage <= spare

    @staticmethod
    def _reducible(account: Account, order: Order) -> Decimal:
        """Return how much of the position an order could close."""
        return max(-_position(account, order).amount * order.side.sign, ZERO)

    def _orders(self, account: Account) -> list[Order]:
        return [one for one in self._ledger.open_orders("futures") if one.account == account.name]

    @staticmethod
    def _move(account: Account, order: Order, match: Match, at_ms: int) -> Decimal:
        """Change the position by a fill; return the profit of what was closed."""
        position, sign = _position(account, order), order.side.sign
        setting = account.setting(order.symbol)
        opens = opening_amount(position, order.side, match.amount)
        closes, realised = match.amount - opens, ZERO
        if closes:
            share = closes / abs(position.amount)
            is_all = closes == abs(position.amount)
            basis = position.basis if is_all else rounded(position.basis * share)
            realised = -sign * closes * match.price - basis
            position.margin -= position.margin if is_all else rounded(position.margin * share)
            position.basis -= basis
            position.amount += sign * closes
        if opens:
            position.amount += sign * opens
            position.basis += sign * opens * match.price
            if setting.is_isolated:
                position.margin += rounded(opens * match.price / setting.leverage)
        position.updated_ms = at_ms
        return realised


def _position(account: Account, order: Order) -> Position:
    return account.position(order.symbol, order.quote, order.position_side)


def _mean_price(matches: Sequence[Match]) -> Decimal:
    amount = sum((match.amount for match in matches), ZERO)
    return sum((match.cost for match in matches), ZERO) / amount if amount else ZERO


def _only_closes(order: Order) -> bool:
    closing = {"LONG": "SELL", "SHORT": "BUY", "BOTH": ""}[order.position_side]
    return order.reduce_only or order.side == closing
