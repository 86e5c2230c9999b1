"""What a client sends, read the way Binance reads it, refusals included."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from quantbus_services.paper_exchange.accounts.records import ZERO, Board, PositionSide, Side
from quantbus_services.paper_exchange.binance.queries import Refusal

__all__ = ["Fields", "OrderRequest", "read_conditional", "read_order"]

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_MOST_DECIMALS = 8
_POSITION_SIDES: dict[str, PositionSide] = {"BOTH": "BOTH", "LONG": "LONG", "SHORT": "SHORT"}

_SPOT_TYPES = {
    "LIMIT": ("timeInForce", "quantity", "price"),
    "LIMIT_MAKER": ("quantity", "price"),
    "MARKET": (),
    "STOP_LOSS_LIMIT": ("timeInForce", "quantity", "price", "stopPrice"),
    "TAKE_PROFIT_LIMIT": ("timeInForce", "quantity", "price", "stopPrice"),
}
_FUTURES_TYPES = {"LIMIT": ("timeInForce", "quantity", "price"), "MARKET": ("quantity",)}
_CONDITIONAL_TYPES = {
    "STOP": ("quantity", "price", "triggerPrice"),
    "TAKE_PROFIT": ("quantity", "price", "triggerPrice"),
    "STOP_MARKET": ("triggerPrice",),
    "TAKE_PROFIT_MARKET": ("triggerPrice",),
}


class Fields:
    """The parameters of one request; whoever reads one that is wrong gets a `Refusal`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """Take the parameters as sent."""
        self._values = values

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def text(self, name: str, default: str = "") -> str:
        """Return an optional text."""
        return self._values.get(name) or default

    def mandatory(self, name: str) -> str:
        """Return a text that must be there."""
        value = self._values.get(name, "")
        if not value:
            raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        return value

    def choice(self, name: str, choices: tuple[str, ...], code: int = -1130) -> str:
        """Return one of ``choices``, the first by default."""
        value = self._values.get(name) or choices[0]
        if value not in choices:
            raise Refusal(code, f"Data sent for parameter '{name}' is not valid.")
        return value

    def flag(self, name: str) -> bool:
        """Return a truth that is false by default."""
        return self.choice(name, ("false", "true", "False", "True", "FALSE", "TRUE")).lower() == "true"

    def decimal(self, name: str) -> Decimal:
        """Return an optional number, zero by default."""
        value = self._values.get(name)
        if not value:
            return ZERO
        if not _NUMBER.fullmatch(value):
            raise Refusal(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '{_NUMBER.pattern}'."
            )
        number = Decimal(value)
        if number != number.quantize(Decimal(1).scaleb(-_MOST_DECIMALS)):
            raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
        return number

    def number(self, name: str) -> int | None:
        """Return an optional whole number."""
        value = self._values.get(name)
        if not value:
            return None
        if not re.fullmatch(r"[0-9]{1,20}", value):
            raise Refusal(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            )
        return int(value)

    def limit(self, *, default: int = 500, most: int = 1000) -> int:
        """Return ``limit``, cut down to the most there may be."""
        limit = self.number("limit")
        if limit == 0:
            raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(limit or default, most)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as a client wants it; see `Order` for the fields."""

    board: Board
    symbol: str
    side: Side
    type: str
    time_in_force: str
    amount: Decimal
    price: Decimal
    stop_price: Decimal
    quote_amount: Decimal
    client_id: str
    reduce_only: bool = False
    close_position: bool = False
    position_side: PositionSide = "BOTH"
    working_type: str = "CONTRACT_PRICE"
    is_conditional: bool = False

    @property
    def is_post_only(self) -> bool:
        """Tell whether it may only be a maker."""
        return self.type == "LIMIT_MAKER" or self.time_in_force == "GTX"

    @property
    def may_rest(self) -> bool:
        """Tell whether it may wait in the book."""
        return self.type == "LIMIT" and self.time_in_force in ("GTC", "GTX")


def read_order(fields: Fields, board: Board) -> OrderRequest:
    """Read the parameters of ``POST /api/v3/order`` or ``POST /fapi/v1/order``."""
    symbol, side = fields.mandatory("symbol"), _side(fields)
    kind = fields.mandatory("type")
    types = _SPOT_TYPES if board == "spot" else _FUTURES_TYPES
    if board == "futures" and kind in _CONDITIONAL_TYPES:
        raise Refusal(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
        )
    _check_type(fields, kind, types)
    if board == "spot" and kind == "MARKET" and ("quantity" in fields) == ("quoteOrderQty" in fields):
        fields.mandatory("quantity")
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    forces = ("GTC", "IOC", "FOK") if board == "spot" else ("GTC", "IOC", "FOK", "GTX")
    return OrderRequest(
        board=board,
        symbol=symbol,
        side=side,
        type=kind,
        time_in_force=fields.choice("timeInForce", forces, -1115),
        amount=fields.decimal("quantity"),
        price=fields.decimal("price") if "price" in types[kind] else ZERO,
        stop_price=fields.decimal("stopPrice") if "stopPrice" in types[kind] else ZERO,
        quote_amount=fields.decimal("quoteOrderQty") if board == "spot" else ZERO,
        client_id=_client_id(fields, "newClientOrderId"),
        reduce_only=board == "futures" and fields.flag("reduceOnly"),
        position_side=_position_side(fields),
    )


def read_conditional(fields: Fields) -> OrderRequest:
    """Read the parameters of ``POST /fapi/v1/algoOrder``."""
    symbol, side = fields.mandatory("symbol"), _side(fields)
    fields.choice("algoType", ("CONDITIONAL",))
    kind = fields.mandatory("type")
    _check_type(fields, kind, _CONDITIONAL_TYPES)
    closes = fields.flag("closePosition")
    if not closes:
        fields.mandatory("quantity")
    return OrderRequest(
        board="futures",
        symbol=symbol,
        side=side,
        type=kind,
        time_in_force=fields.choice("timeInForce", ("GTC", "IOC", "FOK", "GTX"), -1115),
        amount=ZERO if closes else fields.decimal("quantity"),
        price=fields.decimal("price") if "price" in _CONDITIONAL_TYPES[kind] else ZERO,
        stop_price=fields.decimal("triggerPrice"),
        quote_amount=ZERO,
        client_id=_client_id(fields, "clientAlgoId"),
        reduce_only=closes or fields.flag("reduceOnly"),
        close_position=closes,
        position_side=_position_side(fields),
        working_type=fields.choice("workingType", ("CONTRACT_PRICE", "MARK_PRICE")),
        is_conditional=True,
    )


def _side(fields: Fields) -> Side:
    side = fields.mandatory("side")
    if side not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    return Side(side)


def _check_type(fields: Fields, kind: str, types: Mapping[str, tuple[str, ...]]) -> None:
    if kind not in types:
        raise Refusal(-1116, "Invalid orderType.")
    for name in types[kind]:
        fields.mandatory(name)


def _client_id(fields: Fields, name: str) -> str:
    client_id = fields.text(name)
    if client_id and not _CLIENT_ID.fullmatch(client_id):
        raise Refusal(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '{_CLIENT_ID.pattern}'."
        )
    return client_id


def _position_side(fields: Fields) -> PositionSide:
    return _POSITION_SIDES[fields.choice("positionSide", tuple(_POSITION_SIDES))]
