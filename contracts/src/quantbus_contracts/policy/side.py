"""The two sides of a position."""

from typing import Literal

__all__ = ["PositionSide"]

PositionSide = Literal["long", "short"]
