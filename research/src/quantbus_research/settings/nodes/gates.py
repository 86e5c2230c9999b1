"""The kind ``gates``: what has to be shown before anything is promoted or published."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["GateSettings"]


class GateSettings(NodeSettings):
    """What has to be shown: by a model before it is promoted, by a recipe before its run publishes.

    Each input brings its questions: bars those to factors and model, scores those to a model's stretches, a backtest
    those to what it came to.
    """

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
    good_stretches_at_least: Annotated[float, Field(ge=0, le=1)] = 0.6
    """Share of the stretches out of sample in which scores rank what came later better than chance."""
    gain_above: float = 0.0
    """Total return of the backtest after costs (a fraction)."""
    trades_at_least: Annotated[int, Field(ge=1)] = 30
    sharpe_certainty_at_least: Annotated[float, Field(ge=0, lt=1)] = 0.95
    """Probability that the Sharpe ratio is above zero, given how many variants were tried."""
    dearer_gain_above: float = 0.0
    """Total return with costs half as high again (a fraction)."""
    timing_above: float = 0.0
    """Yearly Sharpe ratio of what it earned beyond holding the same exposure all along."""
