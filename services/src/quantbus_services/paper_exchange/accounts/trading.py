"""Orders from their placing to their end."""

from collections.abc import Mapping
from decimal import Decimal

from quantbus_services.paper_exchange.accounts.board import TradingBoard
from quantbus_services.paper_exchange.accounts.filters import MOST_ORDERS, check_filters
from quantbus_services.paper_exchange.accounts.ledger import Ledger
from quantbus_services.paper_exchange.accounts.matching import Match, in_turn, made_at, reaches, take
from quantbus_services.paper_exchange.accounts.money import step_of
from quantbus_services.paper_exchange.accounts.path import Step
from quantbus_services.paper_exchange.accounts.records import (
    ZERO,
    Account,
    Board,
    Order,
    Status,
)
from quantbus_services.paper_exchange.accounts.requests import OrderRequest
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.market import Market

__all__ = ["Trading"]

_MARKET_TYPES = ("MARKET", "STOP_MARKET", "TAKE_PROFIT_MARKET")


class Trading:
    """Places, cancels, starts and fills orders; changes records, and leaves the commit to its caller."""

    def __init__(self, ledger: Ledger, boards: Mapping[Board, TradingBoard]) -> None:
        """Trade the accounts of ``ledger``; a side of the venue that is not among ``boards`` does not exist."""
        self._ledger = ledger
        self._boards = boards

    def board(self, name: Board) -> TradingBoard:
        """Return one side of the venue."""
        return self._boards[name]

    def markets(self) -> list[Market]:
        """Return the markets of every side."""
        return [board.market for board in self._boards.values()]

    def place(self, account: Account, request: OrderRequest, now_ms: int) -> Order:
        """Accept an order, fill what can be filled at once, and let the rest wait or expire.

        Raises
        ------
        Refusal
            If the order is not acceptable; the account is then as it was.
        """
        board = self._boards[request.board]
        listing = board.open_listing(request.symbol, now_ms)
        last = board.last_price(listing, now_ms)
        check_filters(request, listing, last)
        self._check_standing(account, request)
        order = self.new_order(account, request, listing, now_ms)
        if request.stop_price:
            if reaches(order, last):
                raise _would_trigger(request)
            order.is_waiting = True
            board.clearing.reserve(account, order, (), now_ms)
        else:
            matches = self._takes(order, listing, now_ms)
            if request.is_post_only and matches:
                raise _would_take(request)
            if request.quote_amount:
                order.amount = sum((match.amount for match in matches), ZERO)
            board.clearing.reserve(account, order, matches, now_ms)
            self._execute(account, order, matches, now_ms)
        self._ledger.note(order)
        self._ledger.note(account)
        return order

    def check(self, account: Account, request: OrderRequest, now_ms: int) -> None:
        """Refuse an order that could not be placed whatever the balance; ``order/test`` asks no more."""
        board = self._boards[request.board]
        listing = board.open_listing(request.symbol, now_ms)
        check_filters(request, listing, board.last_price(listing, now_ms))
        self._check_standing(account, request)

    def cancel(self, order: Order, now_ms: int) -> Order:
        """Cancel an order.

        Raises
        ------
        Refusal
            If it is not open.
        """
        if not order.status.is_open:
            raise Refusal(-2011, "Unknown order sent.")
        self.end(order, Status.CANCELED, now_ms)
        return order

    def end(self, order: Order, status: Status, at_ms: int) -> None:
        """End an open order and give back what it had set aside."""
        account = self._ledger.accounts[order.account]
        order.status, order.updated_ms, order.is_waiting = status, at_ms, False
        self._boards[order.board].clearing.release(account, order)
        self._ledger.note(order)
        self._ledger.note(account)

    def advance(self, board: Board, listing: Listing, step: Step) -> None:
        """Let one step of the price path start and fill what waits for it."""
        at_ms = step.time_ms
        orders = self._ledger.open_orders(board, listing.name)
        for order in orders:
            if order.is_waiting and reaches(order, step.price):
                self._start(order, listing, at_ms)
        left = step.amount
        resting = [one for one in orders if one.status.is_open and not one.is_waiting]
        for order in in_turn(resting):
            price = made_at(order, step)
            # An order that was started by this step has had its chance in the book.
            if price is None or left <= 0 or order.triggered_ms == at_ms:
                continue
            left -= self._make(order, Match(price, min(left, order.remaining)), at_ms)

    def _check_standing(self, account: Account, request: OrderRequest) -> None:
        earlier = request.client_id and self._ledger.by_client_id(
            account.name, request.board, request.client_id, is_conditional=request.is_conditional
        )
        if earlier and earlier.status.is_open:
            if request.board == "spot":
                raise Refusal(-2010, "Duplicate order sent.")
            raise Refusal(-4116, "ClientOrderId is duplicated.")
        if request.board == "spot":
            return
        if request.may_rest and self._resting(account, request.symbol) >= MOST_ORDERS:
            raise Refusal(-2025, "Reach max open order limit.")
        if (request.position_side == "BOTH") == account.is_hedged:
            raise Refusal(-4061, "Order's position side does not match user's setting.")
        if account.is_hedged and request.reduce_only and not request.close_position:
            raise Refusal(-1106, "Parameter 'reduceonly' sent when not required.")

    def _resting(self, account: Account, symbol: str) -> int:
        orders = self._ledger.open_orders("futures", symbol)
        return sum(one.account == account.name and not one.is_conditional for one in orders)

    def new_order(self, account: Account, request: OrderRequest, listing: Listing, now_ms: int) -> Order:
        """Return an order that has come to nothing yet; it is not noted."""
        number = self._ledger.new_number()
        return Order(
            number=number,
            account=account.name,
            board=request.board,
            symbol=request.symbol,
            base=listing.base,
            quote=listing.quote,
            client_id=request.client_id or f"paper-{number}",
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            amount=request.amount,
            price=request.price,
            stop_price=request.stop_price,
            quote_amount=request.quote_amount,
            is_conditional=request.is_conditional,
            reduce_only=request.reduce_only,
            close_position=request.close_position,
            position_side=request.position_side,
            working_type=request.working_type,
            placed_ms=now_ms,
            updated_ms=now_ms,
        )

    def _takes(self, order: Order, listing: Listing, now_ms: int) -> list[Match]:
        """Return what an order takes from the book at once; nothing if all of it is wanted and not there."""
        matches = take(
            self._boards[order.board].levels(listing, order.side, now_ms),
            order.side,
            amount=order.remaining,
            limit=order.price,
            worth=order.quote_amount,
            step=step_of(listing.amount_decimals),
        )
        return [] if order.time_in_force == "FOK" and _sum(matches) < order.remaining else matches

    def _execute(self, account: Account, order: Order, matches: list[Match], now_ms: int) -> None:
        """Fill what is taken from the book; the rest waits if it may."""
        clearing = self._boards[order.board].clearing
        for match in clearing.affordable(account, order, matches, now_ms):
            clearing.fill(account, order, match, is_maker=False, at_ms=now_ms)
        order.updated_ms = now_ms
        if order.amount and not order.remaining:
            order.status = Status.FILLED
            clearing.release(account, order)
        elif order.type in _MARKET_TYPES or order.time_in_force in ("IOC", "FOK"):
            order.status = Status.EXPIRED
            clearing.release(account, order)
        elif order.filled:
            order.status = Status.PARTIALLY_FILLED

    def _make(self, order: Order, match: Match, at_ms: int) -> Decimal:
        """Fill a waiting order; return how much it was given."""
        account, clearing = self._ledger.accounts[order.account], self._boards[order.board].clearing
        given = clearing.affordable(account, order, [match], at_ms)
        if not given:
            self.end(order, Status.EXPIRED, at_ms)
            return ZERO
        clearing.fill(account, order, given[0], is_maker=True, at_ms=at_ms)
        order.updated_ms = at_ms
        order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
        if not order.remaining:
            clearing.release(account, order)
        self._ledger.note(order)
        self._ledger.note(account)
        return given[0].amount

    def _start(self, order: Order, listing: Listing, at_ms: int) -> None:
        """Let an order work whose stop price has come."""
        account = self._ledger.accounts[order.account]
        order.is_waiting, order.triggered_ms, order.updated_ms = False, at_ms, at_ms
        if order.is_conditional:
            self._place_child(account, order, at_ms)
        else:
            self._execute(account, order, self._takes(order, listing, at_ms), at_ms)
        self._ledger.note(order)
        self._ledger.note(account)

    def _place_child(self, account: Account, order: Order, at_ms: int) -> None:
        """Place the order that a conditional futures order stands for; one that is refused expires it."""
        amount = order.amount
        if order.close_position:
            position = account.position(order.symbol, order.quote, order.position_side)
            amount = max(-position.amount * order.side.sign, ZERO)
        request = OrderRequest(
            board="futures",
            symbol=order.symbol,
            side=order.side,
            type="MARKET" if order.type in _MARKET_TYPES else "LIMIT",
            time_in_force=order.time_in_force,
            amount=amount,
            price=order.price,
            stop_price=ZERO,
            quote_amount=ZERO,
            client_id=f"algo-{order.number}",
            reduce_only=order.reduce_only and not account.is_hedged,
            position_side=order.position_side,
        )
        try:
            child = self.place(account, request, at_ms)
        except Refusal:
            order.status = Status.EXPIRED
            return
        child.triggered_ms = at_ms
        order.child, order.status = child.number, Status.FINISHED


def _sum(matches: list[Match]) -> Decimal:
    return sum((match.amount for match in matches), ZERO)


def _would_trigger(request: OrderRequest) -> Refusal:
    if request.board == "spot":
        return Refusal(-2010, "Stop price would trigger immediately.")
    return Refusal(-2021, "Order would immediately trigger.")


def _would_take(request: OrderRequest) -> Refusal:
    if request.board == "spot":
        return Refusal(-2010, "Order would immediately match and take.")
    return Refusal(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history.",
    )
