"""The kind ``gates``: what has to be shown before anything is promoted or published."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["GateSettings"]


class GateSettings(NodeSettings):
    """What a model has to show before it is promoted."""

    takes: ClassVar[tuple[Port, ...]] = (
        Port(ArtefactType.BARS, least=0),
        Port(ArtefactType.SCORES, least=0),
        Port(ArtefactType.BACKTEST, least=0),
    )
    makes: ClassVar[ArtefactType] = ArtefactType.VERDICTS
    once: ClassVar[bool] = True

    kind: Literal["gates"] = "gates"
    cost_rate: Annotated[float, Field(ge=0, le=0.1)] = 0.001
    """Share of a trade's value that fee, spread and slippage take each way."""
    information_ratio_above: float = 0.0
    """Out of sample, after costs, a year."""
    consistency_above: Annotated[float, Field(ge=-1, lt=1)] = 0.6
    """Correlation of what each factor is worth in training and in validation."""
    overlap_at_least: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Share of top picks on which models of two periods agree."""
    top_share: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    """Which part of the rows are top picks."""
