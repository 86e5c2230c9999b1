"""Decisions to the columns that Freqtrade reads; pure.

Live, Freqtrade looks at the last row alone. Columns are built anew with the types it expects: a number written
into a column of another type is an error in pandas 3, and an error there leaves yesterday's marks in force.
"""

import numpy as np
import pandas as pd

from quantbus_contracts.policy import PositionSide
from quantbus_executor.tags import entry_tag

__all__ = ["mark_entry", "mark_no_exits"]


def mark_entry(frame: pd.DataFrame, side: PositionSide | None, signal_id: str | None) -> pd.DataFrame:
    """Return ``frame`` with its last row marked as an entry on ``side``, or with no mark where that is None."""
    columns = {name: np.zeros(len(frame), dtype=np.int64) for name in ("enter_long", "enter_short")}
    tags = np.full(len(frame), None, dtype=object)
    if side is not None and signal_id is not None and len(frame):
        columns[f"enter_{side}"][-1] = 1
        tags[-1] = entry_tag(signal_id)
    return frame.assign(**columns, enter_tag=pd.Series(tags, index=frame.index, dtype=object))


def mark_no_exits(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` without exit marks: exits are decided each loop, with or without a new candle."""
    return frame.assign(
        **{name: np.zeros(len(frame), dtype=np.int64) for name in ("exit_long", "exit_short")}
    )
