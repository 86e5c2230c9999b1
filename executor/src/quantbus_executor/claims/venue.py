"""What is asked of the venue, through Freqtrade's own exchange object; the strategy file hands it over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, Self

from quantbus_executor.claims.claim import Claim

__all__ = ["Venue", "VenueOrder"]

_ENDED = frozenset({"closed", "canceled", "cancelled", "expired", "rejected"})


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue tells it; None where it does not say. ``raw`` is what was said, word for word."""

    id: str
    buying: bool
    amount: float | None
    filled: float | None
    ended: bool
    reduces: bool
    placed_at: datetime | None
    raw: Mapping[str, Any]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """Read an order in ccxt's words.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is none.
        """
        moment = raw.get("timestamp")
        return cls(
            id=str(raw["id"]),
            buying={"buy": True, "sell": False}[raw["side"]],
            amount=_number(raw.get("amount")),
            filled=_number(raw.get("filled")),
            ended=raw.get("status") in _ENDED,
            reduces=bool(raw.get("reduceOnly")),
            placed_at=datetime.fromtimestamp(float(moment) / 1_000, UTC) if moment else None,
            raw=raw,
        )


class Venue(Protocol):
    """The venue, and Freqtrade's book of orders there."""

    def key(self) -> tuple[str, str | None]:
        """Return what Freqtrade calls the venue, and the key that the account is known by there, if there is one."""
        ...

    def lists_orders(self) -> bool:
        """Tell whether the venue can be asked for the orders of a pair."""
        ...

    def orders_since(self, pair: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        """Return the account's orders in ccxt's words, open and ended; may raise anything, from any thread."""
        ...

    def knows(self, order_id: str, pair: str) -> bool:
        """Tell whether Freqtrade's own database has the order."""
        ...

    def as_ordered(self, pair: str, amount: float) -> float:
        """Return an amount cut to what the venue takes, as Freqtrade cuts it."""
        ...

    def adopt(self, claim: Claim, order: Mapping[str, Any]) -> int | None:
        """Make the order part of a trade in Freqtrade's database; return its number, None where it cannot be."""
        ...


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | str) else None
