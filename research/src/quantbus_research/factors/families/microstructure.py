"""Microstructure: what bars say about trading costs, impact and who pressed."""

import math

from quantbus_research.factors._template import template
from quantbus_research.factors.expressions import (
    Node,
    absolute,
    correlation,
    greater,
    highest,
    lag,
    lesser,
    log,
    log1p,
    lowest,
    mean,
    ratio,
    rolling_beta,
    root,
    share_of,
    square,
    std,
    tanh,
)
from quantbus_research.factors.expressions import log_return as _log_return
from quantbus_research.factors.families._columns import (
    absolute_return,
    close,
    high,
    low,
    open_,
    returns,
    signed_volume,
    turnover,
    volume,
)

_RANGE = "share of the bar's range"
_FRACTION = "fraction of price"
_MILLION = 1e6


@template(f"{_RANGE}, -1 to 1")
def body(window: int) -> Node:
    """Average the body of bars, signed."""
    return mean(ratio(close - open_, high - low), window)


@template(f"{_RANGE}, 0 to 1")
def upper_wick(window: int) -> Node:
    """Average the part of bars above their body."""
    return mean(ratio(high - greater(open_, close), high - low), window)


@template(f"{_RANGE}, 0 to 1")
def lower_wick(window: int) -> Node:
    """Average the part of bars below their body."""
    return mean(ratio(lesser(open_, close) - low, high - low), window)


@template(f"{_RANGE}, -1 (at the low) to 1 (at the high)")
def close_location(window: int) -> Node:
    """Average where in their range bars closed."""
    return mean(ratio(2 * close - high - low, high - low), window)


@template("natural logarithm of 1 + moves (fraction) per million of quote currency")
def amihud(window: int) -> Node:
    """Average the move that money traded makes (Amihud's illiquidity); bars without trades count as 0."""
    return log1p(mean(ratio(absolute_return, turnover) * _MILLION, window))


@template(_FRACTION)
def roll_spread(window: int) -> Node:
    """Estimate the spread from the bounce of closes (Roll): 0 where moves do not reverse."""
    earlier = lag(returns, 1)
    products = mean(returns * earlier, window) - mean(returns, window) * mean(earlier, window)
    return 2 * root(-products)


@template(_FRACTION)
def high_low_spread(window: int) -> Node:
    """Estimate the spread from the ranges of neighbouring bars (Corwin and Schultz), negative ones as 0."""
    scale = 3 - 2 * math.sqrt(2)
    single = square(log(high / low))
    both = square(log(highest(high, 2) / lowest(low, 2)))
    alpha = root(single + lag(single, 1)) * ((math.sqrt(2) - 1) / scale) - root(both / scale)
    return mean(greater(2 * tanh(alpha / 2), 0), window)


@template(_FRACTION)
def close_range_spread(window: int) -> Node:
    """Estimate the spread from closes against the middles of bars (Abdi and Ranaldo), negative ones as 0."""
    middle = (log(high) + log(low)) / 2
    earlier = lag(log(close), 1) - lag(middle, 1)
    return 2 * root(mean(earlier * (lag(log(close), 1) - middle), window))


@template("natural logarithm of a price ratio per mean absolute signed volume")
def impact(window: int) -> Node:
    """Take the slope of moves on signed volume (Kyle's lambda, volume free of scale)."""
    return rolling_beta(returns, signed_volume, window) * mean(absolute(signed_volume), window)


@template("share, -1 to 1")
def flow_correlation(window: int) -> Node:
    """Correlate moves with the signed volume of the bar before."""
    return correlation(returns, lag(signed_volume, 1), window)


@template("share, -1 (reverts) to 1 (goes on)")
def autocorrelation(window: int) -> Node:
    """Correlate moves with the move before."""
    return correlation(returns, lag(returns, 1), window)


@template("fraction, below 0 reverting, above 0 trending")
def variance_ratio(short: int, long: int) -> Node:
    """Compare the variance of long moves with that of one-bar moves (Lo and MacKinlay)."""
    many = square(std(_log_return(close, short), long))
    return ratio(many, square(std(returns, long)) * short, 1.0) - 1


@template("share of bars, 0 to 1")
def still_share(window: int) -> Node:
    """Count the bars that closed where the one before did."""
    return 1 - mean(absolute_return > 0, window)


@template("share of bars, 0 to 1")
def silent_share(window: int) -> Node:
    """Count the bars without any trade."""
    return 1 - mean(volume > 0, window)


@template("share, 0 to 1")
def flow_toxicity(window: int) -> Node:
    """Say how one-sided volume was; each bar's by the size of its move (bulk classification, as in VPIN)."""
    one_sided = absolute(tanh(ratio(returns, std(returns, window))))
    return share_of(one_sided * volume, volume, window)


@template("natural logarithm of a price ratio")
def opening_gap(window: int) -> Node:
    """Average the step from the last close to the open."""
    return mean(log(open_ / lag(close, 1)), window)


@template("fraction of price per square root of a million of quote currency")
def range_impact(window: int) -> Node:
    """Compare ranges with the square root of the money traded."""
    return mean(ratio((high - low) / close, root(turnover / _MILLION)), window)
