"""Volume: how much is traded, and on which side of the bar."""

import numpy as np

from quantbus_research.factors._base import Bars, Factor, Floats
from quantbus_research.factors._operators_ts import ratio, rolling_sum, zscore

__all__ = ["FACTORS", "volume_balance", "volume_surprise"]


def volume_surprise(window: int) -> Factor:
    """Say how unusual the volume of the bar is."""

    def compute(bars: Bars) -> Floats:
        return zscore(np.log1p(bars["volume"]), window)

    return Factor(
        name=f"volume_zscore_{window}",
        formula=f"zscore(ln(1 + volume), {window}); 0 if the volume did not vary",
        inputs=("volume",),
        lookback_bars=window,
        unit="standard deviations",
        function=compute,
    )


def volume_balance(window: int) -> Factor:
    """Weigh volume in rising bars against volume in falling ones."""

    def compute(bars: Bars) -> Floats:
        signed = np.sign(bars["close"] - bars["open"]) * bars["volume"]
        traded = rolling_sum(bars["volume"], window)
        return ratio(rolling_sum(signed, window), traded, otherwise=0.0)

    return Factor(
        name=f"volume_balance_{window}",
        formula=f"sum(sign(close - open) * volume, {window}) / sum(volume, {window}); 0 without volume",
        inputs=("open", "close", "volume"),
        lookback_bars=window,
        unit="share, -1 to 1",
        function=compute,
    )


FACTORS = (volume_surprise(30), volume_balance(20))
