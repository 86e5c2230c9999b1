"""Labels: what a model learns, and when it may know it."""

from quantbus_research.labels._base import LabelKind, Labels
from quantbus_research.labels.barriers import triple_barrier
from quantbus_research.labels.forward import direction, forward_return
from quantbus_research.labels.kinds import KINDS

__all__ = ["KINDS", "LabelKind", "Labels", "direction", "forward_return", "triple_barrier"]
