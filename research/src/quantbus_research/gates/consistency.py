"""Consistency: is what worked in training what works afterwards."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_research.evaluation import rank_correlation
from quantbus_research.gates._base import Figure, Gate, Trial, figure

__all__ = ["CONSISTENCY", "factor_ratios"]

_STRETCHES = 10
_LEAST_FACTORS = 3


def factor_ratios(features: pd.DataFrame, returns: pd.Series) -> NDArray[np.float64]:
    """Return for each factor the mean of its rank correlation with returns over ten stretches of time, over its spread.

    NaN where a factor or the returns do not vary in some stretch, and for rows too few.
    """
    known = returns.notna().to_numpy()
    features, returns = features[known], returns[known]
    times = pd.DatetimeIndex(features.index.get_level_values(1))
    moments = times.unique().sort_values()
    stretch = np.asarray(moments.searchsorted(times)) * _STRETCHES // max(len(moments), 1)
    moved = returns.to_numpy(np.float64)
    found = np.full((_STRETCHES, features.shape[1]), np.nan)
    for part in range(_STRETCHES):
        rows = stretch == part
        for place, name in enumerate(features.columns):
            found[part, place] = rank_correlation(features[name].to_numpy(np.float64)[rows], moved[rows])
    spread = found.std(axis=0, ddof=1)
    usable = spread > 1e-12
    return np.where(usable, found.mean(axis=0) / np.where(usable, spread, 1.0), np.nan)


def _judge(trial: Trial) -> tuple[bool, str, Mapping[str, Figure]]:
    features, returns, split = trial.table.features, trial.returns, trial.split
    older = factor_ratios(features[split.train], returns[split.train])
    newer = factor_ratios(features[split.validation], returns[split.validation])
    both = np.isfinite(older) & np.isfinite(newer)
    count, asked = int(both.sum()), trial.recipe.gates.consistency_above
    if count < _LEAST_FACTORS:
        told = f"{count} factors can be compared; at least {_LEAST_FACTORS} are asked for"
        return False, told, {"correlation": None, "above": asked, "factors": count}
    steady = older[both].std() > 1e-12 and newer[both].std() > 1e-12
    alike = float(np.corrcoef(older[both], newer[both])[0, 1]) if steady else float("nan")
    told = (
        f"what its {count} factors were worth in training correlates {alike:.3f} with what they were worth in "
        f"validation; above {asked:g} is asked for"
    )
    return alike > asked, told, {"correlation": figure(alike), "above": asked, "factors": count}


CONSISTENCY = Gate(
    "consistency", "The factors that worked in training are those that work in validation.", _judge
)
