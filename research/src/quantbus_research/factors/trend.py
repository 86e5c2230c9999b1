"""Trend: where the price stands against its own recent path."""

import numpy as np

from quantbus_research.factors._base import Bars, Factor, Floats
from quantbus_research.factors._operators_ts import (
    lag,
    ratio,
    rolling_max,
    rolling_min,
    rolling_sum,
    rolling_weighted_mean,
)

__all__ = ["FACTORS", "average_distance", "channel_position", "efficiency"]

# An exponential average is cut off after so many spans; what it drops weighs less than 0.3 %.
_SPANS_KEPT = 3


def average_distance(span: int) -> Factor:
    """Measure the distance to the exponentially weighted mean, cut to a finite window."""
    window = _SPANS_KEPT * span
    weights = (1.0 - 2.0 / (span + 1.0)) ** np.arange(window, dtype=np.float64)

    def compute(bars: Bars) -> Floats:
        return bars["close"] / rolling_weighted_mean(bars["close"], weights) - 1.0

    return Factor(
        name=f"ema_distance_{span}",
        formula=f"close / ema(close, span {span}, last {window} bars) - 1",
        inputs=("close",),
        lookback_bars=window,
        unit="fraction of price",
        function=compute,
    )


def channel_position(window: int) -> Factor:
    """Place the close inside the range of the last bars: -1 at its low, 1 at its high."""

    def compute(bars: Bars) -> Floats:
        top, bottom = rolling_max(bars["high"], window), rolling_min(bars["low"], window)
        return 2.0 * ratio(bars["close"] - bottom, top - bottom, otherwise=0.5) - 1.0

    return Factor(
        name=f"channel_position_{window}",
        formula=f"2 * (close - bottom) / (top - bottom) - 1; max(high), min(low) of {window}; flat: 0",
        inputs=("high", "low", "close"),
        lookback_bars=window,
        unit="share, -1 to 1",
        function=compute,
    )


def efficiency(window: int) -> Factor:
    """Compare the net move with the way travelled (Kaufman): 1 is a straight line, 0 goes nowhere."""

    def compute(bars: Bars) -> Floats:
        close = bars["close"]
        travelled = rolling_sum(np.abs(close - lag(close, 1)), window)
        return ratio(close - lag(close, window), travelled, otherwise=0.0)

    return Factor(
        name=f"efficiency_{window}",
        formula=f"(close[t] - close[t-{window}]) / sum(abs(change), {window}); 0 if nothing moved",
        inputs=("close",),
        lookback_bars=window + 1,
        unit="share, -1 to 1",
        function=compute,
    )


FACTORS = (average_distance(20), channel_position(30), efficiency(20))
