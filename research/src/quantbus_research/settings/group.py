"""What all groups of settings have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Bars", "Group", "Score", "Share"]

Bars = Annotated[int, Field(ge=1, le=2_000_000)]
Score = Annotated[float, Field(ge=-1, le=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Group(BaseModel):
    """Frozen; a key that nobody knows is an error, and so is a number that is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
