"""Labels: what a model learns, and when it may know it."""

from quantbus_research.labels._base import Labels
from quantbus_research.labels.forward import direction, forward_return

__all__ = ["Labels", "direction", "forward_return"]
