"""What a bot has done and holds, by its own books: fills, positions, balances."""

from typing import Annotated, Literal

from pydantic import Field

from quantbus_contracts.schema._base import Document, Identifier, Pair, UtcMoment

__all__ = ["Balance", "Fill", "FillPurpose", "Holding", "HoldingSide"]

FillPurpose = Literal["entry", "exit", "stop"]
HoldingSide = Literal["long", "short", "flat"]
_Price = Annotated[float, Field(gt=0)]
_Tag = Annotated[str, Field(min_length=1, max_length=255)]


class Fill(Document):
    """What was filled of one order. Price in quote currency, amount in base currency."""

    consumer_id: Identifier
    strategy_id: Identifier
    pair: Pair
    order_id: Annotated[str, Field(min_length=1, max_length=128)]
    """The venue's id; in a dry run Freqtrade's own."""
    trade_id: int
    signal_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The signal that caused the order; None where a stop or a person did."""
    tag: _Tag | None = None
    """The tag that Freqtrade keeps with the order: what caused it."""
    side: Literal["buy", "sell"]
    purpose: FillPurpose
    amount: Annotated[float, Field(gt=0)]
    price: _Price
    ordered_at: UtcMoment
    filled_at: UtcMoment
    dry_run: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes the row unique: consumer, pair and order."""
        return self.consumer_id, self.pair, self.order_id


class Holding(Document):
    """What one bot holds of one pair; flat once it holds nothing."""

    consumer_id: Identifier
    strategy_id: Identifier
    pair: Pair
    side: HoldingSide
    amount: Annotated[float, Field(ge=0)] = 0.0
    stake: Annotated[float, Field(ge=0)] = 0.0
    """What was paid for it without leverage, in quote currency."""
    entry_price: _Price | None = None
    leverage: Annotated[float, Field(ge=1)] | None = None
    stop_price: _Price | None = None
    """Where Freqtrade's stop stands."""
    trade_id: int | None = None
    signal_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    opened_at: UtcMoment | None = None
    at: UtcMoment
    dry_run: bool

    @property
    def key(self) -> tuple[str, str]:
        """What makes the row unique: consumer and pair."""
        return self.consumer_id, self.pair


class Balance(Document):
    """What one bot has of one currency, as Freqtrade counts it."""

    consumer_id: Identifier
    currency: Annotated[str, Field(min_length=1, max_length=64)]
    total: float
    free: float
    at: UtcMoment
    dry_run: bool

    @property
    def key(self) -> tuple[str, str]:
        """What makes the row unique: consumer and currency."""
        return self.consumer_id, self.currency
