"""Derivatives: funding, basis, open interest and order books, where the panel has them.

Each of these columns holds, for a bar, what was known when the bar closed: ``funding`` the newest settled rate,
``basis_bps`` perpetual against spot in hundredths of a percent of the spot price, ``open_interest`` in base currency,
``bid_depth`` and ``ask_depth`` in quote currency within one distance of the middle, ``spread_bps`` in hundredths of a
percent. Where such a column is NaN the factor is, for as long as its look-back reaches there.
"""

from quantbus_research.factors._template import template
from quantbus_research.factors.expressions import (
    Node,
    across_rank,
    change,
    correlation,
    log1p,
    mean,
    rank,
    ratio,
    sign,
    slope,
    std,
    zscore,
)
from quantbus_research.factors.expressions import log_return as _log_return
from quantbus_research.factors.families._columns import (
    ask_depth,
    basis_bps,
    bid_depth,
    close,
    funding,
    open_interest,
    returns,
    spread_bps,
    volume,
)

_RATE = "share of a position's value per settlement"
_BPS = "hundredths of a percent"
_SHARE = "share, -1 to 1"
_DEVIATIONS = "standard deviations"

_imbalance = ratio(bid_depth - ask_depth, bid_depth + ask_depth)
_interest = log1p(open_interest)


@template(_RATE)
def funding_rate() -> Node:
    """Give the newest settled funding rate."""
    return funding * 1


@template(_RATE)
def funding_mean(window: int) -> Node:
    """Average the funding rate that was known at each bar."""
    return mean(funding, window)


@template(_DEVIATIONS)
def funding_zscore(window: int) -> Node:
    """Say how unusual the funding rate is."""
    return zscore(funding, window)


@template(_RATE)
def funding_change(bars: int) -> Node:
    """Subtract the funding rate of some bars ago."""
    return change(funding, bars)


@template("place among the symbols, -1 lowest to 1 highest")
def funding_place(window: int) -> Node:
    """Rank the mean funding rate among the symbols."""
    return across_rank(mean(funding, window))


@template(_BPS)
def basis() -> Node:
    """Give the perpetual's price against the spot price."""
    return basis_bps * 1


@template(_BPS)
def basis_mean(window: int) -> Node:
    """Average the basis."""
    return mean(basis_bps, window)


@template(_DEVIATIONS)
def basis_zscore(window: int) -> Node:
    """Say how unusual the basis is."""
    return zscore(basis_bps, window)


@template(_BPS)
def basis_change(bars: int) -> Node:
    """Subtract the basis of some bars ago."""
    return change(basis_bps, bars)


@template(_SHARE)
def basis_return_correlation(window: int) -> Node:
    """Correlate changes of the basis with moves."""
    return correlation(change(basis_bps), returns, window)


@template("natural logarithm of a ratio")
def open_interest_change(bars: int) -> Node:
    """Measure how open interest has changed."""
    return change(_interest, bars)


@template(_DEVIATIONS)
def open_interest_zscore(window: int) -> Node:
    """Say how unusual open interest is."""
    return zscore(_interest, window)


@template("natural logarithm, per bar")
def open_interest_trend(window: int) -> Node:
    """Take the slope of a straight line through the logarithm of open interest."""
    return slope(_interest, window)


@template("natural logarithm of a ratio, positive where price and interest go the same way")
def open_interest_agreement(bars: int) -> Node:
    """Measure the change of open interest, turned by the direction of the price."""
    return sign(_log_return(close, bars)) * change(_interest, bars)


@template("natural logarithm of a ratio")
def interest_turnover(window: int) -> Node:
    """Compare volume with open interest: high where positions change hands fast."""
    return log1p(mean(volume, window)) - log1p(mean(open_interest, window))


@template(_SHARE)
def depth_imbalance() -> Node:
    """Weigh the book's buyers against its sellers."""
    return _imbalance


@template(_SHARE)
def depth_imbalance_mean(window: int) -> Node:
    """Average the imbalance of the book."""
    return mean(_imbalance, window)


@template("natural logarithm of quote currency")
def depth_level(window: int) -> Node:
    """Say how much stands in the book."""
    return log1p(mean(bid_depth + ask_depth, window))


@template("fraction")
def depth_change(short: int, long: int) -> Node:
    """Compare the recent depth of the book with that of a longer window."""
    depth = bid_depth + ask_depth
    return ratio(mean(depth, short), mean(depth, long), 1.0) - 1


@template("share of the window, above 0 to 1")
def spread_rank(window: int) -> Node:
    """Rank the spread among its window."""
    return rank(spread_bps, window)


@template("fraction of volatility")
def spread_to_volatility(window: int) -> Node:
    """Compare the mean spread with volatility."""
    return ratio(mean(spread_bps, window), std(returns, window) * 10_000)
