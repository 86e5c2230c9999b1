"""Clusters of factors that say the same, each with the one that speaks for it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_research.audits._ranks import Ranked

__all__ = ["Sample", "correlations", "represented", "sample_of"]

_MOST_BARS = 2_000
Sample = NDArray[np.float32]
"""Centred ranks of some bars, scaled so that each bar counts alike."""


def sample_of(factor: Ranked) -> Sample:
    """Return the ranks of evenly spaced bars, at most a few thousand; a missing value lies in the middle."""
    step = -(-len(factor.centred) // _MOST_BARS)
    squares = factor.squares[::step]
    scale = np.sqrt(np.where(squares > 0, squares, 1.0))
    scaled: Sample = (factor.centred[::step] / scale[:, None]).astype(np.float32).ravel()
    return scaled


def correlations(samples: Mapping[str, Sample]) -> pd.DataFrame:
    """Return the mean rank correlation of each two factors within bars; 0 where they share none."""
    names = list(samples)
    if not names:
        return pd.DataFrame()
    table = np.stack([samples[name] for name in names]).astype(np.float64)
    length = np.sqrt((table**2).sum(axis=1))
    table /= np.where(length > 0, length, 1.0)[:, None]
    return pd.DataFrame(np.clip(table @ table.T, -1.0, 1.0), index=names, columns=names)


def represented(
    table: pd.DataFrame, order: Sequence[str], correlation: float
) -> dict[str, tuple[str, float]]:
    """Return for each factor the one that speaks for it, and the correlation with that.

    The first in ``order`` speaks for itself and all that are correlated with it so much (in absolute terms), the first
    that is left for the next cluster, and so on: no two representatives are that close.
    """
    between = table.loc[list(order), list(order)].to_numpy(np.float64)
    found: dict[str, tuple[str, float]] = {}
    for row, name in enumerate(order):
        if name in found:
            continue
        found[name] = (name, 1.0)
        for column in np.flatnonzero(np.abs(between[row]) >= correlation):
            found.setdefault(order[int(column)], (name, float(between[row, column])))
    return found
