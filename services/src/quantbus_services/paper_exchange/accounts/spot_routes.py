"""The signed routes of Binance spot."""

from collections.abc import Mapping
from typing import Any

from quantbus_services.paper_exchange.accounts import spot_answers as answers
from quantbus_services.paper_exchange.accounts.office import Call, Office
from quantbus_services.paper_exchange.accounts.pages import page_of
from quantbus_services.paper_exchange.accounts.records import Order
from quantbus_services.paper_exchange.accounts.requests import read_order
from quantbus_services.paper_exchange.accounts.rights import Answer, Right, Signed
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.listings.listings import Listing

__all__ = ["ROUTES"]

_NAMES = "orderId", "origClientOrderId"
_DETAILS = {"MARKET": "FULL", "LIMIT": "FULL"}


def _account(office: Office, call: Call) -> object:
    return answers.account_answer(call.account, call.key, skip_empty=call.fields.flag("omitZeroBalances"))


def _place(office: Office, call: Call) -> object:
    request = read_order(call.fields, "spot")
    default = _DETAILS.get(request.type, "ACK")
    detail = call.fields.choice("newOrderRespType", (default, "ACK", "RESULT", "FULL"))
    order = office.place(call, request)
    answer = answers.placed(order, office.ledger.fills_of(order), detail)
    return Answer(answer, lost=office.faults.loses_answer(office.ticket(call, request), call.now_ms))


def _test(office: Office, call: Call) -> object:
    office.trading.check(call.account, read_order(call.fields, "spot"), call.now_ms)
    return {}


def _query(office: Office, call: Call) -> object:
    _listing(office, call)
    return answers.order_answer(office.find(call, "spot", _NAMES, code=-2013))


def _cancel(office: Office, call: Call) -> object:
    _listing(office, call)
    order = office.trading.cancel(office.find(call, "spot", _NAMES, code=-2011), call.now_ms)
    return answers.cancelled(order, call.fields.text("newClientOrderId"))


def _open_orders(office: Office, call: Call) -> object:
    return [answers.order_answer(order) for order in _open(office, call)]


def _cancel_all(office: Office, call: Call) -> object:
    listing, orders = _listing(office, call), _open(office, call)
    if not orders:
        raise Refusal(-2011, "Unknown order sent.")
    cancelled = [office.trading.cancel(one, call.now_ms) for one in orders if one.symbol == listing.name]
    return [answers.cancelled(order, "") for order in cancelled]


def _all_orders(office: Office, call: Call) -> object:
    mine = list(office.ledger.orders_of(call.account.name, "spot", _listing(office, call).name))
    page = page_of(
        mine, call.fields, number=lambda one: one.number, time_ms=lambda one: one.placed_ms, first="orderId"
    )
    return [answers.order_answer(order) for order in page]


def _my_trades(office: Office, call: Call) -> object:
    order = call.fields.number("orderId")
    fills = office.fills(call, "spot", _listing(office, call).name)
    page = page_of(
        [fill for fill in fills if order in (None, fill.order)],
        call.fields,
        number=lambda one: one.number,
        time_ms=lambda one: one.time_ms,
    )
    return [answers.fill_answer(fill) for fill in page]


def _restrictions(office: Office, call: Call) -> object:
    key = call.key
    return {
        "ipRestrict": False,
        "createTime": key.created_ms,
        "enableReading": True,
        "enableWithdrawals": key.can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": key.can_use_futures,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": key.can_trade,
        "enablePortfolioMarginTrading": False,
    }


def _fees(office: Office, call: Call) -> object:
    rates = call.account.spot_rates
    listed = office.trading.board("spot").market.listed(call.now_ms)
    chosen = [_listing(office, call).name] if "symbol" in call.fields else listed
    return [
        {"symbol": name, "makerCommission": f"{rates.maker:f}", "takerCommission": f"{rates.taker:f}"}
        for name in chosen
    ]


def _coins(office: Office, call: Call) -> object:
    """Return every currency, on no network: nothing can be sent to, or taken from, this exchange."""
    listed = office.trading.board("spot").market.listed(call.now_ms).values()
    codes = {code for one in listed for code in (one.base, one.quote)} | set(call.account.spot)
    return [_coin(code, call) for code in sorted(codes)]


def _no_margin_pairs(office: Office, call: Call) -> object:
    """Return the pairs of margin trading, which there is none of; ccxt asks for them with the market list."""
    return []


def _coin(code: str, call: Call) -> dict[str, Any]:
    balance = call.account.balance(code)
    return {
        "coin": code,
        "depositAllEnable": False,
        "withdrawAllEnable": False,
        "name": code,
        "free": f"{balance.free:f}",
        "locked": f"{balance.locked:f}",
        "freeze": "0",
        "withdrawing": "0",
        "ipoing": "0",
        "ipoable": "0",
        "storage": "0",
        "isLegalMoney": False,
        "trading": True,
        "networkList": [],
    }


def _listing(office: Office, call: Call) -> Listing:
    return office.trading.board("spot").listing(call.fields.mandatory("symbol"), call.now_ms)


def _open(office: Office, call: Call) -> list[Order]:
    symbol = _listing(office, call).name if "symbol" in call.fields else None
    orders = office.ledger.open_orders("spot", symbol)
    return [order for order in orders if order.account == call.account.name]


ROUTES: Mapping[tuple[str, str], Signed] = {
    ("GET", "/api/v3/account"): Signed(_account, Right.READ),
    ("POST", "/api/v3/order"): Signed(_place, Right.TRADE),
    ("POST", "/api/v3/order/test"): Signed(_test, Right.TRADE),
    ("GET", "/api/v3/order"): Signed(_query, Right.READ),
    ("DELETE", "/api/v3/order"): Signed(_cancel, Right.TRADE),
    ("GET", "/api/v3/openOrders"): Signed(_open_orders, Right.READ),
    ("DELETE", "/api/v3/openOrders"): Signed(_cancel_all, Right.TRADE),
    ("GET", "/api/v3/allOrders"): Signed(_all_orders, Right.READ),
    ("GET", "/api/v3/myTrades"): Signed(_my_trades, Right.READ),
    ("GET", "/sapi/v1/account/apiRestrictions"): Signed(_restrictions, Right.READ),
    ("GET", "/sapi/v1/asset/tradeFee"): Signed(_fees, Right.READ),
    ("GET", "/sapi/v1/capital/config/getall"): Signed(_coins, Right.READ),
    ("GET", "/sapi/v1/margin/allPairs"): Signed(_no_margin_pairs, Right.READ),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Signed(_no_margin_pairs, Right.READ),
}
"""What answers a signed request, and the right that it takes."""
