"""Operators that look at a window of bars of one symbol; each goes through the aligner of `_windows`."""

import numpy as np

from quantbus_research.factors.expressions import _kernels as kernels
from quantbus_research.factors.expressions._by_bar import absolute, log, ratio
from quantbus_research.factors.expressions._node import Kernel, Node, Operator, make
from quantbus_research.factors.expressions._windows import Floats, lagged

__all__ = [
    "age_of_highest",
    "age_of_lowest",
    "change",
    "correlation",
    "exponential_mean",
    "fit",
    "highest",
    "kurtosis",
    "lag",
    "linear_mean",
    "log_return",
    "lowest",
    "mean",
    "quantile",
    "rank",
    "residual",
    "rolling_beta",
    "share_of",
    "skewness",
    "slope",
    "spread",
    "std",
    "total",
    "travelled",
    "zscore",
]

# An exponential average is cut off after so many spans; what it drops weighs less than 0.3 %.
SPANS_KEPT = 3


def lag(values: Node, bars: int) -> Node:
    """Take the value ``bars`` bars earlier."""
    return make(_LAG, values, parameters=(bars,))


def change(values: Node, bars: int = 1) -> Node:
    """Subtract the value ``bars`` bars earlier."""
    return values - lag(values, bars)


def log_return(values: Node, bars: int = 1) -> Node:
    """Take the natural logarithm of the value against the one ``bars`` bars earlier."""
    return change(log(values), bars)


def total(values: Node, window: int) -> Node:
    """Sum the window."""
    return make(_TOTAL, values, parameters=(window,))


def mean(values: Node, window: int) -> Node:
    """Average the window."""
    return make(_MEAN, values, parameters=(window,))


def std(values: Node, window: int) -> Node:
    """Take the population standard deviation of the window."""
    return make(_STD, values, parameters=(window,))


def spread(values: Node, window: int) -> Node:
    """Take the sample standard deviation of the window (divided by one less than its bars)."""
    return make(_SPREAD, values, parameters=(window,))


def highest(values: Node, window: int) -> Node:
    """Take the greatest value of the window."""
    return make(_HIGHEST, values, parameters=(window,))


def lowest(values: Node, window: int) -> Node:
    """Take the smallest value of the window."""
    return make(_LOWEST, values, parameters=(window,))


def age_of_highest(values: Node, window: int) -> Node:
    """Count the bars since the greatest value of the window; of equal ones the oldest."""
    return make(_AGE_HIGHEST, values, parameters=(window,))


def age_of_lowest(values: Node, window: int) -> Node:
    """Count the bars since the smallest value of the window; of equal ones the oldest."""
    return make(_AGE_LOWEST, values, parameters=(window,))


def exponential_mean(values: Node, span: int) -> Node:
    """Average with weights that fall by 2 / (span + 1) a bar, over the last three spans."""
    return make(_EMA, values, parameters=(span,))


def linear_mean(values: Node, window: int) -> Node:
    """Average with weights that rise from 1 for the oldest bar to ``window`` for the newest."""
    return make(_WMA, values, parameters=(window,))


def slope(values: Node, window: int) -> Node:
    """Take the slope of the straight line through the window, per bar."""
    return make(_SLOPE, values, parameters=(window,))


def fit(values: Node, window: int) -> Node:
    """Say how much of the window's variance a straight line explains, 0 to 1; 0 in a flat one."""
    return make(_FIT, values, parameters=(window,))


def residual(values: Node, window: int) -> Node:
    """Subtract what the straight line through the window says of the newest bar."""
    return make(_RESIDUAL, values, parameters=(window,))


def correlation(left: Node, right: Node, window: int) -> Node:
    """Take Pearson's correlation over the window; 0 where either is flat."""
    return make(_CORRELATION, left, right, parameters=(window,))


def rolling_beta(left: Node, right: Node, window: int) -> Node:
    """Take the slope of ``left`` on ``right`` over the window; 0 where ``right`` is flat."""
    return make(_BETA, left, right, parameters=(window,))


def skewness(values: Node, window: int) -> Node:
    """Take the skewness of the window; 0 in a flat one."""
    return make(_SKEWNESS, values, parameters=(window,))


def kurtosis(values: Node, window: int) -> Node:
    """Take the excess kurtosis of the window; 0 in a flat one."""
    return make(_KURTOSIS, values, parameters=(window,))


def rank(values: Node, window: int) -> Node:
    """Take the rank of the newest value in its window, as a share (0..1]; equal values share their ranks."""
    return make(_RANK, values, parameters=(window,))


def quantile(values: Node, window: int, share: float) -> Node:
    """Take a quantile of the window."""
    return make(_QUANTILE, values, parameters=(window, share))


def zscore(values: Node, window: int) -> Node:
    """Count the standard deviations of its window by which a value lies above the mean; 0 in a flat one."""
    return make(_ZSCORE, values, parameters=(window,))


def travelled(values: Node, window: int) -> Node:
    """Sum the absolute changes of the window."""
    return total(absolute(change(values)), window)


def share_of(part: Node, whole: Node, window: int) -> Node:
    """Divide two sums over the window; 0 where the whole is."""
    return ratio(total(part, window), total(whole, window))


def _ema(values: Floats, span: int) -> Floats:
    window, decay = SPANS_KEPT * span, 1.0 - 2.0 / (span + 1.0)
    weights = (1.0 - decay**window) / (1.0 - decay) if decay else 1.0
    return kernels.decayed_sum(values, window, decay) / weights


def _deviation(values: Floats, window: int, divisor: int) -> Floats:
    return np.asarray(np.sqrt(kernels.moments(values, window)[1] / divisor))


def _slope(values: Floats, window: int) -> Floats:
    return kernels.trend(values, window)[2] / _spread_of_places(window)


def _fit(values: Floats, window: int) -> Floats:
    mean_, squares, products = kernels.trend(values, window)
    explained = np.zeros(squares.shape)
    whole = squares * _spread_of_places(window)
    np.divide(products * products, whole, out=explained, where=~kernels.is_flat(mean_, squares, window))
    return np.where(np.isnan(whole), np.nan, np.minimum(explained, 1.0))


def _residual(values: Floats, window: int) -> Floats:
    mean_, _, products = kernels.trend(values, window)
    newest = values[len(values) - len(mean_) :]
    return newest - (mean_ + products * ((window - 1) / 2 / _spread_of_places(window)))


def _linear_mean(values: Floats, window: int) -> Floats:
    mean_, _, products = kernels.trend(values, window)
    return mean_ + products / (window * (window + 1) / 2)


def _correlation(left: Floats, right: Floats, window: int) -> Floats:
    mean_left, mean_right, square_left, square_right, products = kernels.co_moments(left, right, window)
    flat = kernels.is_flat(mean_left, square_left, window) | kernels.is_flat(mean_right, square_right, window)
    result = np.zeros(products.shape)
    np.divide(products, np.sqrt(square_left) * np.sqrt(square_right), out=result, where=~flat)
    return np.where(np.isnan(products), np.nan, np.clip(result, -1.0, 1.0))


def _beta(left: Floats, right: Floats, window: int) -> Floats:
    _, mean_right, _, square_right, products = kernels.co_moments(left, right, window)
    result = np.zeros(products.shape)
    np.divide(products, square_right, out=result, where=~kernels.is_flat(mean_right, square_right, window))
    return np.where(np.isnan(products), np.nan, result)


def _zscore(values: Floats, window: int) -> Floats:
    mean_, squares = kernels.moments(values, window)
    newest = values[len(values) - len(mean_) :]
    result = np.zeros(mean_.shape)
    np.divide(
        newest - mean_, np.sqrt(squares / window), out=result, where=~kernels.is_flat(mean_, squares, window)
    )
    return np.where(np.isnan(squares), np.nan, result)


def _spread_of_places(window: int) -> float:
    return window * (window * window - 1) / 12


def _over(name: str, kernel: Kernel) -> Operator:
    return Operator(name, kernel, "window", lambda window, *_others: window - 1)


_LAG = Operator("lag", lagged, "window", lambda bars: bars)
_EMA = Operator("ema", _ema, "window", lambda span: SPANS_KEPT * span - 1)
_TOTAL = _over("sum", kernels.total)
_MEAN = _over("mean", lambda values, window: kernels.total(values, window) / window)
_STD = _over("std", lambda values, window: _deviation(values, window, window))
_SPREAD = _over("sample_std", lambda values, window: _deviation(values, window, window - 1))
_HIGHEST = _over("highest", kernels.greatest)
_LOWEST = _over("lowest", kernels.least)
_AGE_HIGHEST = _over("age_of_highest", kernels.since_greatest)
_AGE_LOWEST = _over("age_of_lowest", kernels.since_least)
_WMA = _over("linear_mean", _linear_mean)
_SLOPE = _over("slope", _slope)
_FIT = _over("fit", _fit)
_RESIDUAL = _over("residual", _residual)
_CORRELATION = _over("correlation", _correlation)
_BETA = _over("beta", _beta)
_SKEWNESS = _over("skewness", kernels.skewness)
_KURTOSIS = _over("kurtosis", kernels.kurtosis)
_RANK = _over("rank", kernels.rank)
_QUANTILE = _over("quantile", kernels.quantile)
_ZSCORE = _over("zscore", _zscore)
