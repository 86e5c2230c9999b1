"""Puts observations (funding, open interest, order books) beside bars: at each bar what was known when it closed."""

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ContractError
from quantbus_contracts.timeframe import Timeframe

__all__ = ["with_observations"]


def with_observations(
    panel: pd.DataFrame,
    timeframe: Timeframe,
    observed: pd.DataFrame,
    columns: Mapping[str, str],
    *,
    max_age: timedelta | None = None,
) -> pd.DataFrame:
    """Return the panel with more columns: at each bar the newest observation made until the bar closed.

    Parameters
    ----------
    panel
        Indexed by (symbol, datetime = bar open time, UTC).
    observed
        Indexed by (symbol, datetime = when it was observed, UTC), each symbol's rows ascending.
    columns
        Name in the panel, by name in ``observed``: ``{"rate": "funding"}``.
    max_age
        An observation older than this when the bar closes counts as none; by default none is too old.

    Returns
    -------
    DataFrame
        On the panel's own index; NaN where nothing was known.

    Raises
    ------
    ContractError
        If ``observed`` lacks a column, or its rows are not in order.
    """
    missing = [name for name in columns if name not in observed.columns]
    if missing:
        raise ContractError(f"expected observations with {', '.join(columns)}, found no {', '.join(missing)}")
    closed = pd.DatetimeIndex(panel.index.get_level_values(1)).as_unit("ns").asi8 + timeframe.seconds * 10**9
    oldest = np.iinfo(np.int64).max if max_age is None else max_age // timedelta(microseconds=1) * 1_000
    symbols = panel.index.get_level_values(0)
    rows_of = observed.groupby(level=0, sort=False).indices
    added = {name: np.full(len(panel), np.nan) for name in columns}
    for symbol, rows in panel.groupby(symbols, sort=False).indices.items():
        seen = observed.iloc[rows_of.get(symbol, np.empty(0, dtype=np.int64))]
        moments = pd.DatetimeIndex(seen.index.get_level_values(1)).as_unit("ns").asi8
        if (np.diff(moments) < 0).any():
            raise ContractError(f"expected the observations of {symbol} oldest first; sort them")
        newest = np.searchsorted(moments, closed[rows], side="right") - 1
        known = newest >= 0
        known[known] = closed[rows][known] - moments[newest[known]] <= oldest
        for name, values in added.items():
            values[rows[known]] = seen[name].to_numpy(np.float64)[newest[known]]
    return panel.assign(**{columns[name]: values for name, values in added.items()})
