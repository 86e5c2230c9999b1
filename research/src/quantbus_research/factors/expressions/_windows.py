"""The one aligner: every statistic over a window of bars is a fold over it, and there is no other way to look back.

A *tail* is an array whose last element belongs to the newest bar. A window of ``w`` bars is joined from blocks of 1, 2,
4, … bars, always cut at the same places counted from its newest bar. So a value depends on the bars of its window and
on nothing else, not even in its last bit: a worker that loads a hundred bars, a training run over years and a run that
works through the years in pieces all get the same numbers. It takes log2(w) passes, and since sums are joined
pairwise, what rounding takes grows with log2(w) as well.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Combine", "Floats", "State", "fold", "lagged", "windows"]

Floats = NDArray[np.float64]
State = tuple[Floats, ...]
"""What is kept of a block of bars, one array for each figure; all tails of one length."""
Combine = Callable[[State, State, int, int], State]
"""``(older, newer, bars_older, bars_newer)`` → the state of both blocks together."""


def fold(leaves: State, window: int, combine: Combine) -> State:
    """Return the state of the last ``window`` bars at each bar; tails that are ``window - 1`` shorter."""
    if len(leaves[0]) < window:
        return tuple(leaf[:0] for leaf in leaves)
    block, size = leaves, 1
    joined: State | None = None
    taken = 0
    while True:
        if window & size:
            joined = (
                block if joined is None else combine(_until(block, taken), _since(joined, size), size, taken)
            )
            taken += size
        if taken == window:
            return joined if joined is not None else block
        block = combine(_until(block, size), _since(block, size), size, size)
        size *= 2


def lagged(values: Floats, bars: int) -> Floats:
    """Return the values ``bars`` bars earlier; ``bars`` shorter."""
    return values[: max(len(values) - bars, 0)]


def windows(values: Floats, window: int) -> Floats:
    """Return the windows themselves, oldest bar first: a view (n_bars - window + 1, window)."""
    if len(values) < window:
        return np.empty((0, window))
    return np.lib.stride_tricks.sliding_window_view(values, window)


def _until(state: Sequence[Floats], bars: int) -> State:
    return tuple(part[: len(part) - bars] for part in state)


def _since(state: Sequence[Floats], bars: int) -> State:
    return tuple(part[bars:] for part in state)
