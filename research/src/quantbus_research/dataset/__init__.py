"""Dataset: panels from the bus, splits by time, and the table a model is fitted on."""

from quantbus_research.dataset.guard import overlapping, refuse_overlap
from quantbus_research.dataset.observations import with_observations
from quantbus_research.dataset.panel import (
    FrameSource,
    bar_arrays,
    has_unbroken_history,
    keep_panel,
    load_panel,
    panel_query,
    snapshot_id,
)
from quantbus_research.dataset.position_file import read_positions
from quantbus_research.dataset.splits import (
    Fold,
    Split,
    combinatorial_purged,
    expanding,
    purged_folds,
    split_by_time,
    walk_forward,
)
from quantbus_research.dataset.training import TooFewBars, TrainingTable, build_table, require_history

__all__ = [
    "Fold",
    "FrameSource",
    "Split",
    "TooFewBars",
    "TrainingTable",
    "bar_arrays",
    "build_table",
    "combinatorial_purged",
    "expanding",
    "has_unbroken_history",
    "keep_panel",
    "load_panel",
    "overlapping",
    "panel_query",
    "purged_folds",
    "read_positions",
    "refuse_overlap",
    "require_history",
    "snapshot_id",
    "split_by_time",
    "walk_forward",
    "with_observations",
]
