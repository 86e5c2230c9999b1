"""Everything that may be asked of the accounts, one request at a time and all or nothing."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from quantbus_services.paper_exchange.accounts.board import TradingBoard
from quantbus_services.paper_exchange.accounts.contracts import VenueContracts
from quantbus_services.paper_exchange.accounts.futures import FuturesClearing
from quantbus_services.paper_exchange.accounts.ledger import Ledger
from quantbus_services.paper_exchange.accounts.ports import OrderFaults, OrderTicket
from quantbus_services.paper_exchange.accounts.records import Account, ApiKey, Board, Fill, Order
from quantbus_services.paper_exchange.accounts.requests import Fields, OrderRequest
from quantbus_services.paper_exchange.accounts.risk import Risk
from quantbus_services.paper_exchange.accounts.settlement import Settlement
from quantbus_services.paper_exchange.accounts.spot import SpotClearing
from quantbus_services.paper_exchange.accounts.trading import Trading
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.generator.perpetual import PerpetualMarket
from quantbus_services.paper_exchange.market import Market

__all__ = ["Call", "Office"]

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One signed request: whose it is, what it says, and the instant at which it is carried out."""

    account: Account
    key: ApiKey
    fields: Fields
    now_ms: int


class Office:
    """The accounts of one exchange."""

    def __init__(
        self, ledger: Ledger, *, spot: Market, futures: PerpetualMarket, faults: OrderFaults
    ) -> None:
        """Keep the accounts of ``ledger``, which trade in ``spot`` and ``futures``."""
        contracts = VenueContracts(futures)
        self.ledger = ledger
        self.faults = faults
        self.clearing = FuturesClearing(ledger, contracts)
        self.trading = Trading(
            ledger,
            {
                "spot": TradingBoard(spot, SpotClearing(ledger)),
                "futures": TradingBoard(futures, self.clearing),
            },
        )
        self._settlement = Settlement(
            ledger, self.trading, Risk(ledger, self.trading, self.clearing, contracts)
        )

    def perform(self, now_ms: int, act: Callable[[int], _T]) -> _T:
        """Bring the accounts up to now, do one thing, and keep both; nothing is kept of what went wrong.

        ``act`` gets the instant of the accounts: now, or later if the clock was set back since.

        Raises
        ------
        Refusal
            As ``act`` raises it, or -1001 if the state file could not be written.
        """
        ledger = self.ledger
        try:
            self._settlement.settle(now_ms)
            try:
                result = act(max(now_ms, ledger.settled_ms))
            except Refusal:
                # It changed nothing; what had happened until then has happened all the same.
                ledger.commit()
                raise
            ledger.commit()
        except Refusal:
            raise
        except sqlite3.Error as error:
            ledger.reload()
            _log.error("state_not_written", error=str(error), consequence="the request was undone")
            raise Refusal(
                -1001, "Internal error; unable to process your request. Please try again.", status=500
            ) from None
        except BaseException:
            ledger.reload()
            raise
        return result

    def place(self, call: Call, request: OrderRequest) -> Order:
        """Place an order, unless a fault refuses it.

        Raises
        ------
        Refusal
            If it is not accepted.
        """
        refusal = self.faults.refuses(self.ticket(call, request), call.now_ms)
        if refusal is not None:
            raise refusal
        order = self.trading.place(call.account, request, call.now_ms)
        call.account.updated_ms = call.now_ms
        return order

    @staticmethod
    def ticket(call: Call, request: OrderRequest) -> OrderTicket:
        """Return what a fault may know of an order."""
        return OrderTicket(call.account.name, request.board, request.symbol, request.side, request.client_id)

    def find(
        self, call: Call, board: Board, names: tuple[str, str], *, code: int, is_conditional: bool = False
    ) -> Order:
        """Return an order of the caller by its number, or else by the client's id for it.

        Parameters
        ----------
        names
            The parameters that carry them.
        code
            Which way of being unknown is meant.

        Raises
        ------
        Refusal
            If there is none.
        """
        number, client_id = call.fields.number(names[0]), call.fields.text(names[1])
        if number is None and not client_id:
            raise Refusal(
                -1102, f"Param '{names[1]}' or '{names[0]}' must be sent, but both were empty/null!"
            )
        order = (
            self.ledger.orders.get(number)
            if number is not None
            else self.ledger.by_client_id(call.account.name, board, client_id, is_conditional=is_conditional)
        )
        wanted = call.account.name, board, is_conditional
        if order is None or (order.account, order.board, order.is_conditional) != wanted:
            raise Refusal(code, "Unknown order sent." if code == -2011 else "Order does not exist.")
        return order

    def fills(self, call: Call, board: Board, symbol: str) -> Sequence[Fill]:
        """Return the fills of the caller in a market as the venue tells of them now."""
        mine = [
            fill
            for fill in self.ledger.fills.values()
            if (fill.account, fill.board, fill.symbol) == (call.account.name, board, symbol)
        ]
        return self.faults.reports(mine, call.now_ms)
