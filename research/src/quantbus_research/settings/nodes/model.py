"""The kind ``model``: learns the label from factors, and scores bars that it has not learnt from."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quantbus_research.settings.group import Bars, Share
from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["ModelSettings"]


class ModelSettings(NodeSettings):
    """A small classifier, gradient-boosted or linear; the same data and settings give the same bits."""

    takes: ClassVar[tuple[Port, ...]] = (
        Port(ArtefactType.FACTORS, most=8),
        Port(ArtefactType.LABEL),
    )
    makes: ClassVar[ArtefactType] = ArtefactType.SCORES
    beside: ClassVar[frozenset[str]] = frozenset({"threads"})

    kind: Literal["model"] = "model"
    family: Literal["lightgbm", "linear"] = "lightgbm"
    calibration: Literal["none", "sigmoid", "isotonic"] = "none"
    """How scores become probabilities, by a curve fitted on scores of bars that were not trained on."""
    calibration_folds: Annotated[int, Field(ge=2, le=50)] = 5
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    rounds: Annotated[int, Field(ge=1, le=5_000)] = 80
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    leaves: Annotated[int, Field(ge=2, le=1_024)] = 15
    min_rows_in_leaf: Annotated[int, Field(ge=1)] = 20
    feature_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    l2: Annotated[float, Field(ge=0)] = 1.0
    validation_share: Share = 0.2
    """The newest part of the data on which the model is judged before it is fitted on all of it."""
    embargo_bars: Annotated[int, Field(ge=0)] = 0
    """Bars left out between the two parts, besides those whose label reaches into the second."""
    retrain_bars: Bars
    """Training data ends at the newest bar whose number since 1970 is a multiple of this."""
    train_bars: Bars | None = None
    """How many bars before it each stretch of a run learns from, and a model that lives; by default half of the bars
    that there are, and all of them."""
    grow: bool = False
    """Learn from all bars before a stretch, and no fewer than ``train_bars``."""

    @property
    def test_bars(self) -> int:
        """How long a stretch is that one model speaks about."""
        return self.retrain_bars
