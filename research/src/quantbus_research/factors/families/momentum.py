"""Momentum: how far and how steadily the price has moved."""

from quantbus_research.factors import expressions as _e
from quantbus_research.factors._template import template
from quantbus_research.factors.expressions import (
    Node,
    absolute,
    change,
    exponential_mean,
    greater,
    highest,
    lag,
    lesser,
    log,
    lowest,
    mean,
    rank,
    ratio,
    share_of,
    sign,
    std,
    total,
    travelled,
    zscore,
)
from quantbus_research.factors.families._columns import close, high, low, returns, true_range, typical_price

_LOG = "natural logarithm of a price ratio"
_SHARE = "share, -1 to 1"


@template(_LOG)
def log_return(bars: int) -> Node:
    """Measure the move over the last bars."""
    return _e.log_return(close, bars)


@template(_LOG)
def skipped_return(short: int, long: int) -> Node:
    """Measure the move from ``long`` to ``short`` bars ago: momentum without the newest reversal."""
    return lag(log(close), short) - lag(log(close), long)


@template(_LOG)
def acceleration(window: int) -> Node:
    """Subtract the move of the bars before from the move of the last ones."""
    return change(_e.log_return(close, window), window)


@template(f"{_SHARE} (only falls to only rises)")
def rsi(window: int) -> Node:
    """Weigh rises against falls (Cutler's RSI: plain sums, no recursion), centred on 0."""
    return 2 * ratio(total(greater(change(close), 0), window), travelled(close, window), 0.5) - 1


@template("share of the range, 0 to 1")
def stochastic(window: int) -> Node:
    """Place the mean of the last three closes in the range of the window (slow %K)."""
    top, bottom = highest(high, window), lowest(low, window)
    return mean(ratio(close - bottom, top - bottom, 0.5), 3)


@template("mean absolute deviations, in Lambert's scale of 0.015")
def commodity_channel(window: int) -> Node:
    """Measure the typical price's distance from its mean in mean absolute distances."""
    away = typical_price - mean(typical_price, window)
    return ratio(away, mean(absolute(away), window) * 0.015)


@template(_SHARE)
def true_strength(short: int, long: int) -> Node:
    """Smooth changes twice and compare them with their smoothed size (as TSI)."""
    moved = exponential_mean(exponential_mean(change(close), long), short)
    size = exponential_mean(exponential_mean(absolute(change(close)), long), short)
    return ratio(moved, size)


@template("share, 0 to 1")
def ultimate(short: int, long: int) -> Node:
    """Average the buying pressure of a short, a middle and a long window (Williams; 4 : 2 : 1)."""
    pressure = close - lesser(low, lag(close, 1))
    middle = (short + long) // 2
    parts = [share_of(pressure, true_range, bars) for bars in (short, middle, long)]
    return (4 * parts[0] + 2 * parts[1] + parts[2]) / 7


@template("share of bars, -1 to 1")
def sign_balance(window: int) -> Node:
    """Count rising against falling bars."""
    return mean(sign(change(close)), window)


@template("standard deviations")
def return_zscore(window: int) -> Node:
    """Say how unusual the newest move is."""
    return zscore(returns, window)


@template("mean over standard deviation, per bar")
def steadiness(window: int) -> Node:
    """Divide the mean move by its spread."""
    return ratio(mean(returns, window), std(returns, window))


@template("fraction of price, 0 and below")
def drawdown(window: int) -> Node:
    """Measure the fall from the highest close."""
    return close / highest(close, window) - 1


@template("fraction of price, 0 and above")
def rebound(window: int) -> Node:
    """Measure the rise from the lowest close."""
    return close / lowest(close, window) - 1


@template("share of the window, above 0 to 1")
def close_rank(window: int) -> Node:
    """Rank the close among its window."""
    return rank(close, window)


@template(_LOG)
def triple_smoothed(span: int) -> Node:
    """Measure the move of the thrice smoothed close (as TRIX)."""
    smooth = exponential_mean(exponential_mean(exponential_mean(close, span), span), span)
    return _e.log_return(smooth)


@template(_LOG)
def largest_rise(window: int) -> Node:
    """Take the greatest move up of one bar (MAX effect)."""
    return highest(returns, window)


@template(_LOG)
def largest_fall(window: int) -> Node:
    """Take the greatest move down of one bar."""
    return lowest(returns, window)
