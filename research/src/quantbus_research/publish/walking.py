"""The policy of a recipe over past scores: where it would have been in the market at each bar.

By the same rules as `decide`, bar by bar, only without a bus to look the position up: what it said itself is its
position. A test holds the two against each other.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.settings import PolicySettings

__all__ = ["positions_of"]

Floats = NDArray[np.float64]
_AT_ONCE = 2_048
"""Stretches whose quantiles are taken in one go, which copies them."""


def positions_of(scores: pd.Series, policy: PolicySettings, timeframe: Timeframe) -> pd.Series:
    """Return 1.0 where the policy is long once the bar has closed, else 0.0.

    Parameters
    ----------
    scores
        By (symbol, datetime = bar open time, UTC), -1..1; NaN where there is none. Each symbol begins flat.
    """
    parts = [
        pd.Series(
            _walk(
                part.to_numpy(np.float64),
                *_thresholds(part, policy),
                _bar_numbers(part, timeframe),
                policy.hold_bars,
                policy.max_flat_bars,
            ),
            index=part.index,
        )
        for _, part in scores.sort_index().groupby(level=0, sort=True)
    ]
    if not parts:
        return pd.Series(dtype=np.float64, index=scores.index, name="position")
    return pd.concat(parts).rename("position")


def _thresholds(scores: pd.Series, policy: PolicySettings) -> tuple[Floats, Floats]:
    if policy.thresholds == "absolute":
        return np.full(len(scores), policy.enter), np.full(len(scores), policy.exit)
    # The newest so many scores that are known, as the live side has them: bars without one do not count.
    known = scores.dropna()
    bounds = _quantiles(known.to_numpy(np.float64), policy.calibration_bars or 1, (policy.enter, policy.exit))
    enter, leave = (
        pd.Series(row, index=known.index).reindex(scores.index).to_numpy(np.float64) for row in bounds
    )
    return enter, leave


def _quantiles(values: Floats, window: int, shares: tuple[float, float]) -> Floats:
    """Return both quantiles of the newest ``window`` values at each place, fewer at the beginning (2, n)."""
    found = np.empty((2, len(values)))
    for place in range(min(window - 1, len(values))):
        found[:, place] = np.quantile(values[: place + 1], shares)
    if len(values) >= window:
        stretches = np.lib.stride_tricks.sliding_window_view(values, window)
        for first in range(0, len(stretches), _AT_ONCE):
            part = stretches[first : first + _AT_ONCE]
            places = slice(first + window - 1, first + window - 1 + len(part))
            found[:, places] = np.quantile(part, shares, axis=1)
    return found


def _bar_numbers(scores: pd.Series, timeframe: Timeframe) -> NDArray[np.int64]:
    opened = pd.DatetimeIndex(scores.index.get_level_values(1)).as_unit("ms").asi8
    return np.asarray(opened // (timeframe.seconds * 1_000), dtype=np.int64)


def _walk(
    scores: Floats,
    enter: Floats,
    leave: Floats,
    bars: NDArray[np.int64],
    hold_bars: int | None,
    max_flat_bars: int | None,
) -> Floats:
    """Walk one symbol through time; an exit that is due by time needs no score."""
    held = np.zeros(len(scores))
    entered: int | None = None
    left: int | None = None
    rows = zip(scores.tolist(), enter.tolist(), leave.tolist(), bars.tolist(), strict=True)
    for place, (score, least, exit_below, bar) in enumerate(rows):
        known = score == score
        if entered is not None:
            overdue = hold_bars is not None and bar - entered >= hold_bars
            if overdue or (known and score < exit_below):
                entered, left = None, bar
        elif known:
            bored = max_flat_bars is not None and (left is None or bar - left >= max_flat_bars)
            if score >= least or bored:
                entered = bar
        held[place] = 0.0 if entered is None else 1.0
    return held
