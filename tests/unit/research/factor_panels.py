"""Panels with every column that a factor may read, and series in which unusual things happen."""

import numpy as np
import pandas as pd

from quantbus_contracts.timeframe import Timeframe
from tests.unit.research.panels import BTC, ETH, MINUTE, START, flat_series, make_series, panel_of

SOL = "BINANCE:SOLUSDT"
SYMBOLS = (BTC, ETH, SOL)


def enriched(series: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Add funding, basis, open interest and an order book, made up from a seed."""
    random, bars = np.random.default_rng(seed), len(series)
    return series.assign(
        funding=np.repeat(random.normal(1e-4, 1e-4, bars // 8 + 1), 8)[:bars],
        basis_bps=random.normal(0.0, 5.0, bars),
        open_interest=1e5 * np.exp(np.cumsum(random.normal(0.0, 1e-3, bars))),
        bid_depth=random.uniform(1e5, 9e5, bars),
        ask_depth=random.uniform(1e5, 9e5, bars),
        spread_bps=random.uniform(0.1, 3.0, bars),
    )


def full_panel(bars: int, *, timeframe: Timeframe = MINUTE) -> pd.DataFrame:
    """Return a panel of three symbols with every column."""
    levels = {"BTC": 60_000.0, "ETH": 3_000.0, "SOL": 0.02}
    return panel_of(
        **{
            name: enriched(
                make_series(bars, seed=seed, start=START, timeframe=timeframe, level=level), seed=seed
            )
            for seed, (name, level) in enumerate(levels.items(), 1)
        }
    )


def still_panel(bars: int, *, volume: float) -> pd.DataFrame:
    """Return a panel in which nothing happens, with nothing in the book either."""
    nothing = {name: 0.0 for name in ("basis_bps", "open_interest", "bid_depth", "ask_depth", "spread_bps")}
    series = flat_series(bars, volume=volume).assign(funding=1e-4, **nothing)
    return panel_of(BTC=series, ETH=series * 1.0, SOL=series * 1.0)


def gappy_panel(bars: int) -> pd.DataFrame:
    """Return a panel whose symbols have gaps at different times and begin at different times."""
    panel = full_panel(bars)
    parts = {symbol: panel.loc[[symbol]] for symbol in SYMBOLS}
    parts[BTC] = parts[BTC].drop(parts[BTC].index[60:75])
    parts[ETH] = parts[ETH].drop(parts[ETH].index[200:201])
    parts[SOL] = parts[SOL].iloc[50:]
    return pd.concat(parts.values())


def jumpy_panel(bars: int) -> pd.DataFrame:
    """Return a panel with bars of no range, no volume, and prices that stand still for a while."""
    panel = full_panel(bars)
    within = panel.groupby(level=0).cumcount().to_numpy()
    still = (within // 70) % 2 == 1
    level = panel["close"].groupby(level=0).transform("first").to_numpy()
    for name in ("open", "high", "low", "close"):
        panel[name] = np.where(still, level, panel[name])
    panel["volume"] = np.where(within % 5 == 0, 0.0, panel["volume"])
    return panel
