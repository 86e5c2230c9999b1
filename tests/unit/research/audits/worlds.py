"""Panels of many coins, and values on them whose worth is known beforehand."""

import numpy as np
import pandas as pd

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.audits import AuditSettings, Screen
from quantbus_research.labels import forward_return
from tests.unit.research.panels import make_series, panel_of

HOUR = Timeframe.parse("1h")
COINS = ("ADA", "BTC", "DOT", "ETH", "SOL", "XRP", "ZEC")
SHORT = AuditSettings(decay=(1, 2, 4), windows=(5, 10), screen=Screen(rank_ic=0.01))


def coins(bars: int = 480, count: int = 7) -> pd.DataFrame:
    """Return hourly bars of several coins."""
    return panel_of(
        **{name: make_series(bars, seed=seed, timeframe=HOUR) for seed, name in enumerate(COINS[:count])}
    )


def later_return(panel: pd.DataFrame, bars: int = 1) -> pd.Series:
    """Return what nobody can know: the return from the next open."""
    return forward_return(panel, HOUR, bars, entry="next_open").values


def noise(panel: pd.DataFrame, seed: int) -> pd.Series:
    """Return values that mean nothing."""
    return pd.Series(np.random.default_rng(seed).normal(size=len(panel)), index=panel.index)


def skilled(panel: pd.DataFrame, seed: int, share: float = 0.3) -> pd.Series:
    """Return values that know a share of the next return."""
    moved = later_return(panel).fillna(0.0)
    return share * moved / moved.std() + noise(panel, seed)
