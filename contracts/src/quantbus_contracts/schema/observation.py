"""What an exchange says about a market besides its bars: one document is one observation at one instant.

``at`` is when the value held at the venue, in the venue's own words where it gives a time. It is stored as
``datetime``, as the bars' collections call it.
"""

from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from quantbus_contracts.schema._base import Document, Symbol, UtcMoment

__all__ = [
    "DEPTH_LEVELS",
    "OBSERVATIONS",
    "DepthLevel",
    "DepthLevelName",
    "DepthSnapshot",
    "FundingRate",
    "MarkPrice",
    "Observation",
    "OpenInterest",
]

Price = Annotated[float, Field(gt=0, le=1e15)]
Amount = Annotated[float, Field(ge=0, le=1e18)]
Rate = Annotated[float, Field(ge=-1, le=1)]
DepthLevelName = Literal["10bps", "25bps", "50bps", "100bps", "top5", "top10", "top20"]
DEPTH_LEVELS: tuple[DepthLevelName, ...] = get_args(DepthLevelName)
"""How far into an order book depth is summed: by distance from the mid price, and by number of prices a side."""

BPS = 10_000.0


class Observation(Document):
    """One market at one instant; unique by symbol and instant within its kind."""

    kind: ClassVar[str]
    """What people call it on the command line and in settings."""
    collection: ClassVar[str]

    symbol: Symbol
    at: UtcMoment
    source: Annotated[str, Field(min_length=1, max_length=64)]

    @property
    def key(self) -> tuple[str, UtcMoment]:
        """What makes it unique: symbol and instant."""
        return self.symbol, self.at


class FundingRate(Observation):
    """What longs paid shorts at one settlement, as a share of the position's value; negative: shorts paid.

    Venues stamp a settlement some milliseconds late, and not always by the same amount: ``at`` is the nearest
    full minute, so that two tellings of one settlement are one row.
    """

    kind: ClassVar[str] = "funding"
    collection: ClassVar[str] = "crypto_funding"

    rate: Rate

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.at.second or self.at.microsecond:
            raise ValueError(f"expected a settlement at a full minute, found {self.at.isoformat()}")
        return self


class MarkPrice(Observation):
    """The price that a venue values positions at, and the index it is made from, of the same instant."""

    kind: ClassVar[str] = "mark"
    collection: ClassVar[str] = "crypto_mark"

    mark: Price
    index: Price | None = None
    funding_rate: Rate | None = None
    """What the next settlement would be if it were now: an estimate."""
    next_funding_at: UtcMoment | None = None

    @property
    def premium(self) -> float | None:
        """Mark minus index, in quote currency."""
        return None if self.index is None else self.mark - self.index

    @property
    def premium_bps(self) -> float | None:
        """The premium in hundredths of a percent of the index."""
        return None if self.index is None else (self.mark - self.index) / self.index * BPS


class OpenInterest(Observation):
    """How much of a derivative is held: in base currency, in quote currency, or both."""

    kind: ClassVar[str] = "open-interest"
    collection: ClassVar[str] = "crypto_open_interest"

    amount: Amount | None = None
    """In base currency."""
    value: Amount | None = None
    """In quote currency."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.amount is None and self.value is None:
            raise ValueError("expected an amount or a value, found neither")
        return self


class DepthLevel(Document):
    """How much is offered within one distance of the mid price, in quote currency."""

    within: DepthLevelName
    bid: Amount
    ask: Amount
    imbalance: Rate
    """(bid - ask) / (bid + ask): 1 when all of it would buy, -1 when all of it would sell."""


class DepthSnapshot(Observation):
    """An order book at one instant, reduced: best prices, mid, spread, depth and imbalance at levels.

    A level that the venue's answer does not reach is left out: depth that was not seen is not zero.
    """

    kind: ClassVar[str] = "depth"
    collection: ClassVar[str] = "crypto_depth"

    bid: Price
    ask: Price
    mid: Price
    spread: Amount
    spread_bps: Annotated[float, Field(ge=0, le=2 * BPS)]
    levels: tuple[DepthLevel, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.bid > self.ask:
            raise ValueError(f"crossed: bid {self.bid!r} above ask {self.ask!r}")
        if len({level.within for level in self.levels}) < len(self.levels):
            raise ValueError("expected each level once")
        return self

    def level(self, within: DepthLevelName) -> DepthLevel | None:
        """Return one level; None where the book was not seen that far."""
        return next((level for level in self.levels if level.within == within), None)


OBSERVATIONS: dict[str, type[Observation]] = {
    model.kind: model for model in (FundingRate, MarkPrice, OpenInterest, DepthSnapshot)
}
"""Every kind of observation, by its name."""
