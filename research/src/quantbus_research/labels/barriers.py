"""Labels that end at the first barrier touched: a profit, a loss, or the end of patience."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.labels._base import Labels

__all__ = ["triple_barrier"]

_Floats = NDArray[np.float64]
_MS_A_SECOND = 1_000


def triple_barrier(
    panel: pd.DataFrame,
    timeframe: Timeframe,
    horizon_bars: int,
    *,
    up: float = 0.02,
    down: float = 0.02,
    width: pd.Series | None = None,
) -> Labels:
    """Say which barrier the price touches first: 1.0 the upper, -1.0 the lower, 0.0 neither within the horizon.

    The barriers stand ``up`` above and ``down`` below this bar's close. A bar that touches both counts as a loss:
    nobody knows which came first. Known when the touching bar is closed, or else the last one of the horizon. There is
    no label where a bar is missing before that, or where the width is.

    Parameters
    ----------
    panel
        Indexed by (symbol, datetime = bar open time, UTC), each symbol's bars ascending; columns high, low, close.
    up, down
        Distances as fractions of the close; with ``width``, multiples of it.
    width
        A fraction of the price for each row, known when the row's bar is closed (a volatility factor, say).
    """
    if horizon_bars < 1:
        raise ValueError(f"expected a horizon of at least one bar, found {horizon_bars!r}")
    if not (up > 0 and down > 0):
        raise ValueError(f"expected barriers above 0, found up {up!r} and down {down!r}")
    index = panel.index
    symbols = index.get_level_values(0).factorize()[0].astype(np.int64)
    order = np.argsort(symbols, kind="stable")
    opened = pd.DatetimeIndex(index.get_level_values(1))
    scale = np.ones(len(panel)) if width is None else width.reindex(index).to_numpy(np.float64)
    close, high, low = (panel[name].to_numpy(np.float64)[order] for name in ("close", "high", "low"))
    scale = scale[order]
    touched, bars = _first_touch(
        symbols[order],
        opened.as_unit("ms").asi8[order] // int(timeframe.seconds * _MS_A_SECOND),
        (close * (1.0 + up * scale), close * (1.0 - down * scale), high, low),
        horizon_bars,
    )
    values, waited = np.empty(len(panel)), np.empty(len(panel))
    values[order], waited[order] = touched, bars
    wait = pd.to_timedelta((waited + 1.0) * timeframe.seconds, unit="s")
    known_at = pd.Series(opened + wait, index=index, name="known_at")
    return Labels(values=pd.Series(values, index=index, name="triple_barrier"), known_at=known_at)


def _first_touch(
    symbols: NDArray[np.int64],
    places: NDArray[np.int64],
    prices: tuple[_Floats, _Floats, _Floats, _Floats],
    horizon: int,
) -> tuple[_Floats, _Floats]:
    """Return what was touched first and how many bars later; NaN where nothing is known of it."""
    ceiling, floor, high, low = prices
    count = len(symbols)
    touched, bars = np.full(count, np.nan), np.full(count, np.nan)
    waiting = ~np.isnan(ceiling)
    for step in range(1, min(horizon, count - 1) + 1):
        now, later = slice(0, count - step), slice(step, count)
        # So many bars later so many rows further down: none is missing between.
        whole = (symbols[now] == symbols[later]) & (places[later] - places[now] == step)
        falls = waiting[now] & whole & (low[later] <= floor[now])
        rises = waiting[now] & whole & (high[later] >= ceiling[now]) & ~falls
        ends = falls | rises
        if step == horizon:
            ends = waiting[now] & whole
        touched[now][ends] = (rises.astype(np.float64) - falls)[ends]
        bars[now][ends] = step
        waiting[now] &= ~ends
    return touched, bars
