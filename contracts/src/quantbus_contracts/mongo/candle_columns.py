"""One series of bars as columns: how bulk imports carry hundreds of thousands of rows.

The rules are those of `quantbus_contracts.schema.ohlcv_fault`, applied to whole columns; a test holds the two
against each other.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from quantbus_contracts.mongo.bars import Bar
from quantbus_contracts.schema import Rejection, ohlcv_fault
from quantbus_contracts.timeframe import Timeframe

__all__ = ["CandleColumns"]

Floats = npt.NDArray[np.float64]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CandleColumns:
    """Bars of one symbol and timeframe.

    Attributes
    ----------
    open_times_ms
        int64 array (n_bars,): open times in milliseconds since 1970 UTC; any order, twins allowed.
    open, high, low, close, volume
        float64 arrays (n_bars,).
    """

    symbol: str
    timeframe: Timeframe
    source: str
    open_times_ms: npt.NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.open_times_ms)

    def select(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "CandleColumns":
        """Return the rows at ``chosen`` (a mask or positions)."""
        names = ("open_times_ms", "open", "high", "low", "close", "volume")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def faulty(self) -> npt.NDArray[np.bool_]:
        """Return a mask (n_bars,) of rows that break a rule of the contract."""
        prices = np.stack([self.open, self.high, self.low, self.close])
        with np.errstate(invalid="ignore"):
            sound = np.isfinite(prices).all(axis=0) & (prices > 0).all(axis=0) & (prices <= 1e15).all(axis=0)
            sound &= np.isfinite(self.volume) & (self.volume >= 0) & (self.volume <= 1e18)
            sound &= (self.high >= self.low) & (self.high >= np.maximum(self.open, self.close))
            sound &= self.low <= np.minimum(self.open, self.close)
        sound &= self.open_times_ms % (self.timeframe.seconds * 1000) == 0
        return ~sound

    def faults(self) -> list[Rejection]:
        """Return each refused row with its reason; ``row`` is the position in these columns."""
        return [self._fault_of(int(row)) for row in np.flatnonzero(self.faulty())]

    def _fault_of(self, row: int) -> Rejection:
        values = [float(column[row]) for column in (self.open, self.high, self.low, self.close, self.volume)]
        fault = ohlcv_fault(*values)
        if fault is None:
            moment = _moment(int(self.open_times_ms[row]))
            return Rejection(row, "open_time", moment, "misaligned")
        reason, value = fault
        return Rejection(row, reason.split("_")[0], repr(value), reason)

    def valid(self) -> "CandleColumns":
        """Return the rows that break no rule, oldest first, the last of twins only."""
        kept = self.select(~self.faulty())
        order = np.argsort(kept.open_times_ms, kind="stable")
        times = kept.open_times_ms[order]
        last_of_twins = np.append(times[1:] != times[:-1], True) if len(times) else np.zeros(0, dtype=bool)
        return kept.select(order[last_of_twins])

    def bars(self, start: int, stop: int) -> list[Bar]:
        """Return rows ``start`` to ``stop`` (exclusive) as plain values."""
        part = slice(start, stop)
        times = [_EPOCH + timedelta(milliseconds=value) for value in self.open_times_ms[part].tolist()]
        columns = (
            column[part].tolist() for column in (self.open, self.high, self.low, self.close, self.volume)
        )
        return list(zip(times, *columns, strict=True))


def _moment(milliseconds: int) -> str:
    try:
        return (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat()
    except OverflowError:
        return repr(milliseconds)
