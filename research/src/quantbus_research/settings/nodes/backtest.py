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
    impact: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """By which share of the price an order of all that was traded in the last bar moves it; less by the square root."""
    delay_bars: Annotated[float, Field(ge=0, le=1_000)] = 0.0
    """How long after the next open an order fills."""
    minimum_order: Annotated[float, Field(ge=0)] = 0.0
    """In quote currency; what is less is not entered."""
    tried: tuple[Annotated[float, Field(ge=-50, le=50)], ...] = ()
    """Yearly Sharpe ratios of all variants that were tried before this one was chosen: the best of many is luck more
    often than the only one. Its own need not be among them."""
