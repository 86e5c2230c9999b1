"""Volatility: how much the price moves, whatever the direction."""

import math

from quantbus_research.factors._template import template
from quantbus_research.factors.expressions import (
    Node,
    exponential_mean,
    greater,
    highest,
    kurtosis,
    lag,
    lesser,
    log,
    mean,
    rank,
    ratio,
    root,
    skewness,
    square,
    std,
    total,
    zscore,
)
from quantbus_research.factors.families._columns import (
    absolute_return,
    close,
    high,
    low,
    open_,
    returns,
    true_range,
)

_LOG = "natural logarithm of a price ratio, per bar (not annualised)"
_FRACTION = "fraction of price"


@template(_LOG)
def realised_volatility(window: int) -> Node:
    """Measure the spread of one-bar returns."""
    return std(returns, window)


@template(_LOG)
def parkinson_volatility(window: int) -> Node:
    """Estimate volatility from highs and lows (Parkinson)."""
    return root(mean(square(log(high / low)), window) / (4 * math.log(2)))


@template(_LOG)
def garman_klass_volatility(window: int) -> Node:
    """Estimate volatility from the whole bar (Garman and Klass)."""
    body = square(log(close / open_)) * (2 * math.log(2) - 1)
    return root(mean(square(log(high / low)) * 0.5 - body, window))


def _drift_free() -> Node:
    return log(high / close) * log(high / open_) + log(low / close) * log(low / open_)


@template(_LOG)
def rogers_satchell_volatility(window: int) -> Node:
    """Estimate volatility whatever the drift (Rogers and Satchell)."""
    return root(mean(_drift_free(), window))


@template(_LOG)
def yang_zhang_volatility(window: int) -> Node:
    """Estimate volatility with jumps between bars (Yang and Zhang)."""
    weight = 0.34 / (1.34 + (window + 1) / (window - 1))
    jumps = square(std(log(open_ / lag(close, 1)), window))
    bodies = square(std(log(close / open_), window))
    return root(jumps + bodies * weight + mean(_drift_free(), window) * (1 - weight))


@template("fraction")
def volatility_ratio(short: int, long: int) -> Node:
    """Compare recent volatility with that of a longer window: above 0 it rises."""
    return ratio(std(returns, short), std(returns, long), 1.0) - 1


@template("standard deviations")
def volatility_zscore(window: int) -> Node:
    """Say how unusual the size of the newest move is."""
    return zscore(absolute_return, window)


@template("share of the window, above 0 to 1")
def volatility_rank(short: int, long: int) -> Node:
    """Rank recent volatility among that of a longer window."""
    return rank(std(returns, short), long)


@template(_FRACTION)
def average_range(window: int) -> Node:
    """Average the true range (as ATR, with a plain mean)."""
    return mean(true_range, window) / close


@template("fraction")
def range_expansion(window: int) -> Node:
    """Compare the newest true range with the mean of its window: above 0 it is wide."""
    return ratio(true_range, mean(true_range, window), 1.0) - 1


@template("half band widths, -1 at the lower band, 1 at the upper")
def bollinger_position(window: int) -> Node:
    """Place the close between the bands of two standard deviations."""
    return zscore(close, window) / 2


@template(_FRACTION)
def bollinger_width(window: int) -> Node:
    """Measure the width of the bands of two standard deviations."""
    return 4 * std(close, window) / mean(close, window)


@template("average ranges")
def keltner_position(window: int) -> Node:
    """Measure the close's distance from its exponential mean in average true ranges."""
    return ratio(close - exponential_mean(close, window), mean(true_range, window))


@template(_LOG)
def downside_volatility(window: int) -> Node:
    """Measure the size of falls (root mean square, rises count as 0)."""
    return root(mean(square(lesser(returns, 0)), window))


@template("share, -1 (all falls) to 1 (all rises)")
def variance_balance(window: int) -> Node:
    """Compare the variance of rises with that of falls."""
    rises, falls = square(greater(returns, 0)), square(lesser(returns, 0))
    return ratio(total(rises - falls, window), total(rises + falls, window))


@template("third standardised moment")
def return_skewness(window: int) -> Node:
    """Say to which side the moves lean."""
    return skewness(returns, window)


@template("fourth standardised moment, 0 for a normal distribution")
def return_kurtosis(window: int) -> Node:
    """Say how heavy the tails of the moves are."""
    return kurtosis(returns, window)


@template("fraction of the mean")
def volatility_of_volatility(short: int, long: int) -> Node:
    """Compare the spread of recent volatilities with their mean."""
    recent = std(returns, short)
    return ratio(std(recent, long), mean(recent, long))


@template("share, 0 to 1")
def jump_share(window: int) -> Node:
    """Say how much of the variance came in jumps (realised against bipower variation)."""
    smooth = total(absolute_return * lag(absolute_return, 1), window) * (math.pi / 2)
    return greater(1 - ratio(smooth, total(square(returns), window), 1.0), 0)


@template("share, 0 to 1")
def largest_move_share(window: int) -> Node:
    """Say how much of the way travelled the largest move was."""
    return ratio(highest(absolute_return, window), total(absolute_return, window))
