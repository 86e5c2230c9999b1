"""Operators that look at all symbols at one bar: what they say of a symbol depends on which others there are.

Symbols come in the order of their names, so the order of a panel changes nothing. A symbol without a value at a bar,
missing or still warming up, has no part in it.
"""

import numpy as np

from quantbus_research.factors.expressions._node import Node, Operator, make
from quantbus_research.factors.expressions._windows import Floats

__all__ = ["across_mean", "across_rank", "across_std", "across_zscore"]


def across_mean(values: Node) -> Node:
    """Average over the symbols that have a value."""
    return make(_MEAN, values)


def across_std(values: Node) -> Node:
    """Take the population standard deviation over the symbols that have a value."""
    return make(_STD, values)


def across_zscore(values: Node) -> Node:
    """Count the standard deviations between a symbol and the mean of all; 0 where all are equal."""
    return make(_ZSCORE, values)


def across_rank(values: Node) -> Node:
    """Place each symbol among all: -1 the lowest, 1 the highest, 0 the middle; equal values share a place."""
    return make(_RANK, values)


def _sums(grid: Floats) -> tuple[Floats, Floats]:
    """Return sum and count for each time; symbol by symbol, so that the order of additions is fixed."""
    added, count = np.zeros(grid.shape[1]), np.zeros(grid.shape[1])
    for values in grid:
        there = ~np.isnan(values)
        added += np.where(there, values, 0.0)
        count += there
    return added, count


def _mean(grid: Floats) -> Floats:
    added, count = _sums(grid)
    average = np.divide(added, count, out=np.full(added.shape, np.nan), where=count > 0)
    return np.where(np.isnan(grid), np.nan, average)


def _std(grid: Floats) -> Floats:
    away = grid - _mean(grid)
    return np.asarray(np.sqrt(_mean(away * away)))


def _zscore(grid: Floats) -> Floats:
    average, deviation = _mean(grid), _std(grid)
    flat = deviation <= 1e-9 * np.abs(average)
    result = np.where(np.isnan(grid), np.nan, 0.0)
    np.divide(grid - average, deviation, out=result, where=~flat & ~np.isnan(grid))
    return result


def _rank(grid: Floats) -> Floats:
    n_symbols, n_times = grid.shape
    result = np.empty(grid.shape)
    if n_times == 0:
        return result
    order = np.argsort(grid, axis=0, kind="stable")  # NaN comes last
    ordered = np.take_along_axis(grid, order, axis=0)
    place = np.broadcast_to(np.arange(n_symbols, dtype=np.float64)[:, None], grid.shape)
    begins = np.ones(grid.shape, dtype=bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    ends = np.ones(grid.shape, dtype=bool)
    ends[:-1] = begins[1:]
    first = np.maximum.accumulate(np.where(begins, place, 0.0), axis=0)
    last = np.minimum.accumulate(np.where(ends, place, n_symbols)[::-1], axis=0)[::-1]
    np.put_along_axis(result, order, (first + last) / 2, axis=0)
    count = (~np.isnan(grid)).sum(axis=0)
    scaled = np.divide(2.0 * result, count - 1, out=np.ones(grid.shape), where=count > 1) - 1.0
    return np.where(np.isnan(grid), np.nan, scaled)


_MEAN = Operator("across_mean", _mean, "across")
_STD = Operator("across_std", _std, "across")
_ZSCORE = Operator("across_zscore", _zscore, "across")
_RANK = Operator("across_rank", _rank, "across")
