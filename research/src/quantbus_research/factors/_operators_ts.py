"""Rolling operators over one series, oldest value first; the only place that has any.

Each value is built from its own window, lag by lag in one fixed order, and never from a running state. So it
does not depend on where the series begins: a worker that loads 100 bars and a training run over a year get
the same bits. Values whose window is not complete are NaN.
"""

from collections.abc import Callable

import numpy as np

from quantbus_research.factors._base import Floats

__all__ = [
    "lag",
    "log_change",
    "ratio",
    "rolling_max",
    "rolling_mean",
    "rolling_min",
    "rolling_std",
    "rolling_sum",
    "rolling_weighted_mean",
    "zscore",
]


def lag(values: Floats, bars: int) -> Floats:
    """Return the value ``bars`` bars earlier."""
    shifted = np.full(values.shape, np.nan)
    if bars < len(values):
        shifted[bars:] = values[: len(values) - bars]
    return shifted


def ratio(numerator: Floats, denominator: Floats, *, otherwise: float) -> Floats:
    """Divide; where the denominator is zero take ``otherwise``, where anything is NaN stay NaN."""
    result = np.where(np.isnan(numerator), np.nan, otherwise)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def log_change(values: Floats, bars: int) -> Floats:
    """Return the natural logarithm of the value against the one ``bars`` bars earlier."""
    return np.log(values) - np.log(lag(values, bars))


def rolling_sum(values: Floats, window: int) -> Floats:
    """Sum the last ``window`` values."""
    return _fold(values, window, np.add)


def rolling_max(values: Floats, window: int) -> Floats:
    """Take the greatest of the last ``window`` values."""
    return _fold(values, window, np.maximum)


def rolling_min(values: Floats, window: int) -> Floats:
    """Take the smallest of the last ``window`` values."""
    return _fold(values, window, np.minimum)


def rolling_mean(values: Floats, window: int) -> Floats:
    """Average the last ``window`` values."""
    return rolling_sum(values, window) / window


def rolling_std(values: Floats, window: int) -> Floats:
    """Return the population standard deviation of the last ``window`` values (two passes, never negative)."""
    mean = rolling_mean(values, window)
    squares = np.zeros(values.shape)
    for bars in range(window):
        deviation = lag(values, bars) - mean
        squares = squares + deviation * deviation
    return np.sqrt(squares / window)


def rolling_weighted_mean(values: Floats, weights: Floats) -> Floats:
    """Average the last ``len(weights)`` values; ``weights[0]`` belongs to the newest."""
    total = np.zeros(values.shape)
    for bars, weight in enumerate(weights):
        total = total + lag(values, bars) * weight
    return total / float(weights.sum())


def zscore(values: Floats, window: int) -> Floats:
    """Say how many standard deviations of its window a value lies from the window's mean; 0 in a flat one.

    A spread below one part in 10⁹ of the level is rounding noise and counts as flat.
    """
    mean, spread = rolling_mean(values, window), rolling_std(values, window)
    flat = spread <= 1e-9 * np.abs(mean)
    return ratio(values - mean, np.where(flat, 0.0, spread), otherwise=0.0)


def _fold(values: Floats, window: int, combine: Callable[[Floats, Floats], Floats]) -> Floats:
    result = values
    for bars in range(1, window):
        result = combine(result, lag(values, bars))
    return result if window > 1 else values.copy()
