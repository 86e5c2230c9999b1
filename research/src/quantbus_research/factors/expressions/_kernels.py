"""The arithmetic of windows: how two neighbouring blocks of bars become one; pure functions of tails.

Means and moments are joined as Chan, Golub, LeVeque and Pébay do: from differences of means, so nothing cancels, a
spread is never negative, and it is exactly zero where nothing changed.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from quantbus_research.factors.expressions._windows import Floats, State, fold, windows

__all__ = [
    "co_moments",
    "decayed_sum",
    "greatest",
    "is_flat",
    "kurtosis",
    "least",
    "moments",
    "quantile",
    "rank",
    "since_greatest",
    "since_least",
    "skewness",
    "total",
    "trend",
]

_PIECE = 4_096
# A spread below one part in 10⁹ of the level is rounding noise.
_NOISE = 1e-9


def total(values: Floats, window: int) -> Floats:
    """Sum the window."""
    return fold((values,), window, _add)[0]


def greatest(values: Floats, window: int) -> Floats:
    """Take the greatest value of the window."""
    return fold((values,), window, lambda older, newer, _o, _n: (np.maximum(older[0], newer[0]),))[0]


def least(values: Floats, window: int) -> Floats:
    """Take the smallest value of the window."""
    return fold((values,), window, lambda older, newer, _o, _n: (np.minimum(older[0], newer[0]),))[0]


def decayed_sum(values: Floats, window: int, decay: float) -> Floats:
    """Sum the window; each bar counts ``decay`` times as much as the next newer one, the newest counts 1."""

    def combine(older: State, newer: State, _older: int, newest: int) -> State:
        return (newer[0] + older[0] * decay**newest,)

    return fold((values,), window, combine)[0]


def moments(values: Floats, window: int) -> tuple[Floats, Floats]:
    """Return the mean of the window and its sum of squared deviations."""
    mean, squares = fold((values, _zeros(values)), window, _join_moments)
    return mean, squares


def co_moments(left: Floats, right: Floats, window: int) -> State:
    """Return mean left, mean right, squares of left, squares of right, and products of deviations."""
    zeros = _zeros(left)
    return fold((left, right, zeros, zeros, zeros), window, _join_co_moments)


def trend(values: Floats, window: int) -> State:
    """Return mean, squared deviations, and products of deviations with the bar's place in the window."""
    return fold((values, _zeros(values), _zeros(values)), window, _join_trend)


def is_flat(mean: Floats, squares: Floats, window: int) -> NDArray[np.bool_]:
    """Say where the spread of the window is nothing but rounding noise of its level."""
    level = _NOISE * mean
    flat: NDArray[np.bool_] = squares <= level * level * window
    return flat


def skewness(values: Floats, window: int) -> Floats:
    """Return the population skewness of the window; 0 in a flat one."""
    zeros = _zeros(values)
    mean, squares, cubes = fold((values, zeros, zeros), window, _join_cubes)
    spread = squares / window
    return _share(cubes / window, spread * np.sqrt(spread), mean, squares, window)


def kurtosis(values: Floats, window: int) -> Floats:
    """Return the population excess kurtosis of the window; 0 in a flat one."""
    zeros = _zeros(values)
    mean, squares, _, fourths = fold((values, zeros, zeros, zeros), window, _join_fourths)
    spread = squares / window
    return _share(fourths / window - 3.0 * spread * spread, spread * spread, mean, squares, window)


def since_greatest(values: Floats, window: int) -> Floats:
    """Count the bars since the greatest value of the window; of equal ones the oldest counts."""
    return _age(values, window, lambda older, newer: older >= newer)


def since_least(values: Floats, window: int) -> Floats:
    """Count the bars since the smallest value of the window; of equal ones the oldest counts."""
    return _age(values, window, lambda older, newer: older <= newer)


def rank(values: Floats, window: int) -> Floats:
    """Return the rank of the newest value among its window, as a share (0..1]; equal values share their ranks."""
    count = max(len(values) - window + 1, 0)
    newest = values[len(values) - count :]
    below = np.zeros(count)
    for bars in range(1, window):
        earlier = values[len(values) - count - bars : len(values) - bars]
        below += earlier < newest
        below += 0.5 * (earlier == newest)
    return (below + 1.0) / window


def quantile(values: Floats, window: int, share: float) -> Floats:
    """Return the quantile of the window, between two values in proportion."""
    place = share * (window - 1)
    low = int(place)
    high = min(low + 1, window - 1)
    seen = windows(values, window)
    result = np.empty(len(seen))
    for start in range(0, len(seen), _PIECE):
        # Sorting a short row outright is several times as fast as selecting from it.
        piece = np.sort(seen[start : start + _PIECE], axis=1)
        below, above = piece[:, low], piece[:, high]
        between = below + (above - below) * (place - low)
        result[start : start + _PIECE] = np.where(np.isnan(piece[:, -1]), np.nan, between)
    return result


def _add(older: State, newer: State, _older: int, _newer: int) -> State:
    return (older[0] + newer[0],)


def _zeros(values: Floats) -> Floats:
    return np.zeros(values.shape)


def _joined(older: Floats, newer: Floats, left: Floats, right: Floats, weight: float) -> Floats:
    """Join sums of products of deviations whose blocks' means lie ``left`` and ``right`` apart."""
    products = left * right
    products *= weight
    products += older
    products += newer
    return products


def _mean_of(older: Floats, away: Floats, part: float) -> Floats:
    mean = away * part
    mean += older
    return mean


def _join_moments(older: State, newer: State, many: int, more: int) -> State:
    part, away = more / (many + more), newer[0] - older[0]
    return _mean_of(older[0], away, part), _joined(older[1], newer[1], away, away, many * part)


def _join_co_moments(older: State, newer: State, many: int, more: int) -> State:
    part = more / (many + more)
    weight = many * part
    left, right = newer[0] - older[0], newer[1] - older[1]
    return (
        _mean_of(older[0], left, part),
        _mean_of(older[1], right, part),
        _joined(older[2], newer[2], left, left, weight),
        _joined(older[3], newer[3], right, right, weight),
        _joined(older[4], newer[4], left, right, weight),
    )


def _join_trend(older: State, newer: State, many: int, more: int) -> State:
    part, away = more / (many + more), newer[0] - older[0]
    products = away * (many * more / 2)  # the middles of both blocks lie half of all bars apart
    products += older[2]
    products += newer[2]
    return (
        _mean_of(older[0], away, part),
        _joined(older[1], newer[1], away, away, many * part),
        products,
    )


def _join_cubes(older: State, newer: State, many: int, more: int) -> State:
    count = many + more
    away = newer[0] - older[0]
    mean, squares = _join_moments(older[:2], newer[:2], many, more)
    cubes = older[2] + newer[2] + away * away * away * (many * more * (many - more) / count**2)
    cubes = cubes + 3.0 * away * (newer[1] * (many / count) - older[1] * (more / count))
    return mean, squares, cubes


def _join_fourths(older: State, newer: State, many: int, more: int) -> State:
    count = many + more
    away = newer[0] - older[0]
    mean, squares, cubes = _join_cubes(older[:3], newer[:3], many, more)
    square = away * away
    fourths = older[3] + newer[3]
    fourths = fourths + square * square * (many * more * (many**2 - many * more + more**2) / count**3)
    fourths = fourths + 6.0 * square * (newer[1] * (many**2 / count**2) + older[1] * (more**2 / count**2))
    fourths = fourths + 4.0 * away * (newer[2] * (many / count) - older[2] * (more / count))
    return mean, squares, cubes, fourths


def _age(values: Floats, window: int, keeps_older: Callable[[Floats, Floats], NDArray[np.bool_]]) -> Floats:
    def combine(older: State, newer: State, _older: int, more: int) -> State:
        keep = keeps_older(older[0], newer[0])
        return np.where(keep, older[0], newer[0]), np.where(keep, older[1] + more, newer[1])

    return fold((values, _zeros(values)), window, combine)[1]


def _share(figure: Floats, scale: Floats, mean: Floats, squares: Floats, window: int) -> Floats:
    result = np.zeros(figure.shape)
    np.divide(figure, scale, out=result, where=(scale > 0) & ~is_flat(mean, squares, window))
    return np.where(np.isnan(figure), np.nan, result)
