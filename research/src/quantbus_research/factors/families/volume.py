"""Volume: how much is traded, and on which side of the bar."""

from quantbus_research.factors._template import template
from quantbus_research.factors.expressions import (
    Node,
    change,
    correlation,
    highest,
    log1p,
    mean,
    rank,
    ratio,
    share_of,
    sign,
    slope,
    std,
    total,
    zscore,
)
from quantbus_research.factors.families._columns import (
    absolute_return,
    close,
    high,
    low,
    returns,
    signed_volume,
    turnover,
    typical_price,
    volume,
)

_SHARE = "share, -1 to 1"


@template("standard deviations")
def volume_zscore(window: int) -> Node:
    """Say how unusual the volume of the bar is."""
    return zscore(log1p(volume), window)


@template(_SHARE)
def volume_balance(window: int) -> Node:
    """Weigh volume in rising bars against volume in falling ones."""
    return share_of(signed_volume, volume, window)


@template("fraction")
def volume_ratio(short: int, long: int) -> Node:
    """Compare recent volume with that of a longer window: above 0 it rises."""
    return ratio(mean(volume, short), mean(volume, long), 1.0) - 1


@template("natural logarithm, per bar")
def volume_trend(window: int) -> Node:
    """Take the slope of a straight line through the logarithm of the volume."""
    return slope(log1p(volume), window)


@template("fraction of the mean")
def volume_variation(window: int) -> Node:
    """Compare the spread of volume with its mean."""
    return ratio(std(volume, window), mean(volume, window))


@template("share of the window, above 0 to 1")
def volume_rank(window: int) -> Node:
    """Rank the volume among its window."""
    return rank(volume, window)


@template("share, 0 to 1")
def volume_concentration(window: int) -> Node:
    """Say how much of the window's volume was traded in its busiest bar."""
    return ratio(highest(volume, window), total(volume, window))


@template(_SHARE)
def on_balance(window: int) -> Node:
    """Weigh volume of bars that closed higher against that of bars that closed lower (as OBV, over a window)."""
    return share_of(sign(change(close)) * volume, volume, window)


@template(_SHARE)
def money_flow(window: int) -> Node:
    """Weigh money traded at rising against falling typical prices (as MFI, centred on 0)."""
    flow = typical_price * volume
    moved = sign(change(typical_price))
    return share_of(moved * flow, moved * moved * flow, window)


@template(_SHARE)
def accumulation(window: int) -> Node:
    """Weigh volume by where bars closed in their range (Chaikin's money flow)."""
    return share_of(ratio(2 * close - high - low, high - low) * volume, volume, window)


@template(_SHARE)
def price_volume_correlation(window: int) -> Node:
    """Correlate closes with the logarithm of volume."""
    return correlation(close, log1p(volume), window)


@template(_SHARE)
def return_volume_correlation(window: int) -> Node:
    """Correlate moves with changes of the logarithm of volume."""
    return correlation(returns, change(log1p(volume)), window)


@template(_SHARE)
def size_volume_correlation(window: int) -> Node:
    """Correlate the size of moves with the logarithm of volume."""
    return correlation(absolute_return, log1p(volume), window)


@template("fraction of price")
def vwap_distance(window: int) -> Node:
    """Measure the distance to the volume-weighted mean of typical prices."""
    return ratio(close * total(volume, window), total(typical_price * volume, window), 1.0) - 1


@template("natural logarithm of a price ratio")
def volume_weighted_return(window: int) -> Node:
    """Average moves, weighted by volume (as the force index, free of scale)."""
    return share_of(returns * volume, volume, window)


@template("natural logarithm of quote currency")
def log_turnover(window: int) -> Node:
    """Say how much money is traded a bar."""
    return log1p(mean(turnover, window))
