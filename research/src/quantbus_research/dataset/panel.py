"""Loads a panel: the closed bars of several symbols as one frame."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = ["FrameSource", "data_hash", "has_unbroken_history", "load_panel"]

FrameSource = Callable[[Sequence[str], Timeframe, datetime, datetime], pd.DataFrame]
"""``(symbols, timeframe, start, end)`` → the bars that open in ``[start, end)``, by (symbol, datetime)."""


def load_panel(
    source: FrameSource,
    instruments: Sequence[Instrument],
    timeframe: Timeframe,
    *,
    as_of: datetime,
    bars: int,
) -> pd.DataFrame:
    """Load what was closed at ``as_of``: the newest ``bars`` bars by the calendar, fewer where bars miss.

    Returns
    -------
    DataFrame
        Columns open, high, low, close, volume; index (symbol, datetime = bar open time, UTC), sorted.
    """
    newest = timeframe.last_closed(as_of)
    start = newest - (bars - 1) * timeframe.delta
    symbols = sorted(instrument.symbol for instrument in instruments)
    return source(symbols, timeframe, start, newest + timeframe.delta)


def has_unbroken_history(panel: pd.DataFrame, timeframe: Timeframe, bars: int) -> pd.Series:
    """Say for each row whether it and the ``bars - 1`` bars before it are all there (boolean)."""
    symbols = panel.index.get_level_values(0)
    opened = pd.Series(panel.index.get_level_values(1), index=panel.index)
    earlier = opened.groupby(symbols, sort=False).shift(bars - 1)
    return (opened - earlier) == (bars - 1) * timeframe.delta


def data_hash(panel: pd.DataFrame) -> str:
    """Return a SHA-256 of the panel's symbols, times and values; equal data gives an equal hash."""
    digest = hashlib.sha256()
    symbols = panel.index.get_level_values(0)
    times = pd.DatetimeIndex(panel.index.get_level_values(1))
    digest.update("\n".join(symbols.astype(str)).encode())
    digest.update(times.as_unit("ms").asi8.astype("<i8").tobytes())
    for name in ("open", "high", "low", "close", "volume"):
        digest.update(np.ascontiguousarray(panel[name].to_numpy(), dtype="<f8").tobytes())
    return digest.hexdigest()
