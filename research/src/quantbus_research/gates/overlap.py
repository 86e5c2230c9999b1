"""Overlap: would it pick the same, had it learnt from another period."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_research.gates._base import Figure, Gate, Trial

__all__ = ["OVERLAP", "shared_picks"]

Floats = NDArray[np.float64]


def shared_picks(first: Floats, second: Floats, share: float) -> tuple[float, int]:
    """Return which part of the highest ``share`` of rows two scorings have in common, and how many rows these are.

    Where scores are equal the first takes earlier rows and the second later ones, so that scores which say nothing
    agree on nothing.
    """
    count = max(1, int(len(first) * share))
    if len(first) < 2:
        return float("nan"), 0
    one = np.argsort(-first, kind="stable")[:count]
    other = len(second) - 1 - np.argsort(-second[::-1], kind="stable")[:count]
    return len(np.intersect1d(one, other)) / count, count


def _judge(trial: Trial) -> tuple[bool, str, Mapping[str, Figure]]:
    table, split, asked = trial.table, trial.split, trial.recipe.gates
    times = pd.DatetimeIndex(table.known_at.index.get_level_values(1))
    learnt = times[split.train].unique().sort_values()
    middle = learnt[len(learnt) // 2] if len(learnt) else pd.Timestamp(trial.as_of)
    older = split.train & np.asarray(pd.DatetimeIndex(table.known_at) <= middle)
    newer = split.train & np.asarray(times >= middle)
    rows = table.features[split.validation]
    part, picks = shared_picks(
        trial.fit(older).predict(rows), trial.fit(newer).predict(rows), asked.top_share
    )
    told = (
        f"fitted on each half of its training period it agrees with itself on {part:.1%} of {picks} top picks; "
        f"at least {asked.overlap_at_least:.0%} is asked for"
    )
    figures: dict[str, Figure] = {
        "overlap": None if np.isnan(part) else round(part, 6),
        "at_least": asked.overlap_at_least,
        "picks": picks,
    }
    return part >= asked.overlap_at_least, told, figures


OVERLAP = Gate("overlap", "Models of two periods agree on what is best.", _judge)
