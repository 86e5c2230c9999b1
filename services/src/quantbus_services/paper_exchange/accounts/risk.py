"""What happens to positions by themselves: funding, liquidation, and the end of a market."""

from decimal import Decimal

from quantbus_services.paper_exchange.accounts.futures import FuturesClearing
from quantbus_services.paper_exchange.accounts.ledger import Ledger
from quantbus_services.paper_exchange.accounts.matching import Match
from quantbus_services.paper_exchange.accounts.path import Step
from quantbus_services.paper_exchange.accounts.ports import Perpetuals
from quantbus_services.paper_exchange.accounts.records import (
    ZERO,
    Account,
    Fill,
    Position,
    PositionSide,
    Side,
    Status,
)
from quantbus_services.paper_exchange.accounts.requests import OrderRequest
from quantbus_services.paper_exchange.accounts.trading import Trading
from quantbus_services.paper_exchange.generator.funding import Funding
from quantbus_services.paper_exchange.listings.listings import Listing

__all__ = ["Risk"]

_MINUTE_MS = 60_000


class Risk:
    """Watches the positions of all accounts."""

    def __init__(
        self, ledger: Ledger, trading: Trading, clearing: FuturesClearing, contracts: Perpetuals
    ) -> None:
        """Watch the wallets that ``clearing`` clears."""
        self._ledger = ledger
        self._trading = trading
        self._clearing = clearing
        self._contracts = contracts
        self._limits: dict[tuple[str, str, str], tuple[object, Decimal]] = {}

    def fundings(self, symbol: str, after_ms: int, until_ms: int) -> list[Funding]:
        """Return the exchanges of funding in ``(after_ms, until_ms]``."""
        return list(self._contracts.fundings(symbol, after_ms, until_ms))

    def pay(self, symbol: str, funding: Funding) -> None:
        """Exchange funding between the holders of positions and the venue."""
        for account in self._holders(symbol):
            self._clearing.pay_funding(account, symbol, funding)
            self._ledger.note(account)

    def check(self, listing: Listing, step: Step) -> None:
        """Close by force what a step of the price path leaves without its maintenance margin.

        Prices are those of the path, not the mark: a position lives and dies by what can be seen in the bars.
        """
        for account in self._holders(listing.name):
            for position in account.held(listing.name):
                limit = self._limit(account, position, step.time_ms)
                falls = position.amount > 0
                if limit and (step.price <= limit if falls else step.price >= limit):
                    self._liquidate(account, position, listing, step)

    def wind_up(self, listing: Listing, step: Step) -> None:
        """Close what is left in a market that has ended, at its last price and without a fee."""
        for account in self._holders(listing.name):
            for position in account.held(listing.name):
                fill = self._close(account, position, listing, step, f"delivery-{step.time_ms}")
                what = listing.name, position.asset
                self._clearing.book(account, what, "COMMISSION", fill.fee, step.time_ms, fill.number)
                position.margin = ZERO

    def _limit(self, account: Account, position: Position, at_ms: int) -> Decimal:
        """Return the liquidation price; what other positions are worth is looked up once a minute."""
        minute = at_ms // _MINUTE_MS * _MINUTE_MS
        wallet = account.wallet.get(position.asset)
        state = minute, wallet, position.amount, position.basis, position.margin
        known = account.name, position.symbol, position.side
        found = self._limits.get(known)
        if found is None or found[0] != state:
            found = state, self._clearing.liquidation_price(account, position, minute)
            self._limits[known] = found
        return found[1]

    def _holders(self, symbol: str) -> list[Account]:
        return [account for account in self._ledger.accounts.values() if account.held(symbol)]

    def _liquidate(self, account: Account, position: Position, listing: Listing, step: Step) -> None:
        """Close a position; what is left of an isolated margin goes to the venue, as does what is lacking."""
        for order in self._ledger.open_orders("futures", listing.name):
            if order.account == account.name:
                self._trading.end(order, Status.EXPIRED, step.time_ms)
        margin, before = position.margin, account.wallet.get(position.asset, ZERO)
        fill = self._close(account, position, listing, step, f"autoclose-{step.time_ms}")
        if account.setting(listing.name).is_isolated:
            rest = before - margin - account.wallet[position.asset]
            what = listing.name, position.asset
            self._clearing.book(account, what, "INSURANCE_CLEAR", rest, step.time_ms, fill.number)

    def _close(
        self, account: Account, position: Position, listing: Listing, step: Step, client_id: str
    ) -> Fill:
        side: PositionSide = position.side
        order = self._trading.new_order(
            account,
            OrderRequest(
                board="futures",
                symbol=listing.name,
                side=Side.SELL if position.amount > 0 else Side.BUY,
                type="LIMIT",
                time_in_force="IOC",
                amount=abs(position.amount),
                price=step.price,
                stop_price=ZERO,
                quote_amount=ZERO,
                client_id=client_id,
                reduce_only=True,
                position_side=side,
            ),
            listing,
            step.time_ms,
        )
        match = Match(step.price, order.amount)
        fill = self._clearing.fill(account, order, match, is_maker=False, at_ms=step.time_ms)
        order.status = Status.FILLED
        self._ledger.note(order)
        self._ledger.note(account)
        return fill
