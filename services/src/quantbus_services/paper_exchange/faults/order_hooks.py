"""The faults of orders as the accounts ask for them."""

from collections.abc import Sequence

from quantbus_services.paper_exchange.accounts.ports import OrderTicket
from quantbus_services.paper_exchange.accounts.records import Board, Fill
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.faults.desk import FaultDesk
from quantbus_services.paper_exchange.faults.exchange import Asked

__all__ = ["DeskOrderFaults"]

_REFUSALS = {
    ("insufficient_balance", "spot"): (-2010, "Account has insufficient balance for requested action.", 400),
    ("insufficient_balance", "futures"): (-2019, "Margin is insufficient.", 400),
    ("order_rejected", "spot"): (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE", 400),
    ("order_rejected", "futures"): (-4131, "Order price does not meet the PERCENT_PRICE filter.", 400),
}  # fmt: skip
_LOSSES = {
    "accepted_but_503": (-1000, "Unknown error, please check your request or try again later.", 503),
    "accepted_but_504": (
        -1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown.", 504,
    ),
}  # fmt: skip


class DeskOrderFaults:
    """Asks the desk which faults an order meets; the `OrderFaults` of the accounts."""

    def __init__(self, desk: FaultDesk) -> None:
        """Take the faults of ``desk``."""
        self._desk = desk

    def refuses(self, ticket: OrderTicket, now_ms: int) -> Refusal | None:
        """Return what the client is told instead of placing the order."""
        for (name, board), (code, message, status) in _REFUSALS.items():
            if board == ticket.board and self._meets(name, ticket):
                return Refusal(code, message, status=status)
        return None

    def loses_answer(self, ticket: OrderTicket, now_ms: int) -> Refusal | None:
        """Return what the client is told although the order was accepted."""
        for name, (code, message, status) in _LOSSES.items():
            if self._meets(name, ticket):
                return Refusal(code, message, status=status)
        return None

    def reports(self, fills: Sequence[Fill], now_ms: int) -> Sequence[Fill]:
        """Return the fills that are told of now: some twice, some not yet."""
        if not fills:
            return fills
        path = _path(fills[0].board, "myTrades" if fills[0].board == "spot" else "userTrades")
        asked = Asked("GET", path, {"symbol": fills[0].symbol})
        late = self._desk.take("fill_reported_late", asked)
        if late is not None:
            bound = now_ms - int(late.parameters["seconds"] * 1000)
            told = [fill for fill in fills if fill.time_ms <= bound or not late.rule.takes_item(fill.number)]
            self._desk.injected[late.rule.name] += len(fills) - len(told)
            fills = told
        twice = self._desk.take("fill_reported_twice", asked)
        if twice is not None:
            doubled = [fill for fill in fills for _ in range(2 if twice.rule.takes_item(fill.number) else 1)]
            self._desk.injected[twice.rule.name] += len(doubled) - len(fills)
            fills = doubled
        return fills

    def _meets(self, name: str, ticket: OrderTicket) -> bool:
        met = self._desk.take(name, Asked("POST", _path(ticket.board, "order"), {"symbol": ticket.symbol}))
        if met is not None:
            self._desk.injected[name] += 1
        return met is not None


def _path(board: Board, name: str) -> str:
    return f"/api/v3/{name}" if board == "spot" else f"/fapi/v1/{name}"
