"""Bars as pandas frames."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.mongo.candle_reader import CandleReader, range_query
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.timeframe import Timeframe

__all__ = ["candle_frame"]

_COLUMNS = ("open", "high", "low", "close", "volume")


def candle_frame(
    reader: CandleReader, symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
) -> pd.DataFrame:
    """Return the bars of several symbols that open in ``[start, end)``.

    Returns
    -------
    DataFrame (n_bars, 5)
        Columns open, high, low, close, volume (float64); index (symbol, datetime) with datetime the bar's OPEN
        time, ``datetime64[ms, UTC]``; sorted. Typed also when empty.
    """
    parts = [reader.connection.run(_rows(symbol, timeframe, start, end)) for symbol in symbols]
    rows = [row for part in parts for row in part]
    when = "date" if timeframe.is_daily else "datetime"
    times = pd.to_datetime(
        [row[when] for row in rows], utc=True, format="%Y%m%d" if timeframe.is_daily else None
    )
    index = pd.MultiIndex.from_arrays(
        [
            pd.Index([row["symbol"] for row in rows], dtype="object", name="symbol"),
            pd.DatetimeIndex(times).as_unit("ms").rename("datetime"),
        ]
    )
    frame = pd.DataFrame(
        {name: pd.array([row[name] for row in rows], dtype="float64") for name in _COLUMNS}, index=index
    )
    return frame.astype("float64").sort_index()


def _rows(symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> Steps[list[Row]]:
    rows: list[Row] = yield find(
        candle_collection(timeframe),
        range_query(symbol, timeframe, start, end),
        {"_id": 0},
        batch_size=10_000,
    )
    return rows
