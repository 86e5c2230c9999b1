"""Dataset: panels from the bus, splits by time, and the table a model is fitted on."""

from quantbus_research.dataset.panel import (
    FrameSource,
    has_unbroken_history,
    keep_panel,
    load_panel,
    panel_query,
    snapshot_id,
)
from quantbus_research.dataset.splits import Split, split_by_time
from quantbus_research.dataset.training import TooFewBars, TrainingTable, build_table, require_history

__all__ = [
    "FrameSource",
    "Split",
    "TooFewBars",
    "TrainingTable",
    "build_table",
    "has_unbroken_history",
    "keep_panel",
    "load_panel",
    "panel_query",
    "require_history",
    "snapshot_id",
    "split_by_time",
]
