"""How a panel lies in memory: the rows of each symbol together, oldest first, and where each stands in time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ContractError
from quantbus_research.factors.expressions._windows import Floats

__all__ = ["BAR_COLUMNS", "TIME", "Layout", "columns_of"]

BAR_COLUMNS = ("open", "high", "low", "close", "volume")
TIME = "datetime"
"""The name under which expressions ask for the bar's open time."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Which rows belong to which symbol.

    Attributes
    ----------
    order
        The panel's rows, those of each symbol together; None where they lie so already.
    segments
        First row and end of each symbol, in that order.
    names
        The symbol of each segment.
    times
        Open time of each row in that order, milliseconds since 1970, UTC.
    """

    order: Rows | None
    segments: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    times: Rows

    @classmethod
    def of(cls, index: pd.Index) -> Self:
        """Read a panel's index.

        Raises
        ------
        ContractError
            If it is not (symbol, datetime), or a symbol's bars are not once each and oldest first.
        """
        if not isinstance(index, pd.MultiIndex) or index.nlevels != 2:
            raise ContractError(f"expected an index (symbol, datetime), found levels {index.names!r}")
        if not isinstance(index.levels[1], pd.DatetimeIndex):
            raise ContractError(f"expected open times in the second level, found {index.levels[1].dtype}")
        codes = np.asarray(index.codes[0], dtype=np.int64)
        times = index.levels[1].as_unit("ms").asi8[np.asarray(index.codes[1])]
        order = None
        starts = _starts(codes)
        if len(starts) > len(np.unique(codes[starts])):
            order = np.argsort(codes, kind="stable")
            codes, times = codes[order], times[order]
            starts = _starts(codes)
        edges = [*starts.tolist(), len(codes)]
        segments = tuple(pairwise(edges)) if len(starts) else ()
        names = tuple(str(index.levels[0][codes[start]]) for start in starts)
        for name, (start, end) in zip(names, segments, strict=True):
            if (np.diff(times[start:end]) <= 0).any():
                raise ContractError(f"expected the bars of {name} once each and oldest first; sort the panel")
        return cls(order, segments, names, times)

    def gathered(self, values: Floats) -> Floats:
        """Bring a column of the panel into the order of the layout."""
        return np.ascontiguousarray(values if self.order is None else values[self.order])

    def scattered(self, values: Floats) -> Floats:
        """Bring rows (n_columns, n_rows) of the layout back into the order of the panel."""
        if self.order is None:
            return values
        result = np.empty(values.shape)
        result[:, self.order] = values
        return result

    def across(self, kernel: Callable[..., Floats], values: Floats, *parameters: object) -> Floats:
        """Apply a kernel to all symbols at each time."""
        moments, places = self._grid
        grid = np.full((len(self.segments), moments), np.nan)
        for row, ((start, end), place) in enumerate(places):
            grid[row, place] = values[start:end]
        said = kernel(grid, *parameters)
        result = np.empty(len(values))
        for row, ((start, end), place) in enumerate(places):
            result[start:end] = said[row, place]
        return result

    @cached_property
    def _grid(self) -> tuple[int, list[tuple[tuple[int, int], Rows]]]:
        """How many times there are, and by symbol in the order of names: its rows, and where they stand in time."""
        moments, place = np.unique(self.times, return_inverse=True)
        order = sorted(range(len(self.segments)), key=lambda segment: self.names[segment])
        return len(moments), [(self.segments[at], place[slice(*self.segments[at])]) for at in order]


def columns_of(panel: pd.DataFrame, layout: Layout, names: Iterable[str]) -> dict[str, Floats]:
    """Return the named columns in the order of the layout.

    Raises
    ------
    ContractError
        If one is not there.
    """
    missing = [name for name in (*BAR_COLUMNS, *names) if name not in panel.columns and name != TIME]
    if missing:
        raise ContractError(
            f"expected columns {', '.join(BAR_COLUMNS)} and those that the factors read, "
            f"found none called {', '.join(dict.fromkeys(missing))}"
        )
    return {
        name: layout.times.astype(np.float64)
        if name == TIME
        else layout.gathered(panel[name].to_numpy(np.float64))
        for name in names
    }


def _starts(codes: Rows) -> Rows:
    if not len(codes):
        return np.empty(0, dtype=np.int64)
    return np.concatenate([[0], np.flatnonzero(codes[1:] != codes[:-1]) + 1])
