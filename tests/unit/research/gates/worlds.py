"""Bars with a pattern that can be learnt, and bars without any; made up from a seed."""

import numpy as np
import pandas as pd

from quantbus_research.gates import Trial
from quantbus_research.settings import Recipe
from tests.unit.research.panels import MINUTE, make_series, panel_of
from tests.unit.research.recipes import make_recipe


def moving_series(bars: int, *, seed: int, memory: float, level: float = 100.0) -> pd.DataFrame:
    """Return bars whose moves of about 1 % go on as they went with strength ``memory`` (0..1)."""
    random = np.random.default_rng(seed)
    moves = random.normal(0.0, 0.01, bars)
    for bar in range(1, bars):
        moves[bar] += memory * moves[bar - 1]
    close = level * np.exp(np.cumsum(moves - moves.mean()))
    frame = make_series(bars, seed=seed)
    open_ = np.concatenate([[level], close[:-1]])
    return frame.assign(
        open=open_, close=close, high=np.maximum(open_, close) * 1.001, low=np.minimum(open_, close) * 0.999
    )


def trial(*overrides: str, memory: float = 0.0, bars: int = 1_500, recipe: Recipe | None = None) -> Trial:
    """Return what gates are asked about: two symbols, moves of the given memory."""
    panel = panel_of(
        BTC=moving_series(bars, seed=1, memory=memory), ETH=moving_series(bars, seed=2, memory=memory)
    )
    newest = pd.Timestamp(panel.index.get_level_values(1).max())
    chosen = recipe or make_recipe("nodes.bars.train_bars=4000", "nodes.model.rounds=20", *overrides)
    return Trial(panel, chosen, (newest + MINUTE.delta).to_pydatetime())
