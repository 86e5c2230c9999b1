"""The kind ``selection``: from scores of many pairs to shares of one capital."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from quantbus_research.settings.group import Bars
from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["SelectionSettings"]


class SelectionSettings(NodeSettings):
    """Holds the best-scored pairs in equal parts."""

    takes: ClassVar[tuple[Port, ...]] = (Port(ArtefactType.SCORES),)
    makes: ClassVar[ArtefactType] = ArtefactType.TARGETS

    kind: Literal["selection"] = "selection"
    hold: Annotated[int, Field(ge=1, le=1_000)]
    """So many pairs at a time."""
    drop: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """Exchange at most so many of them at a time; without it the best are chosen anew."""
    every_bars: Bars = 1
    """Choose at bars whose number since 1970 is a multiple of this: 24 hourly bars turn at midnight (UTC)."""
    short: bool = False
    """Sell as many of the worst short, half of the capital on either side."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.drop is not None and self.short:
            raise ValueError("drop: expected only where nothing is sold short")
        return self
