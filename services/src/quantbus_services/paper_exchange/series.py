"""Bars of one symbol as columns, and the arithmetic on them that every source shares.

Times are Unix milliseconds (int64) of a bar's open; prices and volumes are float64.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bar", "Bars", "Floats", "Integers", "ceil_to", "decimals_of", "floor_to"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MOST_DECIMALS = 8
"""As many as Binance prints."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; ``quote_volume`` is what its volume was worth."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars in ascending order of open time; arrays of one length.

    ``quote_volume`` is an estimate where the source has none: volume at the bar's mean price.
    """

    open_time: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats

    @classmethod
    def of(
        cls, open_time: Integers, open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats
    ) -> Self:
        """Build bars whose quote volume is estimated from the mean of the four prices."""
        return cls(open_time, open_, high, low, close, volume, volume * ((open_ + high + low + close) / 4))

    @classmethod
    def empty(cls) -> Self:
        """Return no bars."""
        none = np.empty(0)
        return cls(np.empty(0, dtype=np.int64), none, none, none, none, none, none)

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Return the bars of ``parts``, which follow each other in time."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty()
        columns = zip(*(part._columns() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))

    def __len__(self) -> int:
        return len(self.open_time)

    def _columns(self) -> tuple[NDArray[np.generic], ...]:
        return (
            self.open_time, self.open, self.high, self.low, self.close, self.volume, self.quote_volume,
        )  # fmt: skip

    def rows(self, start: int, stop: int) -> Self:
        """Return the bars with index in ``[start, stop)``; views, nothing is copied."""
        return type(self)(*(column[start:stop] for column in self._columns()))  # type: ignore[arg-type]

    def between(self, start_ms: int, end_ms: int) -> Self:
        """Return the bars that open in ``[start_ms, end_ms)``."""
        first, last = np.searchsorted(self.open_time, (start_ms, end_ms))
        return self.rows(int(first), int(max(first, last)))

    def bar(self, index: int) -> Bar:
        """Return one bar as plain numbers."""
        return Bar(int(self.open_time[index]), *(float(column[index]) for column in self._columns()[1:]))

    def shifted(self, by_ms: int) -> Self:
        """Return the same bars ``by_ms`` later."""
        return type(self)(self.open_time + by_ms, *self._columns()[1:])  # type: ignore[arg-type]

    def chosen(self, indices: NDArray[np.intp]) -> Self:
        """Return the bars at ascending ``indices``."""
        return type(self)(*(column[indices] for column in self._columns()))  # type: ignore[arg-type]

    def rounded(self, decimals: int) -> Self:
        """Return the same bars with prices of ``decimals``, at least one step each."""
        least = float(f"1e-{decimals}")
        open_, high, low, close = (
            np.maximum(column.round(decimals), least)
            for column in (self.open, self.high, self.low, self.close)
        )
        return type(self)(self.open_time, open_, high, low, close, self.volume, self.quote_volume)

    def with_bar(self, bar: Bar | None) -> Self:
        """Return the bars with ``bar`` behind them; itself for None."""
        if bar is None:
            return self
        last = (bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.quote_volume)
        columns = zip(self._columns(), last, strict=True)
        return type(self)(*(np.append(column, value) for column, value in columns))

    def aggregate(self, bucket_ms: int) -> Self:
        """Return one bar for each bucket of ``bucket_ms`` that holds at least one bar; sums in time order."""
        if len(self) == 0:
            return self
        bucket = self.open_time // bucket_ms
        first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
        last = np.append(first[1:], len(self)) - 1
        return type(self)(
            bucket[first] * bucket_ms,
            self.open[first],
            np.maximum.reduceat(self.high, first),
            np.minimum.reduceat(self.low, first),
            self.close[last],
            np.add.reduceat(self.volume, first),
            np.add.reduceat(self.quote_volume, first),
        )


def floor_to(step_ms: int, moment_ms: int) -> int:
    """Return the open time of the bar of ``step_ms`` that contains the moment."""
    return moment_ms // step_ms * step_ms


def ceil_to(step_ms: int, moment_ms: int) -> int:
    """Return the open time of the first bar of ``step_ms`` that opens at the moment or later."""
    return -(-moment_ms // step_ms) * step_ms


def decimals_of(values: Floats) -> int:
    """Return how many decimals it takes to write every value exactly; at most `MOST_DECIMALS`."""
    for decimals in range(MOST_DECIMALS):
        if np.array_equal(np.round(values, decimals), values):
            return decimals
    return MOST_DECIMALS
