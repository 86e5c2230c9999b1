"""Gap flags for frames: which bars have a look-back that crosses missing bars."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from quantbus_contracts.schema import BROKEN_GAPS, Gap, GapState
from quantbus_contracts.timeframe import Timeframe

__all__ = ["FLAGS", "GapSource", "gap_flags", "with_gap_flags"]

FLAGS = ("none", "empty", "open")
"""No missing bar in the look-back; only such as the venue has none of; such as may exist."""
_EMPTY, _OPEN = 1, 2
Span = tuple[pd.Timestamp, pd.Timestamp]


class GapSource(Protocol):
    """Where known gaps come from; `quantbus_contracts.mongo.gaps.GapStore` is one."""

    def find(
        self, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime | None
    ) -> list[Gap]:
        """Return the gaps of a series that touch ``[start, end)``."""
        ...


def with_gap_flags(
    frame: pd.DataFrame, source: GapSource, timeframe: Timeframe, *, lookback_bars: int
) -> pd.DataFrame:
    """Return ``frame`` with a further column ``gap``, see `gap_flags`; what is known is read from ``source``."""
    if frame.empty:
        return frame.assign(gap=gap_flags(frame, [], timeframe, lookback_bars=lookback_bars))
    times = frame.index.get_level_values(1)
    start = times.min().to_pydatetime() - lookback_bars * timeframe.delta
    end = times.max().to_pydatetime()
    symbols = frame.index.get_level_values(0).unique()
    known = [gap for symbol in symbols for gap in source.find(str(symbol), timeframe, start, end)]
    return frame.assign(gap=gap_flags(frame, known, timeframe, lookback_bars=lookback_bars))


def gap_flags(
    frame: pd.DataFrame, known: Iterable[Gap], timeframe: Timeframe, *, lookback_bars: int
) -> pd.Series:
    """Say of each bar what is missing among it and the ``lookback_bars - 1`` bars before it.

    Inside the frame its own holes count, and of what is ``known`` only which of them the venue has confirmed. Before
    a symbol's first row, where the frame cannot tell a hole from the start of the range, the known gaps count.

    Returns
    -------
    Series (n_bars,)
        Categorical `FLAGS` on the index of ``frame``, which is (symbol, bar open time).
    """
    if lookback_bars < 1:
        raise ValueError(f"lookback_bars: expected at least 1, found {lookback_bars}")
    gaps: dict[str, list[Gap]] = {}
    for gap in known:
        if gap.timeframe == timeframe.name:
            gaps.setdefault(gap.symbol, []).append(gap)
    codes = np.zeros(len(frame), dtype=np.int8)
    symbols = frame.index.get_level_values(0)
    for symbol, positions in pd.Series(np.arange(len(frame))).groupby(np.asarray(symbols, dtype=object)):
        rows = positions.to_numpy()
        times = pd.DatetimeIndex(frame.index.get_level_values(1)[rows])
        codes[rows] = _codes(times, gaps.get(str(symbol), []), timeframe, lookback_bars)
    flags = pd.Categorical.from_codes(codes, categories=pd.Index(FLAGS), ordered=True)
    return pd.Series(flags, index=frame.index, name="gap")


def _codes(
    times: pd.DatetimeIndex, gaps: Sequence[Gap], timeframe: Timeframe, lookback_bars: int
) -> npt.NDArray[np.int8]:
    step = pd.Timedelta(timeframe.delta)
    first = times[0]
    confirmed = [_span(gap) for gap in gaps if gap.state is GapState.EMPTY]
    broken = [_span(gap) for gap in gaps if gap.state in BROKEN_GAPS]
    empty = [(start, min(end, first)) for start, end in confirmed if start < first]
    opened = [(start, min(end, first)) for start, end in broken if start < first]
    for position in np.flatnonzero(np.diff(times.to_numpy()) > step.to_timedelta64()).tolist():
        hole = (times[position] + step, times[position + 1])
        unexplained = _without(hole, confirmed)
        opened += unexplained
        empty += _without(hole, unexplained)
    codes = np.zeros(len(times), dtype=np.int8)
    for spans, code in ((empty, _EMPTY), (opened, _OPEN)):
        for start, end in spans:
            # The look-back of t reaches from t back by lookback_bars - 1 bars.
            low, high = times.searchsorted(start), times.searchsorted(end + (lookback_bars - 1) * step)
            np.maximum(codes[low:high], code, out=codes[low:high])
    return codes


def _span(gap: Gap) -> Span:
    return pd.Timestamp(gap.start), pd.Timestamp(gap.end)


def _without(hole: Span, spans: Sequence[Span]) -> list[Span]:
    """Return what of a hole no span covers."""
    left: list[Span] = []
    cursor, end = hole
    for start, stop in sorted(spans):
        if stop <= cursor or start >= end:
            continue
        if start > cursor:
            left.append((cursor, start))
        cursor = max(cursor, stop)
    if cursor < end:
        left.append((cursor, end))
    return left
