"""Faults of a row in words for whoever sent it, where pydantic's own are for whoever wrote the model."""

from pydantic_core import ErrorDetails

__all__ = ["reason_of"]

_EXPECTED = {
    "strategy_id": "1 to 64 letters, digits, dots, dashes and underscores",
    "symbol": "a symbol in capitals such as BINANCE:BTCUSDT (EXCHANGE:BASEQUOTE)",
    "pair": "a pair such as BTC/USDT, or BTC/USDT:USDT for a perpetual swap",
}
_A_MOMENT = "expected a time with its zone, such as 2026-01-05T12:00:00Z"


def reason_of(fault: ErrorDetails) -> str:
    """Return why a value was refused, without the value."""
    message = fault["msg"].removeprefix("Value error, ")
    name = str(fault["loc"][-1]) if fault["loc"] else ""
    kind = fault["type"]
    if kind.startswith(("datetime", "date_", "timezone")):
        _, _, detail = message.partition(", ")
        return f"{_A_MOMENT}; {detail}" if detail else _A_MOMENT
    if kind.startswith("string_") and name in _EXPECTED:
        return f"expected {_EXPECTED[name]}"
    return message
