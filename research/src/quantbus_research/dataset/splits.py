"""Splits by time: what is learnt from lies wholly before what is judged on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.timeframe import Timeframe

__all__ = ["Split", "split_by_time"]


@dataclass(frozen=True, slots=True)
class Split:
    """Two disjoint sets of rows (boolean masks on the same index)."""

    train: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    boundary: pd.Timestamp
    """Open time of the first validation bar."""


def split_by_time(
    known_at: pd.Series, timeframe: Timeframe, *, validation_share: float, embargo_bars: int
) -> Split:
    """Split rows at one instant for all symbols.

    The newest ``validation_share`` of the bar times validates. A row trains only if its label was known when
    the first validation bar opened (purge) and it opened more than ``embargo_bars`` bars before (embargo).

    Parameters
    ----------
    known_at
        When each row's label became known; indexed by (symbol, datetime = bar open time).
    """
    opened = known_at.index.get_level_values(1)
    times = opened.unique().sort_values()
    boundary = times[min(int(len(times) * (1.0 - validation_share)), len(times) - 1)]
    before = opened < boundary - embargo_bars * timeframe.delta
    return Split(
        train=np.asarray(before & (known_at <= boundary).to_numpy()),
        validation=np.asarray(opened >= boundary),
        boundary=boundary,
    )
