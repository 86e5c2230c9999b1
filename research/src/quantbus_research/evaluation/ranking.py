"""How well scores order what happened; pure functions of plain arrays."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["area_under_curve", "hit_rate", "rank_correlation"]

Floats = NDArray[np.float64]


def area_under_curve(scores: Floats, outcomes: Floats) -> float:
    """Return the probability that a risen bar scores above a fallen one (0.5 = no skill).

    ``outcomes`` are 0 or 1. NaN if only one of them occurs.
    """
    risen = outcomes > 0.5
    n_risen, n_fallen = int(risen.sum()), int((~risen).sum())
    if not n_risen or not n_fallen:
        return float("nan")
    rank_sum = float(_ranks(scores)[risen].sum())
    return (rank_sum - n_risen * (n_risen + 1) / 2) / (n_risen * n_fallen)


def rank_correlation(scores: Floats, returns: Floats) -> float:
    """Return Spearman's correlation of scores and returns (-1..1); NaN if either does not vary."""
    if len(scores) < 2:
        return float("nan")
    left, right = _ranks(scores), _ranks(returns)
    left, right = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((left * left).sum() * (right * right).sum()))
    return float((left * right).sum()) / scale if scale > 0 else float("nan")


def hit_rate(scores: Floats, returns: Floats) -> float:
    """Return the share of moves whose sign the score had (0..1); bars without a move do not count."""
    moved = (returns != 0) & (scores != 0)
    if not moved.any():
        return float("nan")
    return float((np.sign(scores[moved]) == np.sign(returns[moved])).mean())


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]
