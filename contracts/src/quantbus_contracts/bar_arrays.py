"""Bars of one symbol as columns in memory: what readers, blocks, resampling and snapshots hand to each other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIELDS", "BarArrays", "Floats", "Integers"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
FIELDS = ("open", "high", "low", "close", "volume")
"""The numbers of a bar: prices in quote currency, volume in base currency."""


@dataclass(frozen=True, slots=True, eq=False)
class BarArrays:
    """Bars of one symbol, oldest first, no two with the same open time.

    Attributes
    ----------
    open_times_ms
        int64 array (n_bars,): open times in milliseconds since 1970 UTC.
    columns
        float64 arrays (n_bars,) by field, some or all of `FIELDS`.
    """

    open_times_ms: Integers
    columns: Mapping[str, Floats]

    @classmethod
    def empty(cls, fields: Iterable[str]) -> Self:
        """Return no bars."""
        return cls(np.empty(0, dtype=np.int64), {name: np.empty(0) for name in fields})

    @classmethod
    def join(cls, parts: Sequence[Self], fields: Sequence[str]) -> Self:
        """Return the bars of ``parts``, whose times do not overlap, oldest first."""
        filled = sorted((part for part in parts if len(part)), key=lambda part: int(part.open_times_ms[0]))
        if not filled:
            return cls.empty(fields)
        if len(filled) == 1:
            return cls(filled[0].open_times_ms, {name: filled[0].columns[name] for name in fields})
        return cls(
            np.concatenate([part.open_times_ms for part in filled]),
            {name: np.concatenate([part.columns[name] for part in filled]) for name in fields},
        )

    def __len__(self) -> int:
        return len(self.open_times_ms)

    def between(self, start_ms: int, end_ms: int) -> Self:
        """Return the bars that open in ``[start_ms, end_ms)``; views, nothing is copied."""
        first, last = np.searchsorted(self.open_times_ms, (start_ms, end_ms))
        if first == 0 and last == len(self):
            return self
        part = slice(int(first), int(max(first, last)))
        return type(self)(
            self.open_times_ms[part], {name: column[part] for name, column in self.columns.items()}
        )

    def only(self, fields: Sequence[str]) -> Self:
        """Return the same bars with these fields, in this order."""
        return type(self)(self.open_times_ms, {name: self.columns[name] for name in fields})
