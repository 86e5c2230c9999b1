"""What a file of candles holds, before anything is believed of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantbus_contracts.schema import Rejection

__all__ = ["OHLCV", "TIME_NAMES", "FileBars", "epoch_milliseconds"]

OHLCV = ("open", "high", "low", "close", "volume")
TIME_NAMES = ("unix", "open_time", "ts", "timestamp", "time", "datetime", "date")
"""Names of the column with the open time, the most exact first."""

# Below each bound a number counts this many units a second: the bound lies in the year 5138 of its unit,
# and in 1973 of the next finer one.
_UNITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000))
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FileBars:
    """Rows of a file as columns, in the order of the file.

    Attributes
    ----------
    source
        What the bars say they came from, ``'import:csv'``.
    rows
        int64 array (n_bars,): where each stood in the file, from 1 (the line, in a CSV).
    open_times_ms
        int64 array (n_bars,).
    values
        float64 arrays (n_bars,) by name: open, high, low, close, volume; NaN where the file has none.
    rejections
        Rows that could not be read at all.
    """

    source: str
    rows: npt.NDArray[np.int64]
    open_times_ms: npt.NDArray[np.int64]
    values: dict[str, npt.NDArray[np.float64]]
    rejections: tuple[Rejection, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def without_newest(self) -> "FileBars":
        """Refuse the newest bar, which was still forming when the file was made."""
        if not len(self):
            return self
        newest = int(np.argmax(self.open_times_ms))
        kept = np.arange(len(self)) != newest
        refused = Rejection(
            int(self.rows[newest]), "ts", str(int(self.open_times_ms[newest])), "unfinished_last_row"
        )
        return FileBars(
            self.source,
            self.rows[kept],
            self.open_times_ms[kept],
            {name: column[kept] for name, column in self.values.items()},
            (*self.rejections, refused),
        )


def epoch_milliseconds(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Turn Unix times into milliseconds; each number's size tells if it counts s, ms, µs or ns.

    Binance's files changed from milliseconds to microseconds on 2025-01-01, so one file may hold both.
    """
    result = numbers // (_NANOSECONDS // 1_000)
    for bound, units in reversed(_UNITS):
        below = numbers < bound
        if units >= 1_000:
            result = np.where(below, numbers // (units // 1_000), result)
        else:
            result = np.where(below, numbers * 1_000, result)
    return result
