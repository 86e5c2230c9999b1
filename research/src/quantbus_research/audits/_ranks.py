"""Values as a grid of bars by symbols, ranked within each bar."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Grid", "Ranked", "rank_correlations", "ranked"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where each row of a panel lies; symbols are sorted, so that their order in the panel changes nothing."""

    times: pd.DatetimeIndex
    symbols: tuple[str, ...]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]

    @classmethod
    def of(cls, index: pd.Index) -> "Grid":
        """Lay out an index (symbol, datetime)."""
        columns, symbols = pd.factorize(index.get_level_values(0), sort=True)
        rows, times = pd.factorize(index.get_level_values(1), sort=True)
        return cls(pd.DatetimeIndex(times), tuple(map(str, symbols)), rows, columns)

    def spread(self, values: Floats) -> Floats:
        """Return the values as (n_times, n_symbols); NaN where there is none, or none that is finite."""
        grid = np.full((len(self.times), len(self.symbols)), np.nan)
        grid[self.rows, self.columns] = np.where(np.isfinite(values), values, np.nan)
        return grid


@dataclass(frozen=True, slots=True)
class Ranked:
    """A grid with the ranks of each bar: centred, 0 where there is no value; and the sum of their squares by bar."""

    values: Floats
    there: NDArray[np.bool_]
    centred: Floats
    squares: Floats

    @property
    def counts(self) -> NDArray[np.intp]:
        """How many symbols have a value in each bar."""
        counts: NDArray[np.intp] = self.there.sum(axis=1)
        return counts

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Whether the values of a bar differ between symbols."""
        return self.squares > 0


def ranked(values: Floats) -> Ranked:
    """Rank each bar's values among each other; equal ones share the mean of their ranks."""
    there = np.isfinite(values)
    ranks = pd.DataFrame(values).rank(axis=1).to_numpy(np.float64)
    middle = (there.sum(axis=1) + 1) / 2
    centred = np.where(there, ranks - middle[:, None], 0.0)
    return Ranked(values, there, centred, np.einsum("ij,ij->i", centred, centred))


def rank_correlations(left: Ranked, right: Ranked, least: int) -> Floats:
    """Return Spearman's correlation within each bar, over the symbols that have both values.

    NaN for a bar with fewer than ``least`` such symbols, or in which either does not vary.
    """
    both = left.there & right.there
    partial = np.flatnonzero((left.there != right.there).any(axis=1))
    product = np.einsum("ij,ij->i", left.centred, right.centred)
    scale = left.squares * right.squares
    if len(partial):  # ranks count only where both are there
        shared = both[partial]
        one, other = (ranked(np.where(shared, side.values[partial], np.nan)) for side in (left, right))
        product[partial] = np.einsum("ij,ij->i", one.centred, other.centred)
        scale[partial] = one.squares * other.squares
    exists = (both.sum(axis=1) >= least) & (scale > 0)
    found = np.full(len(product), np.nan)
    found[exists] = product[exists] / np.sqrt(scale[exists])
    return found
