"""What a series of RankICs amounts to: its mean, how sure that is, and how steady it was."""

from collections.abc import Sequence
from math import copysign, inf, nan, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.audits._base import Stability

__all__ = ["mean_of", "robust_t", "stabilities"]

Floats = NDArray[np.float64]
_STILL = 1e-12


def mean_of(values: Floats) -> float:
    """Return the mean of what is there; NaN of nothing."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else nan


def robust_t(values: Floats, horizon_bars: int) -> float:
    """Return the t-statistic of the mean after Newey and West, NaN for too few values, infinite without any spread.

    Returns over ``horizon_bars`` share bars with their neighbours, so at least that many lags are allowed for.
    """
    there = values[np.isfinite(values)]
    count = len(there)
    lags = max(horizon_bars, int(4 * (count / 100) ** (2 / 9))) if count else 0
    if count <= 2 * lags + 1:
        return nan
    mean = float(there.mean())
    rest = there - mean
    variance = float(rest @ rest)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(rest[lag:] @ rest[:-lag])
    error = sqrt(max(variance, 0.0)) / count
    if error < _STILL:
        return copysign(inf, mean) if abs(mean) > _STILL else nan
    return mean / error


def stabilities(
    rank_ics: Floats, times: pd.DatetimeIndex, timeframe: Timeframe, windows: Sequence[int]
) -> tuple[Stability, ...]:
    """Return how steady the RankICs were over each length of window (days).

    Only whole windows count, and of those such with at least half of their bars.
    """
    series, sign = pd.Series(rank_ics, index=times), np.sign(mean_of(rank_ics))
    return tuple(_stability(series, days, timeframe, float(sign)) for days in windows)


def _stability(series: pd.Series, days: int, timeframe: Timeframe, sign: float) -> Stability:
    span = pd.Timedelta(days=days)
    half = max(1, days * 86_400 // timeframe.seconds // 2)
    means = series.rolling(span, min_periods=half).mean()
    whole = series.index >= series.index[0] + span - timeframe.delta
    found = means[whole].dropna().to_numpy(np.float64)
    if not len(found):
        return Stability(days, 0, nan, nan, nan, nan, nan)
    low, median, high = (float(value) for value in np.quantile(found, (0.1, 0.5, 0.9)))
    worst = float(found[np.argmin(sign * found)])
    return Stability(days, len(found), median, low, high, worst, float((np.sign(found) == sign).mean()))
