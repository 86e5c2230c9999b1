"""Operators that look at all symbols at one bar: what they say of a symbol depends on which others there are.

Symbols come in the order of their names, so the order of a panel changes nothing. A symbol without a value at a bar,
missing or still warming up, has no part in it.
"""

import numpy as np
from numpy.typing import NDArray

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
    by_time = np.ascontiguousarray(grid.T)
    order = np.argsort(by_time, axis=1)  # NaN comes last
    ordered = np.take_along_axis(by_time, order, axis=1)
    place = np.broadcast_to(np.arange(grid.shape[0], dtype=np.float64), by_time.shape)
    same = ordered[:, 1:] == ordered[:, :-1]
    if same.any():
        place = _shared_places(same, place)
    result = np.empty(by_time.shape)
    np.put_along_axis(result, order, place, axis=1)
    count = (~np.isnan(by_time)).sum(axis=1, keepdims=True)
    scaled = np.divide(2.0 * result, count - 1, out=np.ones(by_time.shape), where=count > 1) - 1.0
    return np.where(np.isnan(grid), np.nan, scaled.T)


def _shared_places(same: NDArray[np.bool_], place: Floats) -> Floats:
    """Give neighbours that are the same the middle of their places."""
    edge = np.ones((len(same), 1), dtype=bool)
    begins, ends = np.hstack([edge, ~same]), np.hstack([~same, edge])
    first = np.maximum.accumulate(np.where(begins, place, 0.0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, place.shape[1])[:, ::-1], axis=1)[:, ::-1]
    return (first + last) / 2


_MEAN = Operator("across_mean", _mean, "across")
_STD = Operator("across_std", _std, "across")
_ZSCORE = Operator("across_zscore", _zscore, "across")
_RANK = Operator("across_rank", _rank, "across")
