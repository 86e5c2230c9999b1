"""The signed routes of Binance USD-M futures that are about orders and fills."""

from collections.abc import Mapping

from quantbus_services.paper_exchange.accounts import futures_answers as answers
from quantbus_services.paper_exchange.accounts.futures_routes import listing_of
from quantbus_services.paper_exchange.accounts.office import Call, Office
from quantbus_services.paper_exchange.accounts.pages import page_of
from quantbus_services.paper_exchange.accounts.records import Order
from quantbus_services.paper_exchange.accounts.requests import read_conditional, read_order
from quantbus_services.paper_exchange.accounts.rights import Answer, Right, Signed
from quantbus_services.paper_exchange.binance.queries import Refusal

__all__ = ["ROUTES"]

_NAMES = "orderId", "origClientOrderId"
_CONDITIONAL_NAMES = "algoId", "clientAlgoId"


def _place(office: Office, call: Call) -> object:
    request = read_order(call.fields, "futures")
    order = office.place(call, request)
    return Answer(
        answers.order_answer(order),
        lost=office.faults.loses_answer(office.ticket(call, request), call.now_ms),
    )


def _place_conditional(office: Office, call: Call) -> object:
    request = read_conditional(call.fields)
    order = office.place(call, request)
    return Answer(
        answers.conditional_answer(order),
        lost=office.faults.loses_answer(office.ticket(call, request), call.now_ms),
    )


def _test(office: Office, call: Call) -> object:
    office.trading.check(call.account, read_order(call.fields, "futures"), call.now_ms)
    return {}


def _query(office: Office, call: Call) -> object:
    listing_of(office, call)
    return answers.order_answer(office.find(call, "futures", _NAMES, code=-2013))


def _query_open(office: Office, call: Call) -> object:
    order = office.find(call, "futures", _NAMES, code=-2013)
    if not order.status.is_open:
        raise Refusal(-2013, "Order does not exist.")
    return answers.order_answer(order)


def _query_conditional(office: Office, call: Call) -> object:
    order = office.find(call, "futures", _CONDITIONAL_NAMES, code=-2013, is_conditional=True)
    return answers.conditional_answer(order)


def _cancel(office: Office, call: Call) -> object:
    listing_of(office, call)
    order = office.find(call, "futures", _NAMES, code=-2011)
    return answers.order_answer(office.trading.cancel(order, call.now_ms))


def _cancel_conditional(office: Office, call: Call) -> object:
    order = office.find(call, "futures", _CONDITIONAL_NAMES, code=-2011, is_conditional=True)
    office.trading.cancel(order, call.now_ms)
    return {"algoId": order.number, "clientAlgoId": order.client_id, "code": "200", "msg": "success"}


def _open_orders(office: Office, call: Call) -> object:
    return [answers.order_answer(order) for order in _open(office, call, is_conditional=False)]


def _open_conditionals(office: Office, call: Call) -> object:
    return [answers.conditional_answer(order) for order in _open(office, call, is_conditional=True)]


def _cancel_all(office: Office, call: Call) -> object:
    return _cancel_every(office, call, is_conditional=False)


def _cancel_all_conditionals(office: Office, call: Call) -> object:
    return _cancel_every(office, call, is_conditional=True)


def _cancel_every(office: Office, call: Call, *, is_conditional: bool) -> object:
    listing_of(office, call)
    for order in _open(office, call, is_conditional=is_conditional):
        office.trading.cancel(order, call.now_ms)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _open(office: Office, call: Call, *, is_conditional: bool) -> list[Order]:
    symbol = listing_of(office, call).name if "symbol" in call.fields else None
    wanted = call.account.name, is_conditional
    orders = office.ledger.open_orders("futures", symbol)
    return [order for order in orders if (order.account, order.is_conditional) == wanted]


def _all_orders(office: Office, call: Call) -> object:
    return [answers.order_answer(order) for order in _all(office, call, "orderId", is_conditional=False)]


def _all_conditionals(office: Office, call: Call) -> object:
    return [answers.conditional_answer(order) for order in _all(office, call, "algoId", is_conditional=True)]


def _all(office: Office, call: Call, first: str, *, is_conditional: bool) -> list[Order]:
    symbol = listing_of(office, call).name if "symbol" in call.fields else None
    orders = office.ledger.orders_of(call.account.name, "futures", symbol)
    return page_of(
        [order for order in orders if order.is_conditional == is_conditional],
        call.fields,
        number=lambda one: one.number,
        time_ms=lambda one: one.placed_ms,
        first=first,
    )


def _user_trades(office: Office, call: Call) -> object:
    order = call.fields.number("orderId")
    fills = office.fills(call, "futures", listing_of(office, call).name)
    page = page_of(
        [fill for fill in fills if order in (None, fill.order)],
        call.fields,
        number=lambda one: one.number,
        time_ms=lambda one: one.time_ms,
    )
    return [answers.fill_answer(fill) for fill in page]


ROUTES: Mapping[tuple[str, str], Signed] = {
    ("POST", "/fapi/v1/order"): Signed(_place, Right.TRADE),
    ("POST", "/fapi/v1/order/test"): Signed(_test, Right.TRADE),
    ("GET", "/fapi/v1/order"): Signed(_query, Right.READ),
    ("DELETE", "/fapi/v1/order"): Signed(_cancel, Right.TRADE),
    ("GET", "/fapi/v1/openOrder"): Signed(_query_open, Right.READ),
    ("GET", "/fapi/v1/openOrders"): Signed(_open_orders, Right.READ),
    ("DELETE", "/fapi/v1/allOpenOrders"): Signed(_cancel_all, Right.TRADE),
    ("GET", "/fapi/v1/allOrders"): Signed(_all_orders, Right.READ),
    ("GET", "/fapi/v1/userTrades"): Signed(_user_trades, Right.READ),
    ("POST", "/fapi/v1/algoOrder"): Signed(_place_conditional, Right.TRADE),
    ("GET", "/fapi/v1/algoOrder"): Signed(_query_conditional, Right.READ),
    ("DELETE", "/fapi/v1/algoOrder"): Signed(_cancel_conditional, Right.TRADE),
    ("GET", "/fapi/v1/openAlgoOrders"): Signed(_open_conditionals, Right.READ),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Signed(_cancel_all_conditionals, Right.TRADE),
    ("GET", "/fapi/v1/allAlgoOrders"): Signed(_all_conditionals, Right.READ),
}
"""What answers a signed request, and the right that it takes."""
