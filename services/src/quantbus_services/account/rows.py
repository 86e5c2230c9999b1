"""ccxt's answers about an account as rows of a snapshot; pure. What is not what it should be is refused whole."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from quantbus_contracts.errors import VenueUnavailable
from quantbus_contracts.schema import (
    AccountBalance,
    AccountFill,
    AccountMarket,
    AccountOrder,
    AccountPosition,
)

__all__ = ["balances_of", "fills_of", "orders_of", "positions_of", "worth_of"]

Answer = Mapping[str, Any]
Sizes = Callable[[str], float]
"""How much of the base currency one contract of a pair is."""
Model = TypeVar("Model")


def balances_of(answer: object, market: AccountMarket) -> list[AccountBalance]:
    """Return what there is of each currency; those of which there is nothing are left out."""

    def make(answer: Answer) -> list[AccountBalance]:
        totals, free = answer["total"], answer["free"]
        return [
            AccountBalance(
                market=market, currency=name, total=float(total), free=float(free.get(name) or 0.0)
            )
            for name, total in sorted(totals.items())
            if total
        ]

    if not isinstance(answer, Mapping):
        raise _garbage("balances", answer)
    return _made("balances", lambda: make(answer))


def worth_of(
    balances: Sequence[AccountBalance], prices: Mapping[str, float], quote: str
) -> list[AccountBalance]:
    """Return balances with what they are worth in ``quote``; ``prices`` is by currency, absent where there is none."""
    known = {quote: 1.0, **prices}
    return [
        one.model_copy(update={"worth": one.total * known[one.currency]}) if one.currency in known else one
        for one in balances
    ]


def positions_of(answer: object, size: Sizes) -> list[AccountPosition]:
    """Return the positions that are not flat."""

    def make(row: Answer) -> AccountPosition | None:
        contracts = abs(float(row["contracts"] or 0.0))
        if not contracts:
            return None
        return AccountPosition(
            pair=row["symbol"],
            side=row["side"],
            amount=contracts * size(row["symbol"]),
            entry_price=row.get("entryPrice") or None,
            leverage=max(1.0, float(row["leverage"])) if row.get("leverage") else None,
        )

    return [one for one in _each("positions", answer, make) if one is not None]


def orders_of(answer: object, size: Sizes, ahead: timedelta) -> list[AccountOrder]:
    """Return the open orders; ``ahead`` is how far the venue's clock is ahead of ours."""

    def make(row: Answer) -> AccountOrder:
        stop = row.get("triggerPrice") or row.get("stopPrice") or row.get("stopLossPrice")
        each = size(row["symbol"])
        return AccountOrder(
            pair=row["symbol"],
            order_id=str(row["id"]),
            side=row["side"],
            kind="stop" if stop else "order",
            amount=float(row.get("amount") or 0.0) * each,
            filled=float(row.get("filled") or 0.0) * each,
            price=row.get("price") or None,
            stop_price=stop or None,
            reduce_only=bool(row.get("reduceOnly")),
            placed_at=_moment(row["timestamp"]) - ahead if row.get("timestamp") else None,
        )

    return _each("orders", answer, make)


def fills_of(answer: object, size: Sizes, ahead: timedelta) -> list[AccountFill]:
    """Return fills, oldest first, by our clock."""

    def make(row: Answer) -> AccountFill:
        return AccountFill(
            pair=row["symbol"],
            fill_id=str(row["id"]),
            order_id=str(row["order"]),
            side=_side(row["side"]),
            amount=float(row["amount"]) * size(row["symbol"]),
            price=float(row["price"]),
            at=_moment(row["timestamp"]) - ahead,
        )

    return sorted(_each("fills", answer, make), key=lambda fill: (fill.at, fill.fill_id))


def _side(text: object) -> Literal["buy", "sell"]:
    if text == "buy":
        return "buy"
    if text == "sell":
        return "sell"
    raise ValueError(f"expected buy or sell, found {text!r}")


def _moment(milliseconds: object) -> datetime:
    if not isinstance(milliseconds, int | float):
        raise TypeError(f"expected a time in milliseconds, found {milliseconds!r}")
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _each(what: str, answer: object, make: Callable[[Answer], Model]) -> list[Model]:
    if not isinstance(answer, list):
        raise _garbage(what, answer)
    return _made(what, lambda: [make(row) for row in answer])


def _made(what: str, make: Callable[[], list[Model]]) -> list[Model]:
    try:
        return make()
    except (
        ValidationError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        OSError,
    ) as error:
        told = " ".join(str(error).split())[:150]
        raise VenueUnavailable(
            f"the venue answered with something that is not {what}: {type(error).__name__}: {told}",
            kind="garbage",
        ) from None


def _garbage(what: str, answer: object) -> VenueUnavailable:
    return VenueUnavailable(
        f"the venue answered with {type(answer).__name__} where {what} were asked for", kind="garbage"
    )
