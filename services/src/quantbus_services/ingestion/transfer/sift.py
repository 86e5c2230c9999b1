"""Which rows of a file may go onto the bus, and why the others may not; pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from quantbus_contracts.errors import ContractError
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.schema import Rejection
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.files import FileBars

__all__ = ["Sifted", "check_spacing", "sift"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_BLOCK_MS = 1_230_940_800_000  # 2009-01-03, the day of Bitcoin's first block; nothing was traded before
_LATEST_MS = 253_402_300_799_000  # the end of the year 9999, past which no datetime goes
_ENOUGH_ROWS = 10


@dataclass(frozen=True, slots=True)
class Sifted:
    """What may be written, and what may not."""

    columns: CandleColumns
    """Valid, closed, sorted by open time, one row per open time."""
    rejections: tuple[Rejection, ...]
    """In the order of the file."""
    twins: int
    """Rows that repeat another row exactly."""

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were refused for each reason."""
        return dict(Counter(rejection.reason for rejection in self.rejections).most_common())


def sift(bars: FileBars, symbol: str, timeframe: Timeframe, now: datetime) -> Sifted:
    """Separate the rows of a file; of rows that contradict each other about one bar the first is kept.

    Raises
    ------
    ContractError
        If the bars are spaced otherwise than the timeframe says.
    """
    columns = CandleColumns(symbol, timeframe, bars.source, bars.open_times_ms, **bars.values)
    sensible = (bars.open_times_ms >= _FIRST_BLOCK_MS) & (bars.open_times_ms <= _LATEST_MS)
    check_spacing(bars.open_times_ms[sensible], timeframe)
    closed = bars.open_times_ms + timeframe.seconds * 1000 <= int(now.timestamp() * 1000)
    faulty = columns.faulty()
    kept = np.flatnonzero(sensible & closed & ~faulty)
    order = kept[np.argsort(bars.open_times_ms[kept], kind="stable")]
    first, contradicting = _twins(columns, order)
    rejections = [
        *bars.rejections,
        *_dated(bars, ~sensible, "open_time_implausible"),
        *_dated(bars, sensible & ~closed, "not_closed"),
        *_faults(bars, columns, np.flatnonzero(sensible & closed & faulty)),
        *_dated(bars, _mask(len(bars), contradicting), "duplicate_open_time"),
    ]
    return Sifted(
        columns.select(first),
        tuple(sorted(rejections, key=lambda rejection: rejection.row)),
        len(order) - len(first) - len(contradicting),
    )


def check_spacing(open_times_ms: npt.NDArray[np.int64], timeframe: Timeframe) -> None:
    """Refuse a series whose spacing contradicts its timeframe, such as 1m bars under a name that says 1h.

    Raises
    ------
    ContractError
        Naming both.
    """
    steps = np.diff(np.unique(open_times_ms))
    if len(steps) < _ENOUGH_ROWS:
        return
    step = timeframe.seconds * 1000
    usual = int(np.median(steps))
    common = int(np.gcd.reduce(steps))
    # Finer bars show in the usual distance; coarser ones in a distance that all share. Gaps do neither.
    found = usual if usual < step else common
    if usual < step or (common > step and common % step == 0):
        raise ContractError(
            f"expected {timeframe} bars, found bars {timedelta(milliseconds=found)} apart; "
            "give the right one with --timeframe",
            field="timeframe",
            value=timeframe.name,
        )


def _twins(
    columns: CandleColumns, order: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return, of rows in time order, the first of each open time, and those that contradict their first."""
    times = columns.open_times_ms[order]
    is_first = np.append(True, times[1:] != times[:-1]) if len(times) else np.zeros(0, dtype=bool)
    firsts = order[np.flatnonzero(is_first)]
    own_first = firsts[np.cumsum(is_first) - 1] if len(order) else order
    differs = np.zeros(len(order), dtype=bool)
    for column in (columns.open, columns.high, columns.low, columns.close, columns.volume):
        differs |= column[order] != column[own_first]
    return firsts, order[differs]


def _mask(length: int, positions: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(length, dtype=bool)
    mask[positions] = True
    return mask


def _dated(bars: FileBars, chosen: npt.NDArray[np.bool_], reason: str) -> Iterable[Rejection]:
    for position in np.flatnonzero(chosen):
        milliseconds = int(bars.open_times_ms[position])
        yield Rejection(int(bars.rows[position]), "ts", _told(milliseconds), reason)


def _told(milliseconds: int) -> str:
    try:
        return (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat()
    except OverflowError:
        return repr(milliseconds)


def _faults(bars: FileBars, columns: CandleColumns, positions: npt.NDArray[np.intp]) -> Iterable[Rejection]:
    for fault in columns.select(positions).faults():
        row = int(bars.rows[positions[fault.row]])
        yield Rejection(row, fault.field, fault.value, fault.reason)
