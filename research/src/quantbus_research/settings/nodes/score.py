"""The kind ``score``: an opinion without a model, out of factors."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from quantbus_research.settings.group import Group
from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["ScoreSettings", "VoteSettings"]


class VoteSettings(Group):
    """One condition on one factor: it holds above ``above`` and below ``below``, where they are given."""

    factor: Annotated[str, Field(min_length=1)]
    above: float | None = None
    below: float | None = None
    weight: Annotated[float, Field(gt=0)] = 1.0
    """How much it counts beside the others."""
    required: bool = False
    """Where it does not hold nothing else counts: the score is -1."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("above: expected above or below, found neither")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError(f"above: expected less than below ({self.below:g}), found {self.above:g}")
        return self


class ScoreSettings(NodeSettings):
    """A weighted mean of factors, brought between -1 and 1; or a count of conditions that hold."""

    takes: ClassVar[tuple[Port, ...]] = (Port(ArtefactType.FACTORS, most=8),)
    makes: ClassVar[ArtefactType] = ArtefactType.SCORES

    kind: Literal["score"] = "score"
    weights: Mapping[str, float] | None = None
    """By factor; one below zero turns it round."""
    scale: Literal["clip", "tanh", "rank"] = "clip"
    """Cut off at -1 and 1, bent by a hyperbolic tangent, or the place among the pairs of the same bar."""
    votes: tuple[VoteSettings, ...] = ()
    """Instead of weights: 1 where all of them hold, -1 where none does."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.weights) == bool(self.votes):
            raise ValueError("weights: expected either weights or votes")
        if self.weights and not any(self.weights.values()):
            raise ValueError("weights: expected one that is not zero")
        if self.votes and self.scale != "clip":
            raise ValueError("scale: expected with weights only; votes lie between -1 and 1 already")
        return self
