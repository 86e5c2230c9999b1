"""Cross-section: how a symbol stands among the others of its panel, at the same bar.

These depend on which symbols there are. A symbol counts at a bar if it has one and has warmed up.
"""

from quantbus_research.factors._template import template
from quantbus_research.factors.expressions import (
    Node,
    absolute,
    across_mean,
    across_rank,
    across_std,
    across_zscore,
    correlation,
    lag,
    log,
    log1p,
    log_return,
    lowest,
    mean,
    ratio,
    rolling_beta,
    std,
    total,
)
from quantbus_research.factors.families._columns import (
    absolute_return,
    close,
    high,
    low,
    returns,
    turnover,
    volume,
)

_PLACE = "place among the symbols, -1 lowest to 1 highest"
_LOG = "natural logarithm of a price ratio"
_DEVIATIONS = "standard deviations across symbols"

_market = across_mean(returns)


def _unexplained(window: int) -> Node:
    return returns - rolling_beta(returns, _market, window) * _market


@template(_PLACE)
def return_place(bars: int) -> Node:
    """Rank the move over the last bars."""
    return across_rank(log_return(close, bars))


@template(_DEVIATIONS)
def return_deviation(bars: int) -> Node:
    """Compare the move over the last bars with those of all."""
    return across_zscore(log_return(close, bars))


@template(_LOG)
def relative_return(bars: int) -> Node:
    """Subtract the average move of all."""
    moved = log_return(close, bars)
    return moved - across_mean(moved)


@template(_PLACE)
def skipped_return_place(short: int, long: int) -> Node:
    """Rank the move from ``long`` to ``short`` bars ago."""
    return across_rank(lag(log(close), short) - lag(log(close), long))


@template(_PLACE)
def volatility_place(window: int) -> Node:
    """Rank volatility."""
    return across_rank(std(returns, window))


@template(_PLACE)
def turnover_place(window: int) -> Node:
    """Rank the money traded."""
    return across_rank(mean(turnover, window))


@template(_PLACE)
def volume_surprise_place(window: int) -> Node:
    """Rank volume against its own mean."""
    return across_rank(ratio(volume, mean(volume, window), 1.0))


@template(_PLACE)
def illiquidity_place(window: int) -> Node:
    """Rank the move that money traded makes."""
    return across_rank(mean(ratio(absolute_return, turnover), window))


@template(_PLACE)
def rebound_place(window: int) -> Node:
    """Rank the rise from the lowest low."""
    return across_rank(close / lowest(low, window))


@template(_PLACE)
def range_place(window: int) -> Node:
    """Rank the average range."""
    return across_rank(mean((high - low) / close, window))


@template(_LOG)
def market_return(bars: int) -> Node:
    """Average the move of all symbols."""
    return across_mean(log_return(close, bars))


@template(_LOG)
def market_volatility(window: int) -> Node:
    """Measure the spread of the average move of all."""
    return std(_market, window)


@template("share of symbols, 0 to 1")
def market_breadth(window: int) -> Node:
    """Count the symbols above their own mean."""
    return across_mean(close > mean(close, window))


@template(_LOG)
def market_dispersion(bars: int) -> Node:
    """Measure the spread of moves across symbols."""
    return across_std(log_return(close, bars))


@template("natural logarithm of quote currency")
def market_turnover(window: int) -> Node:
    """Average the logarithm of the money traded over all symbols."""
    return across_mean(log1p(mean(turnover, window)))


@template("slope")
def market_beta(window: int) -> Node:
    """Take the slope of a symbol's moves on the average of all."""
    return rolling_beta(returns, _market, window)


@template("share, -1 to 1")
def market_correlation(window: int) -> Node:
    """Correlate a symbol's moves with the average of all."""
    return correlation(returns, _market, window)


@template(_LOG)
def residual_return(window: int) -> Node:
    """Sum the moves that the average of all does not explain."""
    return total(_unexplained(window), window)


@template(f"{_LOG}, per bar")
def residual_volatility(window: int) -> Node:
    """Measure the spread of the moves that the average of all does not explain."""
    return std(_unexplained(window), window)


@template("share, -1 to 1")
def lead_lag(window: int) -> Node:
    """Correlate a symbol's moves with the average move of all one bar before."""
    return correlation(returns, lag(_market, 1), window)


@template(_DEVIATIONS)
def size_deviation(window: int) -> Node:
    """Compare the average size of a symbol's moves with those of all."""
    return across_zscore(mean(absolute(returns), window))
