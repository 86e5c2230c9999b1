"""Information: does the model earn anything out of sample, once trading is paid for."""

from collections.abc import Mapping
from math import isnan

import numpy as np
import pandas as pd

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.evaluation import bars_per_year, sharpe_ratio
from quantbus_research.gates._base import Figure, Gate, Trial, figure

__all__ = ["INFORMATION", "information_ratio"]


def information_ratio(
    scores: pd.Series, returns: pd.Series, timeframe: Timeframe, *, horizon_bars: int, cost_rate: float
) -> float:
    """Return what timing by score earns over holding the same positions on average, over its spread, per √year.

    Each pair is held by its score over the number of pairs, long above zero and short below, for ``horizon_bars``
    bars. There are so many ways to choose the first of these bars; the result is the mean over all of them, and no
    bar counts twice in any. NaN where there are too few bars.

    Parameters
    ----------
    scores, returns
        Of the same rows (symbol, datetime = bar open time); the returns over the horizon, as fractions.
    cost_rate
        Share of what is bought or sold.
    """
    said, moved = scores.unstack(0), returns.unstack(0)
    if not len(said):
        return float("nan")
    calendar = pd.date_range(said.index.min(), said.index.max(), freq=timeframe.delta)
    moved = moved.reindex(calendar)
    weights = said.reindex(calendar).where(moved.notna(), 0.0).fillna(0.0) / said.shape[1]
    periods_a_year = bars_per_year(timeframe) / horizon_bars
    found = []
    for first in range(min(horizon_bars, len(calendar))):
        held = weights.to_numpy()[first::horizon_bars]
        earned = moved.fillna(0.0).to_numpy()[first::horizon_bars]
        traded = np.abs(np.diff(held, axis=0, prepend=0.0)).sum(axis=1)
        active = ((held - held.mean(axis=0)) * earned).sum(axis=1) - cost_rate * traded
        found.append(sharpe_ratio(active, periods_a_year))
    return float(np.mean(found)) if found and not any(map(isnan, found)) else float("nan")


def _judge(trial: Trial) -> tuple[bool, str, Mapping[str, Figure]]:
    recipe, asked = trial.recipe, trial.recipe.gates
    returns = trial.returns.reindex(trial.scores.index)

    def ratio(cost_rate: float) -> float:
        return information_ratio(
            trial.scores,
            returns,
            recipe.market.bars,
            horizon_bars=recipe.label.horizon_bars,
            cost_rate=cost_rate,
        )

    after, before = ratio(asked.cost_rate), ratio(0.0)
    bars = trial.scores.index.get_level_values(1).nunique()
    told = (
        f"out of sample its information ratio is {after:.3f} a year after costs of {asked.cost_rate:.2%} a trade "
        f"({before:.3f} before) over {bars} bars; above {asked.information_ratio_above:g} is asked for"
    )
    figures: dict[str, Figure] = {
        "information_ratio": figure(after),
        "information_ratio_before_costs": figure(before),
        "above": asked.information_ratio_above,
        "validation_bars": bars,
    }
    return after > asked.information_ratio_above, told, figures


INFORMATION = Gate("information", "It earns more than it costs on bars that it has not seen.", _judge)
