"""Labels that look forward by a number of bars."""

from typing import Literal

import numpy as np
import pandas as pd

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.labels._base import Labels

__all__ = ["Entry", "direction", "forward_return"]

Entry = Literal["close", "next_open"]
"""At which price a position is thought to be opened and closed: the bar's own close, or the open after it, which is the
first that can be had."""


def forward_return(
    panel: pd.DataFrame, timeframe: Timeframe, horizon_bars: int, *, entry: Entry = "close"
) -> Labels:
    """Measure the return over the next ``horizon_bars`` bars (a fraction).

    From this bar's close to the close ``horizon_bars`` later, or from the next open to the open ``horizon_bars`` after
    that. Known when the bar of that later price is closed. Where the series has a gap inside the horizon there is no
    label: the row ``horizon_bars`` further down would be another horizon.

    Parameters
    ----------
    panel
        Indexed by (symbol, datetime = bar open time, UTC), each symbol's bars ascending; columns open, close.
    """
    if horizon_bars < 1:
        raise ValueError(f"expected a horizon of at least one bar, found {horizon_bars!r}")
    symbols = panel.index.get_level_values(0)
    opened = pd.Series(panel.index.get_level_values(1), index=panel.index)
    price = panel["close" if entry == "close" else "open"]
    first = 0 if entry == "close" else 1
    last = first + horizon_bars
    later_open = opened.groupby(symbols, sort=False).shift(-last)
    bought = price if first == 0 else price.groupby(symbols, sort=False).shift(-first)
    sold = price.groupby(symbols, sort=False).shift(-last)
    whole = (later_open - opened) == last * timeframe.delta
    values = (sold / bought - 1.0).where(whole)
    known_at = (later_open + timeframe.delta).where(whole)
    return Labels(values=values.rename("forward_return"), known_at=known_at.rename("known_at"))


def direction(
    panel: pd.DataFrame, timeframe: Timeframe, horizon_bars: int, *, entry: Entry = "close"
) -> Labels:
    """Say whether the forward return is above zero (1.0) or not (0.0); known when the return is."""
    moved = forward_return(panel, timeframe, horizon_bars, entry=entry)
    rises = pd.Series(np.where(moved.values > 0, 1.0, 0.0), index=panel.index, name="direction")
    return Labels(values=rises.where(moved.values.notna()), known_at=moved.known_at)
