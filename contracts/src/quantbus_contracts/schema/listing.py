"""What a venue's market list says about one market, and what changed in it."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from quantbus_contracts.schema._base import Document, Symbol, UtcMoment
from quantbus_contracts.symbols import Instrument

__all__ = [
    "MARKET_EVENTS",
    "MARKET_STATUSES",
    "RULE_FIELDS",
    "Listing",
    "MarketChange",
    "MarketEvent",
    "MarketStatus",
]

MarketStatus = Literal["pending", "trading", "halted", "delisted"]
MARKET_STATUSES: tuple[MarketStatus, ...] = get_args(MarketStatus)
MarketEvent = Literal["listed", "delisted", "relisted", "renamed", "changed"]
MARKET_EVENTS: tuple[MarketEvent, ...] = get_args(MarketEvent)
Step = Annotated[float, Field(gt=0, le=1e15)]
Bound = Annotated[float, Field(ge=0, le=1e18)]


class Listing(Document):
    """One market as its venue lists it. What the venue does not say is None; a delisted market stays known."""

    instrument: Instrument
    status: MarketStatus
    venue_symbol: Annotated[str, Field(min_length=1, max_length=128)]
    """The venue's own name, as its requests take it."""
    tick_size: Step | None = None
    """Smallest step of a price."""
    lot_step: Step | None = None
    """Smallest step of an amount."""
    min_amount: Bound | None = None
    min_notional: Bound | None = None
    """Smallest worth of an order, in quote currency."""
    contract_size: Step | None = None
    """How much of the base (linear) or quote (inverse) currency one contract is; None for spot."""
    listed_at: UtcMoment | None = None
    delisted_at: UtcMoment | None = None
    """When trading ended, or will end where the venue has announced it; for dated futures the delivery."""
    renamed_to: Symbol | None = None
    """The symbol under which this market goes on."""
    renamed_from: Symbol | None = None

    @property
    def symbol(self) -> str:
        """The bus symbol."""
        return self.instrument.symbol


RULE_FIELDS: tuple[str, ...] = tuple(name for name in Listing.model_fields if name != "instrument")
"""What may change about a market while it stays the same market."""


class MarketChange(Document):
    """One field of one market that is no longer what it was; kept for ever."""

    symbol: Symbol
    at: UtcMoment
    """When ingestion noticed: the venue may have changed it earlier."""
    field: Annotated[str, Field(min_length=1, max_length=32)]
    old: Annotated[str, Field(max_length=256)] | None = None
    new: Annotated[str, Field(max_length=256)] | None = None

    @property
    def key(self) -> tuple[str, UtcMoment, str]:
        """What makes it unique."""
        return self.symbol, self.at, self.field

    @property
    def event(self) -> MarketEvent:
        """What happened, in one word; the words that changes are counted under."""
        if self.field == "renamed_to":
            return "renamed"
        if self.field != "status":
            return "changed"
        if self.old is None:
            return "listed"
        if self.new == "delisted":
            return "delisted"
        return "relisted" if self.old == "delisted" else "changed"
