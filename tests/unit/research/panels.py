"""Panels and frames made up from a seed; the bars are valid, the prices mean nothing."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from quantbus_contracts.timeframe import Timeframe

START = datetime(2026, 1, 5, tzinfo=UTC)
BTC, ETH = "BINANCE:BTCUSDT", "BINANCE:ETHUSDT"
MINUTE = Timeframe.parse("1m")


def make_series(
    bars: int, *, seed: int = 0, start: datetime = START, timeframe: Timeframe = MINUTE, level: float = 100.0
) -> pd.DataFrame:
    """Return ``bars`` consecutive valid bars of one symbol, indexed by open time."""
    random = np.random.default_rng(seed)
    close = level * np.exp(np.cumsum(random.normal(0.0, 1e-3, bars)))
    open_ = np.concatenate([[level], close[:-1]])
    high = np.maximum(open_, close) * (1.0 + random.uniform(0.0, 1e-3, bars))
    low = np.minimum(open_, close) * (1.0 - random.uniform(0.0, 1e-3, bars))
    index = pd.date_range(start, periods=bars, freq=timeframe.delta, name="datetime").as_unit("ms")
    volume = random.uniform(1.0, 9.0, bars)
    return pd.DataFrame(
        {"open": open_, "high": high, "low": low, "close": close, "volume": volume}, index=index
    )


def flat_series(bars: int, *, price: float = 0.1, volume: float = 0.0) -> pd.DataFrame:
    """Return bars in which nothing happens, at a price that binary fractions cannot hold."""
    frame = make_series(bars)
    return frame.assign(open=price, high=price, low=price, close=price, volume=volume)


def panel_of(**series: pd.DataFrame) -> pd.DataFrame:
    """Return a panel of the given series; ``BTC=`` and ``ETH=`` become bus symbols."""
    named = {f"BINANCE:{name}USDT": frame for name, frame in series.items()}
    return pd.concat(named, names=["symbol", "datetime"])


def altered(panel: pd.DataFrame, symbol: str, opened: datetime, **values: float) -> pd.DataFrame:
    """Return the panel with other values in one bar."""
    key = (symbol, pd.Timestamp(opened))
    bar = panel.index == key
    assert bar.sum() == 1
    return panel.assign(**{name: panel[name].mask(bar, value) for name, value in values.items()})


def make_panel(bars: int = 200, *, start: datetime = START, timeframe: Timeframe = MINUTE) -> pd.DataFrame:
    """Return a panel of BTC and ETH."""
    return panel_of(
        BTC=make_series(bars, seed=1, start=start, timeframe=timeframe, level=60_000.0),
        ETH=make_series(bars, seed=2, start=start, timeframe=timeframe, level=3_000.0),
    )
