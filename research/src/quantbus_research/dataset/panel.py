"""Loads a panel: the closed bars of several symbols as one frame; names it, and keeps it as a snapshot."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from quantbus_contracts.bar_arrays import BarArrays
from quantbus_contracts.market import MarketQuery, meta_of, save_snapshot
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = [
    "FrameSource",
    "bar_arrays",
    "has_unbroken_history",
    "keep_panel",
    "load_panel",
    "panel_query",
    "snapshot_id",
]

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
        Columns open, high, low, close, volume; index (symbol, datetime = bar open time, UTC), sorted. Bars that cannot
        have been (a price that is none, a high below the low) are left out, and so are missing.
    """
    query = panel_query(instruments, timeframe, as_of=as_of, bars=bars)
    return _possible(source(query.symbols, timeframe, query.start, query.end))


def _possible(panel: pd.DataFrame) -> pd.DataFrame:
    prices = panel[["open", "high", "low", "close"]].to_numpy(np.float64)
    volume = panel["volume"].to_numpy(np.float64)
    highest, lowest = prices.max(axis=1, initial=-np.inf), prices.min(axis=1, initial=np.inf)
    possible = (
        np.isfinite(prices).all(axis=1)
        & (lowest > 0.0)
        & (prices[:, 1] == highest)
        & (prices[:, 2] == lowest)
        & np.isfinite(volume)
        & (volume >= 0.0)
    )
    return panel if possible.all() else panel[possible]


def panel_query(
    instruments: Sequence[Instrument], timeframe: Timeframe, *, as_of: datetime, bars: int
) -> MarketQuery:
    """Return the question that `load_panel` asks."""
    newest = timeframe.last_closed(as_of)
    start = newest - (bars - 1) * timeframe.delta
    symbols = [instrument.symbol for instrument in instruments]
    return MarketQuery.of(symbols, start, newest + timeframe.delta, timeframe=timeframe)


def has_unbroken_history(panel: pd.DataFrame, timeframe: Timeframe, bars: int) -> pd.Series:
    """Say for each row whether it and the ``bars - 1`` bars before it are all there (boolean)."""
    symbols = panel.index.get_level_values(0)
    opened = pd.Series(panel.index.get_level_values(1), index=panel.index)
    earlier = opened.groupby(symbols, sort=False).shift(bars - 1)
    return (opened - earlier) == (bars - 1) * timeframe.delta


def snapshot_id(panel: pd.DataFrame, query: MarketQuery) -> str:
    """Return the id that a snapshot of the question has, whose answer the panel is; see `keep_panel`."""
    return meta_of(query, _parts_of(panel, query)).snapshot_id


def keep_panel(panel: pd.DataFrame, query: MarketQuery, folder: Path, *, now: datetime) -> pd.DataFrame:
    """Keep the panel as a snapshot under ``folder`` and return what stands there, so that it can be had again.

    `quantbus_contracts.market.MarketData.take` of the same question over the same bars gives the same id.
    """
    held: pd.DataFrame = save_snapshot(query, _parts_of(panel, query), folder, now=now).table()
    return held


def bar_arrays(panel: pd.DataFrame, fields: Sequence[str]) -> dict[str, BarArrays]:
    """Return the bars of each symbol of a panel as arrays."""
    parts = {}
    for symbol, part in panel.groupby(level=0):
        times = pd.DatetimeIndex(part.index.get_level_values(1)).as_unit("ms").asi8
        columns = {name: part[name].to_numpy(dtype=np.float64) for name in fields}
        parts[str(symbol)] = BarArrays(times, columns)
    return parts


def _parts_of(panel: pd.DataFrame, query: MarketQuery) -> dict[str, BarArrays]:
    parts = {symbol: BarArrays.empty(query.fields) for symbol in query.symbols}
    return parts | bar_arrays(panel, query.fields)
