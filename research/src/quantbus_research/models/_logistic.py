"""Logistic regression by Newton's method: one result for the same rows, whatever the number of threads."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_logistic", "logistic", "logit"]

Floats = NDArray[np.float64]
_STEPS, _HALVINGS, _STILL = 100, 30, 1e-10
_LEAST_L2 = 1e-6  # where a column splits the rows, weights without a penalty would grow for ever
_DIGITS = 12
_FARTHEST = 1e-7  # probabilities this close to 0 or 1 are taken for it, since their logit has no end


def logistic(values: Floats) -> Floats:
    """Return probabilities (0..1) of log odds."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)), dtype=np.float64)


def logit(probabilities: Floats) -> Floats:
    """Return log odds, which end at ±16 (a probability of 1e-7)."""
    inside = np.clip(probabilities, _FARTHEST, 1.0 - _FARTHEST)
    return np.asarray(np.log(inside) - np.log1p(-inside), dtype=np.float64)


def fit_logistic(values: Floats, targets: Floats, *, l2: float) -> tuple[Floats, float]:
    """Return weights (n_columns,) and intercept that make the targets (0..1) most likely.

    The penalty is ``l2 / 2`` times the sum of squared weights; the intercept has none.
    """
    columns = np.column_stack([values, np.ones(len(values))])
    penalty = np.full(columns.shape[1], max(l2, _LEAST_L2))
    penalty[-1] = 0.0
    found = np.zeros(columns.shape[1])
    found[-1] = float(logit(np.array([targets.mean()]))[0])
    for _ in range(_STEPS):
        step = _newton_step(columns, targets, penalty, found)
        size, before = 1.0, _loss(columns, targets, penalty, found)
        for _ in range(_HALVINGS):
            if _loss(columns, targets, penalty, found - size * step) <= before:
                break
            size /= 2.0
        else:
            break  # no step improves what rounding can tell
        found = found - size * step
        if np.abs(size * step).max() < _STILL:
            break
    rounded = np.array([float(f"{value:.{_DIGITS}g}") for value in found])
    return rounded[:-1], float(rounded[-1])


def _newton_step(columns: Floats, targets: Floats, penalty: Floats, weights: Floats) -> Floats:
    odds = logistic(_project(columns, weights))
    slope = np.einsum("ni,n->i", columns, odds - targets) + penalty * weights
    # einsum adds up in one order; BLAS would do so in one that depends on its threads.
    bend = np.einsum("ni,nj->ij", columns * np.maximum(odds * (1.0 - odds), 1e-12)[:, None], columns)
    return np.asarray(np.linalg.solve(bend + np.diag(penalty), slope), dtype=np.float64)


def _loss(columns: Floats, targets: Floats, penalty: Floats, weights: Floats) -> float:
    scores = _project(columns, weights)
    return float((np.logaddexp(0.0, scores) - targets * scores).sum() + (penalty * weights**2).sum() / 2.0)


def _project(columns: Floats, weights: Floats) -> Floats:
    return np.asarray(np.einsum("ni,i->n", columns, weights), dtype=np.float64)
