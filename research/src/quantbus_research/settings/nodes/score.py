"""The kind ``score``: an opinion without a model, out of factors."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["ScoreSettings"]


class ScoreSettings(NodeSettings):
    """A weighted sum of factors, brought between -1 and 1."""

    takes: ClassVar[tuple[Port, ...]] = (Port(ArtefactType.FACTORS, most=8),)
    makes: ClassVar[ArtefactType] = ArtefactType.SCORES

    kind: Literal["score"] = "score"
    weights: Annotated[Mapping[str, float], Field(min_length=1)]
    """By factor."""
    scale: Literal["clip", "tanh", "rank"] = "clip"
    """Cut off at -1 and 1, bent by a hyperbolic tangent, or the place among the pairs of the same bar."""
