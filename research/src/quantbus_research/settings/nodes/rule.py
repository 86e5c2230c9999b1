"""The kind ``rule``: from scores to entries and exits of each pair for itself."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["PolicySettings"]


class PolicySettings(NodeSettings):
    """From scores to entries and exits."""

    takes: ClassVar[tuple[Port, ...]] = (Port(ArtefactType.SCORES),)
    makes: ClassVar[ArtefactType] = ArtefactType.TARGETS

    kind: Literal["rule"] = "rule"
    thresholds: Literal["absolute", "quantile"]
    """Whether enter and exit are scores, or shares of the newest ``calibration_bars`` scores."""
    enter: float
    exit: float
    calibration_bars: Annotated[int, Field(ge=2, le=10_000)] | None = None
    hold_bars: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Leave after so many bars, whatever the score says."""
    max_flat_bars: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Enter after so many bars without a position, even against the model. For demonstrations."""
    on_gap: Literal["publish_degraded", "skip_open", "skip"] = "publish_degraded"
    """Bars missing inside the look-back: publish and say so, or let this pair's bar pass; ``skip_open`` lets it pass
    only where some of them may exist, and publishes where the venue is known to have none."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = (-1.0, 1.0) if self.thresholds == "absolute" else (0.0, 1.0)
        for name, value in (("enter", self.enter), ("exit", self.exit)):
            if not low <= value <= high:
                raise ValueError(
                    f"{name}: expected {low:g} to {high:g} with {self.thresholds} thresholds, found {value:g}"
                )
        if self.exit > self.enter:
            raise ValueError(f"exit: expected at most enter ({self.enter:g}), found {self.exit:g}")
        if (self.thresholds == "quantile") != (self.calibration_bars is not None):
            raise ValueError("calibration_bars: expected with quantile thresholds, and only with them")
        return self
