"""Decisions to the columns that Freqtrade reads; pure.

Live, Freqtrade looks at the last row alone. Columns are built anew with the types it expects: a number written
into a column of another type is an error in pandas 3, and an error there leaves the last marks in force.
"""

import pandas as pd

from quantbus_contracts.policy import PositionSide
from quantbus_executor.trades.tags import entry_tag

__all__ = ["mark_entry", "mark_no_exits"]


def mark_entry(frame: pd.DataFrame, side: PositionSide | None, signal_id: str | None) -> pd.DataFrame:
    """Return ``frame`` with its last row marked as an entry on ``side``, or with no mark where that is None."""
    rows = len(frame)
    marks = {"enter_long": [0] * rows, "enter_short": [0] * rows}
    tags: list[str | None] = [None] * rows
    if side is not None and signal_id is not None and rows:
        marks[f"enter_{side}"][-1] = 1
        tags[-1] = entry_tag(signal_id)
    columns = {name: pd.Series(values, index=frame.index, dtype="int64") for name, values in marks.items()}
    return frame.assign(**columns, enter_tag=pd.Series(tags, index=frame.index, dtype=object))


def mark_no_exits(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` without exit marks: exits are decided each loop, with or without a new candle."""
    return frame.assign(exit_long=0, exit_short=0)
