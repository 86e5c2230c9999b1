"""What a signed route is: who may ask it, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from quantbus_services.paper_exchange.accounts.office import Call, Office
from quantbus_services.paper_exchange.accounts.records import ApiKey
from quantbus_services.paper_exchange.binance.queries import Refusal

__all__ = ["Answer", "Right", "Signed", "check_right"]


class Right(Enum):
    """What a key must be allowed to do."""

    READ = "read"
    TRADE = "trade"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that may get lost on its way: what was done stays done, but the client is told ``lost``."""

    content: object
    lost: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """One signed route."""

    answer: Callable[[Office, Call], object]
    right: Right


def check_right(key: ApiKey, route: Signed, path: str) -> None:
    """Refuse a key that may not do this.

    Raises
    ------
    Refusal
        With -2015, as Binance says it.
    """
    is_futures = path.startswith("/fapi/")
    if (route.right is Right.TRADE and not key.can_trade) or (is_futures and not key.can_use_futures):
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
