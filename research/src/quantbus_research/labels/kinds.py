"""The catalogue of labels."""

from quantbus_research.labels._base import LabelKind
from quantbus_research.labels.barriers import triple_barrier
from quantbus_research.labels.forward import direction, forward_return

__all__ = ["KINDS"]

_ALL = (
    LabelKind(
        "forward_return",
        "fraction of price",
        "when the bar is closed to whose price the return is measured",
        forward_return,
    ),
    LabelKind("direction", "1 risen, 0 not", "when the forward return is", direction),
    LabelKind(
        "triple_barrier",
        "1 profit, -1 loss, 0 neither",
        "when the bar that touches a barrier is closed, else the last of the horizon",
        triple_barrier,
    ),
)
KINDS: dict[str, LabelKind] = {kind.name: kind for kind in _ALL}
"""Every kind of label, by name."""
