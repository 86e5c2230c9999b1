"""Random markets and decisions for the laws of the engine."""

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from quantbus_research.costs import CostModel
from tests.unit.research.panels import make_series, panel_of

NAMES = ("BTC", "ETH", "SOL")
BARS = 40


def market(seed: int, *, gaps: bool = False) -> pd.DataFrame:
    """Return three symbols whose opens are not the closes before, with missing bars where asked."""
    random = np.random.default_rng(seed)
    parts = {}
    for number, name in enumerate(NAMES):
        series = make_series(BARS, seed=seed * 7 + number, level=float(10 ** (number + 1)))
        moved = series["close"] * np.exp(random.normal(0, 0.02, BARS))
        parts[name] = series.assign(open=series["open"] * np.exp(random.normal(0, 0.02, BARS)), close=moved)
        if gaps:
            parts[name] = parts[name][random.uniform(size=BARS) > 0.2]
    return panel_of(**parts)


def decisions(panel: pd.DataFrame, seed: int, *, lowest: int = -1) -> pd.Series:
    """Return a position that changes now and then, -1, 0 or 1."""
    random = np.random.default_rng(seed + 1_000)
    drawn = random.integers(lowest, 2, len(panel)).astype(float)
    kept = random.uniform(size=len(panel)) < 0.6
    return pd.Series(np.where(kept, np.nan, drawn), index=panel.index)


def costs(**fixed: Any) -> st.SearchStrategy[CostModel]:
    """Return cost models of every kind, with the least order at zero."""
    drawn = {
        "fee_rate": st.floats(0, 0.01),
        "spread_rate": st.floats(0, 0.01),
        "impact_alpha": st.floats(0, 0.1),
        "impact_beta": st.floats(0, 1),
        "delay_bars": st.sampled_from([0.0, 0.25, 1.0, 1.5]),
    } | {name: st.just(value) for name, value in fixed.items()}
    return st.builds(CostModel, **drawn)
