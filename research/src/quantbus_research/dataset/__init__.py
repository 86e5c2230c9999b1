"""Dataset: panels from the bus, splits by time, and the table a model is fitted on."""

from quantbus_research.dataset.panel import FrameSource, data_hash, has_unbroken_history, load_panel
from quantbus_research.dataset.splits import Split, split_by_time
from quantbus_research.dataset.training import TooFewBars, TrainingTable, build_table, require_history

__all__ = [
    "FrameSource",
    "Split",
    "TooFewBars",
    "TrainingTable",
    "build_table",
    "data_hash",
    "has_unbroken_history",
    "load_panel",
    "require_history",
    "split_by_time",
]
