"""Splits by time: what is learnt from lies apart from what is judged on, labels and all.

Rows are purged by the moment their label was known, not by a number of rows, so that gaps and labels that end early or
late (barriers) are treated as what they are. Every split has passed the guard.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.dataset.guard import refuse_overlap

__all__ = [
    "Fold",
    "Split",
    "combinatorial_purged",
    "expanding",
    "purged_folds",
    "split_by_time",
    "walk_forward",
]

Mask = NDArray[np.bool_]
Period = tuple[pd.Timestamp, pd.Timestamp]
"""From the first open time, included, to the last, excluded."""


@dataclass(frozen=True, slots=True)
class Split:
    """Two disjoint sets of rows (boolean masks on the same index)."""

    train: Mask
    validation: Mask
    boundary: pd.Timestamp
    """Open time of the first validation bar."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One of several splits.

    Attributes
    ----------
    train, test
        Boolean masks on the rows.
    periods
        Where it is tested, in order; each from an open time to another, that one excluded.
    paths
        For each period: to which way through the whole data it belongs, where there are several (combinatorial).
    """

    train: Mask
    test: Mask
    periods: tuple[Period, ...]
    paths: tuple[int, ...] = ()


def split_by_time(
    known_at: pd.Series, timeframe: Timeframe, *, validation_share: float, embargo_bars: int
) -> Split:
    """Split rows at one instant for all symbols.

    The newest ``validation_share`` of the bar times validates. A row trains only if its label was known when
    the first validation bar opened (purge) and it opened more than ``embargo_bars`` bars before (embargo).

    Parameters
    ----------
    known_at
        When each row's label became known; indexed by (symbol, datetime = bar open time).
    """
    times = _times(known_at)
    boundary = times[min(int(len(times) * (1.0 - validation_share)), len(times) - 1)]
    fold = _fold(
        known_at, timeframe, [(boundary, times[-1] + timeframe.delta)], embargo_bars, before_only=True
    )
    return Split(train=fold.train, validation=fold.test, boundary=boundary)


def walk_forward(
    known_at: pd.Series,
    timeframe: Timeframe,
    *,
    train_bars: int,
    test_bars: int,
    step_bars: int | None = None,
    embargo_bars: int = 0,
    anchored: bool = False,
) -> list[Fold]:
    """Train on a window of fixed length, test on the bars after it, move on by ``step_bars`` (by default the test).

    Lengths are of the calendar: bars that are missing count. The last test may be shorter. With ``anchored`` tests
    begin at bars whose number since 1970 is a multiple of the step, so that they stay where they are as history grows.

    Raises
    ------
    ConfigError
        If the rows are too few for one fold.
    """
    return list(
        _walk(
            known_at,
            timeframe,
            (train_bars, test_bars, step_bars or test_bars),
            embargo_bars,
            whole=False,
            anchored=anchored,
        )
    )


def expanding(
    known_at: pd.Series,
    timeframe: Timeframe,
    *,
    train_bars: int,
    test_bars: int,
    step_bars: int | None = None,
    embargo_bars: int = 0,
    anchored: bool = False,
) -> list[Fold]:
    """Train on everything before the test, at least ``train_bars`` bars; else as `walk_forward`."""
    return list(
        _walk(
            known_at,
            timeframe,
            (train_bars, test_bars, step_bars or test_bars),
            embargo_bars,
            whole=True,
            anchored=anchored,
        )
    )


def purged_folds(
    known_at: pd.Series, timeframe: Timeframe, *, folds: int, embargo_bars: int = 0
) -> list[Fold]:
    """Test on each of ``folds`` equal periods in turn and train on all others, before and after.

    Rows whose label overlaps a test row's are left out of training, and so are ``embargo_bars`` bars on either side.

    Raises
    ------
    ConfigError
        If there are fewer bar times than folds.
    """
    return [
        _fold(known_at, timeframe, [period], embargo_bars)
        for period in _equal_periods(known_at, timeframe, folds)
    ]


def combinatorial_purged(
    known_at: pd.Series, timeframe: Timeframe, *, folds: int, test_folds: int, embargo_bars: int = 0
) -> list[Fold]:
    """Test on every choice of ``test_folds`` out of ``folds`` equal periods (López de Prado).

    Each period is tested several times; `Fold.paths` says which predictions together make one way through the data.

    Raises
    ------
    ConfigError
        If there are fewer bar times than folds, or ``test_folds`` is not from 2 to below ``folds``.
    """
    periods = _equal_periods(known_at, timeframe, folds)
    if not 2 <= test_folds < folds:
        raise ConfigError(f"expected 2 to {folds - 1} test folds of {folds}, found {test_folds!r}")
    tested_before = [0] * folds
    result = []
    for tested in combinations(range(folds), test_folds):
        fold = _fold(known_at, timeframe, [periods[place] for place in tested], embargo_bars)
        result.append(
            Fold(fold.train, fold.test, fold.periods, tuple(tested_before[place] for place in tested))
        )
        for place in tested:
            tested_before[place] += 1
    return result


def _walk(
    known_at: pd.Series,
    timeframe: Timeframe,
    bars: tuple[int, int, int],
    embargo_bars: int,
    *,
    whole: bool,
    anchored: bool,
) -> Iterator[Fold]:
    train_bars, test_bars, step_bars = bars
    if min(bars) < 1:
        raise ConfigError(f"expected at least one bar to train, to test and to step, found {bars!r}")
    times = _times(known_at)
    end = times[-1] + timeframe.delta
    start = times[0] + train_bars * timeframe.delta
    if anchored:
        start = start.ceil(step_bars * timeframe.delta)
    if start >= end:
        raise ConfigError(
            f"expected more than {train_bars} bars to train on and some to test, "
            f"found {(end - times[0]) // timeframe.delta} from {times[0].isoformat()} on"
        )
    while start < end:
        earliest = None if whole else start - train_bars * timeframe.delta
        period = (start, min(start + test_bars * timeframe.delta, end))
        if ((times >= period[0]) & (times < period[1])).any():
            yield _fold(known_at, timeframe, [period], embargo_bars, before_only=True, earliest=earliest)
        start = start + step_bars * timeframe.delta


def _fold(
    known_at: pd.Series,
    timeframe: Timeframe,
    periods: Sequence[Period],
    embargo_bars: int,
    *,
    before_only: bool = False,
    earliest: pd.Timestamp | None = None,
) -> Fold:
    """Test on the periods; train on the rows that share nothing with them and keep the embargo."""
    opened = pd.DatetimeIndex(known_at.index.get_level_values(1))
    known = pd.DatetimeIndex(known_at)
    labelled = ~np.asarray(known.isna())
    embargo = embargo_bars * timeframe.delta
    test = np.zeros(len(opened), dtype=bool)
    train = labelled.copy()
    for start, end in periods:
        inside = np.asarray((opened >= start) & (opened < end)) & labelled
        test |= inside
        last = known[inside].max() if inside.any() else end
        apart = np.asarray((known <= start) & (opened < start - embargo))
        if not before_only:
            apart |= np.asarray(opened >= max(last, end) + embargo)
        train &= apart
    if earliest is not None:
        train &= np.asarray(opened >= earliest)
    refuse_overlap(known_at, train, test)
    return Fold(train, test, tuple(periods))


def _equal_periods(known_at: pd.Series, timeframe: Timeframe, folds: int) -> list[Period]:
    times = _times(known_at)
    if not 2 <= folds <= len(times):
        raise ConfigError(f"expected 2 to {len(times)} folds of {len(times)} bar times, found {folds!r}")
    edges = [times[len(times) * fold // folds] for fold in range(folds)]
    return list(zip(edges, [*edges[1:], times[-1] + timeframe.delta], strict=True))


def _times(known_at: pd.Series) -> pd.DatetimeIndex:
    times = pd.DatetimeIndex(known_at.index.get_level_values(1)).unique().sort_values()
    if not len(times):
        raise ConfigError("expected rows with labels to split, found none")
    return times
