"""Labels that look forward by a number of bars."""

import numpy as np
import pandas as pd

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.labels._base import Labels

__all__ = ["direction", "forward_return"]


def forward_return(panel: pd.DataFrame, timeframe: Timeframe, horizon_bars: int) -> Labels:
    """Measure the return from this bar's close to the close ``horizon_bars`` later (a fraction).

    Known when that later bar is closed. Where the series has a gap inside the horizon there is no label: the
    row ``horizon_bars`` further down would be another horizon.

    Parameters
    ----------
    panel
        Indexed by (symbol, datetime = bar open time, UTC), each symbol's bars ascending; column close.
    """
    if horizon_bars < 1:
        raise ValueError(f"expected a horizon of at least one bar, found {horizon_bars!r}")
    symbols = panel.index.get_level_values(0)
    opened = pd.Series(panel.index.get_level_values(1), index=panel.index)
    later_open = opened.groupby(symbols, sort=False).shift(-horizon_bars)
    later_close = panel["close"].groupby(symbols, sort=False).shift(-horizon_bars)
    whole = (later_open - opened) == horizon_bars * timeframe.delta
    values = (later_close / panel["close"] - 1.0).where(whole)
    known_at = (later_open + timeframe.delta).where(whole)
    return Labels(values=values.rename("forward_return"), known_at=known_at.rename("known_at"))


def direction(panel: pd.DataFrame, timeframe: Timeframe, horizon_bars: int) -> Labels:
    """Say whether the forward return is above zero (1.0) or not (0.0); known when the return is."""
    moved = forward_return(panel, timeframe, horizon_bars)
    rises = pd.Series(np.where(moved.values > 0, 1.0, 0.0), index=panel.index, name="direction")
    return Labels(values=rises.where(moved.values.notna()), known_at=moved.known_at)
