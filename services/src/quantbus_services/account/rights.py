"""What a key may do, as venues tell it; pure.

Only some tell. Where one does not, that is unknown, and said so; it is never taken for harmless.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ASKED_WITH", "KeyRights", "rights_of"]


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What a key may do besides reading; None: the venue does not tell."""

    can_withdraw: bool | None = None
    can_trade: bool | None = None


def _of_binance(answer: Mapping[str, Any]) -> KeyRights:
    trading = ("enableSpotAndMarginTrading", "enableMargin", "enableFutures", "enablePortfolioMarginTrading")
    moving = ("permitsUniversalTransfer", "enableInternalTransfer")
    moves_money = answer["enableWithdrawals"] or any(answer.get(name) for name in moving)
    return KeyRights(bool(moves_money), any(answer.get(name) for name in trading))


def _of_okx(answer: Mapping[str, Any]) -> KeyRights:
    words = {word.strip() for word in str(answer["data"][0]["perm"]).split(",")}
    return KeyRights("withdraw" in words, "trade" in words)


_TRANSFERS = frozenset(("AccountTransfer", "SubMemberTransfer"))
"""What a key that only reads may look at, and another one may do."""


def _of_bybit(answer: Mapping[str, Any]) -> KeyRights:
    result = answer["result"]
    may_write = not int(result["readOnly"])
    wallet = set(result["permissions"].get("Wallet", ()))
    moves_money = "Withdraw" in wallet or (may_write and bool(wallet & _TRANSFERS))
    return KeyRights(moves_money, may_write)


ASKED_WITH: Mapping[str, str] = {
    "binance": "sapi_get_account_apirestrictions",
    "okx": "private_get_account_config",
    "bybit": "private_get_v5_user_query_api",
}
"""ccxt's name of the question, by venue."""

_READERS: Mapping[str, Callable[[Mapping[str, Any]], KeyRights]] = {
    "binance": _of_binance,
    "okx": _of_okx,
    "bybit": _of_bybit,
}


def rights_of(venue: str, answer: Mapping[str, Any]) -> KeyRights:
    """Return what ``answer`` says; an answer of another shape than expected is unknown."""
    try:
        return _READERS[venue](answer)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return KeyRights()
