"""Whether a body is an answer at all; pure.

ccxt takes a page of HTML, half a JSON or an empty object with status 200 for an account without positions: it looks for
rows and finds none. So the body itself is looked at before "none" is believed.
"""

import json
from collections.abc import Callable, Mapping

from quantbus_contracts.schema import AccountPart

__all__ = ["is_answer"]


def _is_list(answer: object) -> bool:
    return isinstance(answer, list)


def _holds(kind: type, *names: str) -> Callable[[object], bool]:
    def holds(answer: object) -> bool:
        return isinstance(answer, dict) and any(isinstance(answer.get(name), kind) for name in names)

    return holds


_BINANCE: Mapping[AccountPart, Callable[[object], bool]] = {
    "balances": _holds(list, "balances", "assets"),
    "positions": _is_list,
    "orders": _is_list,
    "fills": _is_list,
}
_ANYTHING: Mapping[str, Callable[[object], bool]] = {
    "okx": _holds(list, "data"),
    "bybit": _holds(dict, "result"),
}


def is_answer(venue: str, part: AccountPart, body: object) -> bool:
    """Tell whether ``body`` is what ``venue`` says about ``part``; of other venues, any rows or fields."""
    if not isinstance(body, str):
        return False
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    if venue.startswith("binance"):
        return _BINANCE[part](answer)
    known = _ANYTHING.get(venue)
    return (
        known(answer)
        if known is not None
        else isinstance(answer, list) or bool(isinstance(answer, dict) and answer)
    )
