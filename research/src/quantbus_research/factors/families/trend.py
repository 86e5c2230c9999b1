"""Trend: where the price stands against its own recent path."""

from quantbus_research.factors._template import template
from quantbus_research.factors.expressions import (
    Node,
    absolute,
    age_of_highest,
    age_of_lowest,
    change,
    exponential_mean,
    fit,
    greater,
    highest,
    lag,
    linear_mean,
    log,
    lowest,
    mean,
    ratio,
    residual,
    share_of,
    slope,
    std,
    total,
    travelled,
)
from quantbus_research.factors.families._columns import close, high, low, true_range

_FRACTION = "fraction of price"
_SHARE = "share, -1 to 1"


@template(_FRACTION)
def ema_distance(span: int) -> Node:
    """Measure the distance to the exponentially weighted mean, cut to a finite window."""
    return close / exponential_mean(close, span) - 1


@template(_FRACTION)
def sma_distance(window: int) -> Node:
    """Measure the distance to the plain mean."""
    return close / mean(close, window) - 1


@template(_FRACTION)
def wma_distance(window: int) -> Node:
    """Measure the distance to the linearly weighted mean."""
    return close / linear_mean(close, window) - 1


@template(_FRACTION)
def sma_cross(short: int, long: int) -> Node:
    """Compare a short mean with a long one: above 0 the short one is higher."""
    return mean(close, short) / mean(close, long) - 1


@template(_FRACTION)
def macd(short: int, long: int) -> Node:
    """Compare a short exponential mean with a long one."""
    return (exponential_mean(close, short) - exponential_mean(close, long)) / close


@template(_FRACTION)
def macd_histogram(short: int, long: int, signal: int) -> Node:
    """Compare the distance of two exponential means with its own exponential mean."""
    line = (exponential_mean(close, short) - exponential_mean(close, long)) / close
    return line - exponential_mean(line, signal)


@template(_SHARE)
def channel_position(window: int) -> Node:
    """Place the close inside the range of the last bars: -1 at its low, 1 at its high."""
    top, bottom = highest(high, window), lowest(low, window)
    return 2 * ratio(close - bottom, top - bottom, 0.5) - 1


@template(_FRACTION)
def channel_width(window: int) -> Node:
    """Measure the range of the last bars."""
    return (highest(high, window) - lowest(low, window)) / close


@template(_SHARE)
def efficiency(window: int) -> Node:
    """Compare the net move with the way travelled (Kaufman): 1 is a straight line, 0 goes nowhere."""
    return ratio(change(close, window), travelled(close, window))


@template("natural logarithm of a price ratio, per bar")
def trend_slope(window: int) -> Node:
    """Take the slope of a straight line through the logarithm of the close."""
    return slope(log(close), window)


@template("share, 0 to 1")
def trend_fit(window: int) -> Node:
    """Say how much of the close's variance a straight line explains."""
    return fit(close, window)


@template("standard deviations")
def trend_residual(window: int) -> Node:
    """Measure how far the close lies off the straight line through its window."""
    return ratio(residual(close, window), std(close, window))


@template(_SHARE)
def aroon(window: int) -> Node:
    """Compare how long ago the high and the low of the window were: 1 a fresh high, -1 a fresh low."""
    return (age_of_lowest(low, window) - age_of_highest(high, window)) / (window - 1)


@template("share of the window, 0 to 1")
def age_of_high(window: int) -> Node:
    """Say how long ago the highest high was."""
    return age_of_highest(high, window) / (window - 1)


@template("share of the window, 0 to 1")
def age_of_low(window: int) -> Node:
    """Say how long ago the lowest low was."""
    return age_of_lowest(low, window) / (window - 1)


def _directional(window: int) -> tuple[Node, Node]:
    up, down = high - lag(high, 1), lag(low, 1) - low
    rises = greater(up, 0) * (up > down)
    falls = greater(down, 0) * (down > up)
    return total(rises, window), total(falls, window)


@template(_SHARE)
def directional_balance(window: int) -> Node:
    """Weigh upward against downward directional movement (Wilder's, with plain sums)."""
    rises, falls = _directional(window)
    return ratio(rises - falls, rises + falls)


@template("share, 0 to 1")
def directional_strength(window: int) -> Node:
    """Average how one-sided directional movement was (as ADX, with plain means)."""
    rises, falls = _directional(window)
    return mean(absolute(ratio(rises - falls, rises + falls)), window)


@template("fraction of the true range")
def vortex(window: int) -> Node:
    """Compare the ways from low to high and from high to low."""
    up, down = absolute(high - lag(low, 1)), absolute(low - lag(high, 1))
    return share_of(up - down, true_range, window)


@template("share of bars, 0 to 1")
def share_above_mean(window: int) -> Node:
    """Say how many of the last closes lay above their own mean of as many bars."""
    return mean(close > mean(close, window), window)


@template(_FRACTION)
def breakout(window: int) -> Node:
    """Measure the close against the highest high of the bars before it."""
    return close / lag(highest(high, window), 1) - 1


@template(_FRACTION)
def breakdown(window: int) -> Node:
    """Measure the close against the lowest low of the bars before it."""
    return close / lag(lowest(low, window), 1) - 1
