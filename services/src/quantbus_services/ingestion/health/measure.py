"""What is to be said about a series of bars in numbers; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Day", "Event", "Measures", "Run", "measure"]

JUMP = 0.30
"""A close this much above or below the one before, as a share of it."""
SPIKE = 10.0
"""A volume this many times the median around it."""
MEDIAN_BARS = 500
_DAY_MS = 86_400_000
Times = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive bars, or missing ones."""

    start_ms: int
    bars: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something at one bar, with how much of it."""

    time_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of the series."""

    start_ms: int
    expected: int
    missing: int

    @property
    def share(self) -> float:
        """Missing share, 0..1."""
        return self.missing / self.expected


@dataclass(frozen=True, slots=True)
class Measures:
    """The numbers of one series. Rows are counted as they came, bars by their distinct, aligned open times."""

    rows: int
    bars: int
    first_ms: int | None
    last_ms: int | None
    gaps: tuple[Run, ...]
    """Places where bars are missing between two that are there; confirmed ones among them."""
    confirmed: int
    """Missing bars that the venue has been shown not to have."""
    days: tuple[Day, ...]
    """Days with missing bars, not counting confirmed ones."""
    duplicates: int
    out_of_order: int
    misaligned: int
    ohlc: int
    """Rows whose high is below or whose low is above the body."""
    nonpositive: int
    not_numbers: int
    jumps: tuple[Event, ...]
    """Relative change of the close against the bar before, where that is adjacent."""
    spikes: tuple[Event, ...]
    """Volume over the median of the bars around it."""
    zero_volume: int
    zero_runs: tuple[Run, ...]
    """Two or more bars in a row without volume."""
    behind: int
    """Closed bars that should be there since the newest one, as of the given moment."""
    unreadable: int = 0

    @property
    def missing(self) -> int:
        """Missing bars, confirmed ones among them."""
        return sum(gap.bars for gap in self.gaps)

    @property
    def missing_share(self) -> float:
        """Missing bars that may exist, as a share of the bars that should be there."""
        expected = self.bars + self.missing
        return (self.missing - self.confirmed) / expected if expected else 0.0


def measure(
    columns: CandleColumns,
    *,
    as_of_ms: int | None = None,
    confirmed: Sequence[tuple[int, int]] = (),
    unreadable: int = 0,
) -> Measures:
    """Measure bars in the order in which they came.

    Parameters
    ----------
    columns
        As they were read, with whatever is wrong with them.
    as_of_ms
        The moment up to which bars should be there; None does not ask for it.
    confirmed
        Ranges ``[start, end)`` in milliseconds of which the venue is known to have no bars.
    unreadable
        Rows that could not even be read.
    """
    times = columns.open_times_ms
    step = columns.timeframe.seconds * 1000
    aligned = times % step == 0
    distinct, where = np.unique(times[aligned], return_index=True)
    ordered = columns.select(np.flatnonzero(aligned)[where])
    gaps = _gaps(distinct, step)
    known = _overlaps(gaps, confirmed, step)
    last = int(distinct[-1]) if len(distinct) else None
    closed = None if as_of_ms is None or last is None else (as_of_ms - last) // step - 1
    zero = ordered.volume == 0
    return Measures(
        rows=len(times) + unreadable,
        bars=len(distinct),
        first_ms=int(distinct[0]) if len(distinct) else None,
        last_ms=last,
        gaps=tuple(gaps),
        confirmed=sum(run.bars for run in known),
        days=tuple(_days(distinct, gaps, known, columns.timeframe)),
        duplicates=len(times) - len(np.unique(times)),
        out_of_order=int((np.diff(times) < 0).sum()),
        misaligned=int((~aligned).sum()),
        **_row_faults(columns),
        jumps=tuple(_jumps(ordered, step)),
        spikes=tuple(_spikes(ordered)),
        zero_volume=int((columns.volume == 0).sum()),
        zero_runs=tuple(_zero_runs(distinct, zero, step)),
        behind=max(0, closed or 0),
        unreadable=unreadable,
    )


def _row_faults(columns: CandleColumns) -> dict[str, int]:
    prices = np.stack([columns.open, columns.high, columns.low, columns.close])
    with np.errstate(invalid="ignore"):
        ohlc = (columns.high < np.maximum(columns.open, columns.close)) | (
            columns.low > np.minimum(columns.open, columns.close)
        )
        nonpositive = (prices <= 0).any(axis=0)
    numbers = np.isfinite(prices).all(axis=0) & np.isfinite(columns.volume)
    return {
        "ohlc": int(ohlc.sum()),
        "nonpositive": int(nonpositive.sum()),
        "not_numbers": int((~numbers).sum()),
    }


def _gaps(times: Times, step: int) -> list[Run]:
    steps = np.diff(times) // step
    return [
        Run(int(times[position]) + step, int(steps[position]) - 1) for position in np.flatnonzero(steps > 1)
    ]


def _overlaps(gaps: Sequence[Run], ranges: Sequence[tuple[int, int]], step: int) -> list[Run]:
    """Return the parts of gaps that lie inside ranges; neither gaps nor ranges overlap each other."""
    parts: list[Run] = []
    ordered = sorted(ranges)
    first = 0
    for gap in gaps:
        end = gap.start_ms + gap.bars * step
        while first < len(ordered) and ordered[first][1] <= gap.start_ms:
            first += 1
        for low, high in islice(ordered, first, None):
            if low >= end:
                break
            start, stop = max(gap.start_ms, low), min(end, high)
            parts.append(Run(start, (stop - start) // step))
    return parts


def _days(times: Times, gaps: Sequence[Run], known: Sequence[Run], timeframe: Timeframe) -> list[Day]:
    """Count the missing bars of each UTC day that has some."""
    if not gaps:
        return []
    step = timeframe.seconds * 1000
    missing: dict[int, int] = {}
    for runs, sign in ((gaps, 1), (known, -1)):
        for run in runs:
            bars = run.start_ms + step * np.arange(run.bars, dtype=np.int64)
            for day, count in zip(*np.unique(bars // _DAY_MS, return_counts=True), strict=True):
                missing[int(day)] = missing.get(int(day), 0) + sign * int(count)
    first, last = int(times[0]), int(times[-1])
    days = []
    for day in sorted(day for day, count in missing.items() if count):
        start = max(day * _DAY_MS, first)
        end = min((day + 1) * _DAY_MS, last + step)
        days.append(Day(day * _DAY_MS, max(1, (end - start) // step), missing[day]))
    return days


def _jumps(bars: CandleColumns, step: int) -> list[Event]:
    close = bars.close
    with np.errstate(invalid="ignore", divide="ignore"):
        change = close[1:] / close[:-1] - 1
    far = np.isfinite(change) & (np.abs(change) > JUMP) & (np.diff(bars.open_times_ms) == step)
    return [
        Event(int(bars.open_times_ms[position + 1]), float(change[position]))
        for position in np.flatnonzero(far)
    ]


def _spikes(bars: CandleColumns) -> list[Event]:
    """Compare with the median of the block of bars that a bar lies in; bars without volume have no part in it."""
    found: list[Event] = []
    volume = np.where(np.isfinite(bars.volume), bars.volume, 0.0)
    edges = list(range(0, max(len(bars) - MEDIAN_BARS // 2, 1), MEDIAN_BARS))
    for start, stop in zip(edges, [*edges[1:], len(bars)], strict=True):
        block = volume[start:stop]
        traded = block[block > 0]
        if not len(traded):
            continue
        times = block / np.median(traded)
        found += [
            Event(int(bars.open_times_ms[start + position]), float(times[position]))
            for position in np.flatnonzero(times > SPIKE)
        ]
    return found


def _zero_runs(times: Times, zero: npt.NDArray[np.bool_], step: int) -> list[Run]:
    """Return runs of at least two adjacent bars without volume."""
    positions = np.flatnonzero(zero)
    if not len(positions):
        return []
    breaks = np.flatnonzero((np.diff(positions) > 1) | (np.diff(times[positions]) != step)) + 1
    return [Run(int(times[run[0]]), len(run)) for run in np.split(positions, breaks) if len(run) > 1]
