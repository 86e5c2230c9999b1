"""Momentum: how far and how steadily the price has moved."""

import numpy as np

from quantbus_research.factors._base import Bars, Factor, Floats
from quantbus_research.factors._operators_ts import lag, log_change, ratio, rolling_sum

__all__ = ["FACTORS", "log_return", "relative_strength"]


def log_return(bars_back: int) -> Factor:
    """Measure the move over the last ``bars_back`` bars."""

    def compute(bars: Bars) -> Floats:
        return log_change(bars["close"], bars_back)

    return Factor(
        name=f"log_return_{bars_back}",
        formula=f"ln(close[t] / close[t-{bars_back}])",
        inputs=("close",),
        lookback_bars=bars_back + 1,
        unit="natural logarithm of a price ratio",
        function=compute,
    )


def relative_strength(window: int) -> Factor:
    """Weigh rises against falls (Cutler's RSI: plain sums, no recursion), centred on 0."""

    def compute(bars: Bars) -> Floats:
        close = bars["close"]
        change = close - lag(close, 1)
        gained = rolling_sum(np.maximum(change, 0.0), window)
        travelled = rolling_sum(np.abs(change), window)
        return 2.0 * ratio(gained, travelled, otherwise=0.5) - 1.0

    return Factor(
        name=f"rsi_{window}",
        formula=f"2 * sum(max(change, 0), {window}) / sum(abs(change), {window}) - 1; 0 if nothing moved",
        inputs=("close",),
        lookback_bars=window + 1,
        unit="share, -1 (only falls) to 1 (only rises)",
        function=compute,
    )


FACTORS = (log_return(1), log_return(5), log_return(15), relative_strength(14))
