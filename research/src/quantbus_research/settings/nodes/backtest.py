"""The kind ``backtest``: what following the targets would have come to, at the next open and after costs."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["BacktestSettings"]

Rate = Annotated[float, Field(ge=0, le=0.1)]


class BacktestSettings(NodeSettings):
    """Costs and capital."""

    takes: ClassVar[tuple[Port, ...]] = (Port(ArtefactType.TARGETS), Port(ArtefactType.BARS))
    makes: ClassVar[ArtefactType] = ArtefactType.BACKTEST

    kind: Literal["backtest"] = "backtest"
    capital: Annotated[float, Field(gt=0)] = 10_000.0
    """In quote currency, at the start."""
    fee: Rate = 0.001
    """Share of an order's value."""
    spread: Rate = 0.0002
    """Between bid and ask, as a share of the price; half of it is paid on each order."""
