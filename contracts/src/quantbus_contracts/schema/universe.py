"""Which symbols were worth looking at, as of one instant: a dated list, never rewritten by later knowledge."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from quantbus_contracts.schema._base import Document, Identifier, Symbol, UtcMoment

__all__ = ["Universe", "UniverseMember", "UniverseMethod"]

UniverseMethod = Literal["tickers", "bars", "file"]


class UniverseMember(Document):
    """One symbol and why it is in: its turnover in quote currency, where the method knows it."""

    symbol: Symbol
    quote_volume: Annotated[float, Field(ge=0, le=1e18)] | None = None


class Universe(Document):
    """A list of symbols, best first, made only from what was known at ``as_of``."""

    name: Identifier
    as_of: UtcMoment
    method: UniverseMethod
    members: Annotated[tuple[UniverseMember, ...], Field(min_length=1, max_length=5_000)]
    venue: Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,32}$")] | None = None
    quote: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    window_days: Annotated[float, Field(gt=0, le=3650)] | None = None
    """How long before ``as_of`` turnover was summed."""
    note: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.symbols)) < len(self.members):
            raise ValueError("expected every symbol once")
        return self

    @property
    def key(self) -> tuple[str, UtcMoment]:
        """What makes it unique: name and date."""
        return self.name, self.as_of

    @property
    def symbols(self) -> tuple[str, ...]:
        """The members' symbols, best first."""
        return tuple(member.symbol for member in self.members)
