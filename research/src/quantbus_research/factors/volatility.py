"""Volatility: how much the price moves, whatever the direction."""

import math

import numpy as np

from quantbus_research.factors._base import Bars, Factor, Floats
from quantbus_research.factors._operators_ts import log_change, ratio, rolling_mean, rolling_std

__all__ = ["FACTORS", "bar_range", "realised_volatility", "volatility_ratio"]


def realised_volatility(window: int) -> Factor:
    """Measure the spread of one-bar returns."""

    def compute(bars: Bars) -> Floats:
        return rolling_std(log_change(bars["close"], 1), window)

    return Factor(
        name=f"realised_volatility_{window}",
        formula=f"population std of ln(close[t] / close[t-1]) over {window}",
        inputs=("close",),
        lookback_bars=window + 1,
        unit="natural logarithm of a price ratio, per bar (not annualised)",
        function=compute,
    )


def bar_range(window: int) -> Factor:
    """Estimate volatility from highs and lows (Parkinson)."""

    def compute(bars: Bars) -> Floats:
        span = np.log(bars["high"] / bars["low"])
        return np.sqrt(rolling_mean(span * span, window) / (4.0 * math.log(2.0)))

    return Factor(
        name=f"parkinson_volatility_{window}",
        formula=f"sqrt(mean(ln(high / low)^2, {window}) / (4 ln 2))",
        inputs=("high", "low"),
        lookback_bars=window,
        unit="natural logarithm of a price ratio, per bar (not annualised)",
        function=compute,
    )


def volatility_ratio(short: int, long: int) -> Factor:
    """Compare recent volatility with that of a longer window: above 0 it rises."""

    def compute(bars: Bars) -> Floats:
        change = log_change(bars["close"], 1)
        recent, usual = rolling_std(change, short), rolling_std(change, long)
        return ratio(recent, usual, otherwise=1.0) - 1.0

    return Factor(
        name=f"volatility_ratio_{short}_{long}",
        formula=f"std(ln return, {short}) / std(ln return, {long}) - 1; 0 if nothing moved",
        inputs=("close",),
        lookback_bars=max(short, long) + 1,
        unit="fraction",
        function=compute,
    )


FACTORS = (realised_volatility(20), bar_range(20), volatility_ratio(10, 50))
