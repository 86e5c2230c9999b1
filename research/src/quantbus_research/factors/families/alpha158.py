"""Alpha158: the factors that Qlib's users know, under their names, written as Qlib writes them.

They differ from Qlib's own in four ways. There is no value before the window is full (Qlib's windows begin with one
bar). A window in which nothing moves gives 0 where Qlib gives NaN. ``VWAP0`` takes the typical price,
(high + low + close) / 3, since candles hold no volume-weighted one. After a bar without volume growth counts as none
in ``CORD``; Qlib leaves that bar out and correlates fewer.
"""

from collections.abc import Callable

from quantbus_research.factors._template import Template
from quantbus_research.factors.expressions import (
    Node,
    absolute,
    age_of_highest,
    age_of_lowest,
    change,
    correlation,
    fit,
    greater,
    highest,
    lag,
    lesser,
    log1p,
    lowest,
    mean,
    quantile,
    rank,
    ratio,
    residual,
    slope,
    spread,
    total,
)
from quantbus_research.factors.families._columns import close, high, low, open_, typical_price, volume

__all__ = ["TEMPLATES"]

_TINY = 1e-12  # Qlib's guard against division by zero
_TO_CLOSE = "fraction of the close"
_SHARE = "share"

_range = high - low + _TINY
_growth = close / lag(close, 1)
_busier = log1p(ratio(volume, lag(volume, 1), 1.0))
_shock = absolute(_growth - 1) * volume

_BARS: dict[str, tuple[str, str, Node]] = {
    "KMID": ("fraction of the open", "body", (close - open_) / open_),
    "KLEN": ("fraction of the open", "range", (high - low) / open_),
    "KMID2": ("share of the range", "body", (close - open_) / _range),
    "KUP": ("fraction of the open", "upper wick", (high - greater(open_, close)) / open_),
    "KUP2": ("share of the range", "upper wick", (high - greater(open_, close)) / _range),
    "KLOW": ("fraction of the open", "lower wick", (lesser(open_, close) - low) / open_),
    "KLOW2": ("share of the range", "lower wick", (lesser(open_, close) - low) / _range),
    "KSFT": ("fraction of the open", "close against the middle", (2 * close - high - low) / open_),
    "KSFT2": ("share of the range", "close against the middle", (2 * close - high - low) / _range),
    "OPEN0": (_TO_CLOSE, "open", open_ / close),
    "HIGH0": (_TO_CLOSE, "high", high / close),
    "LOW0": (_TO_CLOSE, "low", low / close),
    "VWAP0": (_TO_CLOSE, "typical price", typical_price / close),
}


def _rise_share(values: Node, window: int) -> Node:
    return total(greater(change(values), 0), window) / (total(absolute(change(values)), window) + _TINY)


def _fall_share(values: Node, window: int) -> Node:
    return total(greater(-change(values), 0), window) / (total(absolute(change(values)), window) + _TINY)


def _sum_balance(values: Node, window: int) -> Node:
    rises, falls = total(greater(change(values), 0), window), total(greater(-change(values), 0), window)
    return (rises - falls) / (total(absolute(change(values)), window) + _TINY)


def _range_place(window: int) -> Node:
    bottom = lowest(low, window)
    return (close - bottom) / (highest(high, window) - bottom + _TINY)


def _since_first(age: Node, window: int) -> Node:
    # Qlib counts from the oldest bar of the window, which is number 1.
    return (window - age) / window


_up, _down = close > lag(close, 1), close < lag(close, 1)
_WINDOWS: dict[str, tuple[str, str, Callable[[int], Node]]] = {
    "ROC": (_TO_CLOSE, "close of some bars ago", lambda window: lag(close, window) / close),
    "MA": (_TO_CLOSE, "mean", lambda window: mean(close, window) / close),
    "STD": (_TO_CLOSE, "standard deviation", lambda window: spread(close, window) / close),
    "BETA": (f"{_TO_CLOSE} per bar", "slope", lambda window: slope(close, window) / close),
    "RSQR": (_SHARE, "variance that a straight line explains", lambda window: fit(close, window)),
    "RESI": (_TO_CLOSE, "distance off a straight line", lambda window: residual(close, window) / close),
    "MAX": (_TO_CLOSE, "highest high", lambda window: highest(high, window) / close),
    "MIN": (_TO_CLOSE, "lowest low", lambda window: lowest(low, window) / close),
    "QTLU": (_TO_CLOSE, "upper fifth of closes", lambda window: quantile(close, window, 0.8) / close),
    "QTLD": (_TO_CLOSE, "lower fifth of closes", lambda window: quantile(close, window, 0.2) / close),
    "RANK": (_SHARE, "rank of the close", lambda window: rank(close, window)),
    "RSV": (_SHARE, "place of the close in the range", _range_place),
    "IMAX": (
        _SHARE,
        "place in time of the highest high",
        lambda window: _since_first(age_of_highest(high, window), window),
    ),
    "IMIN": (
        _SHARE,
        "place in time of the lowest low",
        lambda window: _since_first(age_of_lowest(low, window), window),
    ),
    "IMXD": (
        _SHARE,
        "time from the lowest low to the highest high",
        lambda window: (age_of_lowest(low, window) - age_of_highest(high, window)) / window,
    ),
    "CORR": (
        _SHARE,
        "correlation of close and volume",
        lambda window: correlation(close, log1p(volume), window),
    ),
    "CORD": (
        _SHARE,
        "correlation of their changes",
        lambda window: correlation(_growth, _busier, window),
    ),
    "CNTP": (_SHARE, "bars that rose", lambda window: mean(_up, window)),
    "CNTN": (_SHARE, "bars that fell", lambda window: mean(_down, window)),
    "CNTD": (
        _SHARE,
        "bars that rose less those that fell",
        lambda window: mean(_up, window) - mean(_down, window),
    ),
    "SUMP": (_SHARE, "rises of the way travelled", lambda window: _rise_share(close, window)),
    "SUMN": (_SHARE, "falls of the way travelled", lambda window: _fall_share(close, window)),
    "SUMD": (_SHARE, "rises less falls of the way travelled", lambda window: _sum_balance(close, window)),
    "VMA": ("multiples of the volume", "mean volume", lambda window: mean(volume, window) / (volume + _TINY)),
    "VSTD": (
        "multiples of the volume",
        "standard deviation of volume",
        lambda window: spread(volume, window) / (volume + _TINY),
    ),
    "WVMA": (
        "multiples of the mean",
        "spread of moves weighted by volume",
        lambda window: spread(_shock, window) / (mean(_shock, window) + _TINY),
    ),
    "VSUMP": (_SHARE, "rises of volume", lambda window: _rise_share(volume, window)),
    "VSUMN": (_SHARE, "falls of volume", lambda window: _fall_share(volume, window)),
    "VSUMD": (_SHARE, "rises less falls of volume", lambda window: _sum_balance(volume, window)),
}


def _fixed(expression: Node) -> Callable[[], Node]:
    return lambda: expression


TEMPLATES = (
    *(
        Template(name, unit, f"Give the {what}.", (), _fixed(expression), joint="")
        for name, (unit, what, expression) in _BARS.items()
    ),
    *(
        Template(name, unit, f"Give the {what} over the window.", ("window",), build, joint="")
        for name, (unit, what, build) in _WINDOWS.items()
    ),
)
