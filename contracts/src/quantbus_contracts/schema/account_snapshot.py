"""What the exchange account itself says at one time; a part that could not be read is unknown, never empty."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from quantbus_contracts.schema._base import Document, Identifier, Pair, UtcMoment

__all__ = [
    "AccountBalance",
    "AccountFill",
    "AccountMarket",
    "AccountOrder",
    "AccountPart",
    "AccountPosition",
    "AccountSnapshot",
    "UnknownPart",
]

AccountMarket = Literal["spot", "swap"]
AccountPart = Literal["balances", "positions", "orders", "fills"]
_PARTS: dict[AccountMarket, tuple[AccountPart, ...]] = {
    "spot": ("balances", "orders", "fills"),
    "swap": ("balances", "positions", "orders", "fills"),
}
_Amount = Annotated[float, Field(gt=0)]
_Price = Annotated[float, Field(gt=0)]
_Id = Annotated[str, Field(min_length=1, max_length=128)]


class AccountBalance(Document):
    """What the account has of one currency in one wallet."""

    market: AccountMarket
    currency: Annotated[str, Field(min_length=1, max_length=64)]
    total: float
    free: float
    worth: float | None = None
    """In the snapshot's quote currency; None where the venue has no price for it."""


class AccountPosition(Document):
    """A position of a swap; amount in base currency."""

    pair: Pair
    side: Literal["long", "short"]
    amount: _Amount
    entry_price: _Price | None = None
    leverage: Annotated[float, Field(ge=1)] | None = None


class AccountOrder(Document):
    """An order that waits at the venue; amounts in base currency."""

    pair: Pair
    order_id: _Id
    side: Literal["buy", "sell"]
    kind: Literal["order", "stop"]
    amount: Annotated[float, Field(ge=0)]
    """0 for a stop that closes the whole position."""
    filled: Annotated[float, Field(ge=0)] = 0.0
    price: _Price | None = None
    stop_price: _Price | None = None
    reduce_only: bool = False
    placed_at: UtcMoment | None = None


class AccountFill(Document):
    """One fill of one order; amount in base currency."""

    pair: Pair
    fill_id: _Id
    order_id: _Id
    side: Literal["buy", "sell"]
    amount: _Amount
    price: _Price
    at: UtcMoment
    """By the venue's clock."""


class UnknownPart(Document):
    """A part that could not be read, and why."""

    market: AccountMarket
    part: AccountPart
    reason: Annotated[str, Field(min_length=1, max_length=300)]


class AccountSnapshot(Document):
    """What was read of an account between ``asked_at`` and ``at`` (the database's clock).

    Ask `knows` before anything is made of a part: no rows mean "none" only where the part is known.
    """

    account: Identifier
    """Its name; the bot that trades it has the same in its lease, or the monitor is told which bot it is."""
    venue: Identifier
    quote: Annotated[str, Field(min_length=1, max_length=64)]
    asked_at: UtcMoment
    at: UtcMoment
    markets: tuple[AccountMarket, ...]
    balances: tuple[AccountBalance, ...] = ()
    positions: tuple[AccountPosition, ...] = ()
    orders: tuple[AccountOrder, ...] = ()
    fills: tuple[AccountFill, ...] = ()
    """Of the last while, of the pairs that are looked at."""
    unknown: tuple[UnknownPart, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.at < self.asked_at:
            raise ValueError(f"at: expected a time not before {self.asked_at.isoformat()}, found {self.at}")
        return self

    @property
    def key(self) -> tuple[str, object]:
        """What makes the row unique: account and time."""
        return self.account, self.at

    @property
    def is_complete(self) -> bool:
        """Whether every part was read."""
        return not self.unknown

    def knows(self, market: AccountMarket, part: AccountPart) -> bool:
        """Tell whether a part was read: only then does an absent row mean that there is none."""
        return (
            market in self.markets
            and part in _PARTS[market]
            and not any((gap.market, gap.part) == (market, part) for gap in self.unknown)
        )
