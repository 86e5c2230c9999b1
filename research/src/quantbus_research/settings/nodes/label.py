"""The kind ``label``: what a model learns."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["LabelSettings"]


class LabelSettings(NodeSettings):
    """What the model learns: whether the close ``horizon_bars`` later is higher."""

    takes: ClassVar[tuple[Port, ...]] = (Port(ArtefactType.BARS),)
    makes: ClassVar[ArtefactType] = ArtefactType.LABEL

    kind: Literal["label"] = "label"
    target: Literal["direction"] = "direction"
    horizon_bars: Annotated[int, Field(ge=1, le=10_000)]

    @property
    def told(self) -> str:
        """The label in words, as models remember it."""
        return f"{self.target}, {self.horizon_bars} bars"
