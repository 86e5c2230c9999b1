"""Where a recipe trades."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from quantbus_contracts.errors import UnknownInstrument
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_research.settings.group import Group

__all__ = ["MarketSettings"]


class MarketSettings(Group):
    """Where the strategy trades."""

    venue: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_]{1,32}$")]
    pairs: Annotated[tuple[str, ...], Field(min_length=1)]
    timeframe: str

    @field_validator("timeframe")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in SUPPORTED_TIMEFRAMES:
            raise ValueError(f"expected one of {', '.join(SUPPORTED_TIMEFRAMES)}, found {name!r}")
        return name

    @model_validator(mode="after")
    def _one_market(self) -> Self:
        try:
            kinds = {Instrument.from_pair(self.venue, pair).market_type for pair in self.pairs}
        except UnknownInstrument as error:
            raise ValueError(f"pairs: {error}") from None
        if len(kinds) > 1:
            raise ValueError(f"pairs: expected one market type, found {', '.join(sorted(kinds))}")
        if len(set(self.pairs)) < len(self.pairs):
            raise ValueError("pairs: expected each pair once")
        return self

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The markets, in the order of the recipe."""
        return tuple(Instrument.from_pair(self.venue, pair) for pair in self.pairs)

    @property
    def bars(self) -> Timeframe:
        """The timeframe as bar arithmetic."""
        return Timeframe.parse(self.timeframe)
