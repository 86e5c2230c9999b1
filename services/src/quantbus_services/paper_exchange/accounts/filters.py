"""The filters that the market list announces, applied to an order."""

from decimal import Decimal

from quantbus_services.paper_exchange.accounts.money import is_multiple, step_of
from quantbus_services.paper_exchange.accounts.records import Side
from quantbus_services.paper_exchange.accounts.requests import OrderRequest
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.listings.listings import Listing

__all__ = ["BAND", "MIN_WORTH", "MOST", "MOST_ORDERS", "MOST_WORTH", "check_filters"]

MIN_WORTH = Decimal(5)
MOST_WORTH = Decimal(9_000_000)
MOST = Decimal(1_000_000_000)
BAND = Decimal("0.05")
"""How far beyond the last price a limit of a futures order may lie on the side where it takes."""
MOST_ORDERS = 200
"""Open orders of an account in one futures market."""


def check_filters(request: OrderRequest, listing: Listing, last_price: Decimal) -> None:
    """Refuse an order with a wrong price, amount or worth, with the codes of its board.

    Raises
    ------
    Refusal
        With -1013 (spot), or -1111, -4003, -4005, -4014, -4016, -4024 or -4164 (futures).
    """
    if request.board == "spot":
        _check_spot(request, listing, last_price)
    else:
        _check_futures(request, listing, last_price)


def _check_spot(request: OrderRequest, listing: Listing, last_price: Decimal) -> None:
    tick, step = step_of(listing.price_decimals), step_of(listing.amount_decimals)
    for price in _prices(request):
        if not (tick <= price <= MOST and is_multiple(price, tick)):
            raise Refusal(-1013, "Filter failure: PRICE_FILTER")
    if not request.quote_amount and not (
        step <= request.amount <= MOST and is_multiple(request.amount, step)
    ):
        raise Refusal(-1013, "Filter failure: LOT_SIZE")
    worth = request.quote_amount or request.amount * (request.price or last_price)
    if worth < MIN_WORTH or (request.price and worth > MOST_WORTH):
        raise Refusal(-1013, "Filter failure: NOTIONAL")


def _check_futures(request: OrderRequest, listing: Listing, last_price: Decimal) -> None:
    tick, step = step_of(listing.price_decimals), step_of(listing.amount_decimals)
    for price in _prices(request):
        if price < tick:
            raise Refusal(-4001, "Price less than 0.")
        if price > MOST:
            raise Refusal(-4002, "Price greater than max price.")
        if not is_multiple(price, tick):
            raise Refusal(-4014, "Price not increased by tick size.")
    _check_band(request, last_price, tick)
    if request.close_position:
        return
    if request.amount <= 0:
        raise Refusal(-4003, "Quantity less than or equal to zero.")
    if not is_multiple(request.amount, step):
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")
    if request.amount > MOST:
        raise Refusal(-4005, "Quantity greater than max quantity.")
    worth = request.amount * (request.price or last_price)
    if worth < MIN_WORTH and not request.reduce_only:
        raise Refusal(-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only).")


def _check_band(request: OrderRequest, last_price: Decimal, tick: Decimal) -> None:
    """Refuse a limit far beyond the market; a conditional order is judged when its price has come."""
    if not request.price or request.is_conditional:
        return
    worst = (last_price * (1 + BAND * request.side.sign)).quantize(tick)
    if request.side is Side.BUY and request.price > worst:
        raise Refusal(-4016, f"Limit price can't be higher than {worst}.")
    if request.side is Side.SELL and request.price < worst:
        raise Refusal(-4024, f"Limit price can't be lower than {worst}.")


def _prices(request: OrderRequest) -> list[Decimal]:
    has_limit = not request.type.endswith("MARKET")
    has_stop = request.is_conditional or request.type.startswith(("STOP", "TAKE"))
    return [*([request.price] if has_limit else []), *([request.stop_price] if has_stop else [])]
