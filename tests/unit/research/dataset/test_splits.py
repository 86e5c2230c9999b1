from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.dataset import (
    Fold,
    combinatorial_purged,
    expanding,
    overlapping,
    purged_folds,
    refuse_overlap,
    walk_forward,
)
from quantbus_research.labels import forward_return, triple_barrier
from tests.unit.research.factor_panels import gappy_panel
from tests.unit.research.panels import BTC, MINUTE, make_panel

HORIZON, EMBARGO = 5, 7

SPLITS: dict[str, Callable[[pd.Series], list[Fold]]] = {
    "walk forward": lambda known: walk_forward(
        known, MINUTE, train_bars=80, test_bars=40, embargo_bars=EMBARGO
    ),
    "expanding": lambda known: expanding(known, MINUTE, train_bars=80, test_bars=40, embargo_bars=EMBARGO),
    "purged folds": lambda known: purged_folds(known, MINUTE, folds=5, embargo_bars=EMBARGO),
    "combinatorial": lambda known: combinatorial_purged(
        known, MINUTE, folds=6, test_folds=2, embargo_bars=EMBARGO
    ),
}
LABELS: dict[str, pd.Series] = {
    "returns": forward_return(make_panel(300), MINUTE, HORIZON).known_at.dropna(),
    "barriers": triple_barrier(make_panel(300), MINUTE, 20, up=0.002, down=0.002).known_at.dropna(),
    "gaps": forward_return(gappy_panel(300), MINUTE, HORIZON).known_at.dropna(),
}
every_split = pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
every_label = pytest.mark.parametrize("known_at", LABELS.values(), ids=LABELS)


@every_split
@every_label
def test_no_training_label_shares_a_moment_with_a_test_label(
    split: Callable[[pd.Series], list[Fold]], known_at: pd.Series
) -> None:
    opened = pd.DatetimeIndex(known_at.index.get_level_values(1))
    folds = split(known_at)
    assert len(folds) >= 4
    for fold in folds:
        assert fold.train.any()
        assert fold.test.any()
        assert not (fold.train & fold.test).any()
        for start, end in fold.periods:
            inside = np.asarray((opened >= start) & (opened < end))
            assert fold.test[inside].all()
            reach = known_at[inside].max()
            begins, ends = opened[fold.train], pd.DatetimeIndex(known_at[fold.train])
            assert ((ends <= start) | (begins >= reach)).all()
            gap = EMBARGO * MINUTE.delta
            assert ((begins < start - gap) | (begins >= reach + gap)).all()
        assert not overlapping(known_at, fold.train, fold.test).any()


@every_label
def test_walking_forward_tests_every_later_bar_once_and_trains_on_the_past_only(known_at: pd.Series) -> None:
    opened = pd.DatetimeIndex(known_at.index.get_level_values(1))
    folds = SPLITS["walk forward"](known_at)
    tested = np.sum([fold.test for fold in folds], axis=0)
    assert (tested == np.asarray(opened >= folds[0].periods[0][0])).all()
    for fold, other in pairwise(folds):
        assert fold.periods[0][1] == other.periods[0][0]
    for fold in folds:
        start = fold.periods[0][0]
        assert known_at[fold.train].max() <= start
        assert opened[fold.train].min() >= start - 80 * MINUTE.delta


def test_an_expanding_window_forgets_nothing() -> None:
    folds = SPLITS["expanding"](LABELS["returns"])
    for fold, other in pairwise(folds):
        assert (other.train >= fold.train).all()
        assert other.train.sum() > fold.train.sum()


def test_a_step_of_its_own_moves_the_window() -> None:
    known = LABELS["returns"]
    folds = walk_forward(known, MINUTE, train_bars=80, test_bars=40, step_bars=10)
    starts = [fold.periods[0][0] for fold in folds]
    assert all(other - one == 10 * MINUTE.delta for one, other in pairwise(starts))


def test_purged_folds_test_every_row_once() -> None:
    folds = SPLITS["purged folds"](LABELS["gaps"])
    assert (np.sum([fold.test for fold in folds], axis=0) == 1).all()


def test_every_path_of_the_combinatorial_folds_leads_through_all_data_once() -> None:
    known_at = LABELS["returns"]
    opened = pd.DatetimeIndex(known_at.index.get_level_values(1))
    folds = SPLITS["combinatorial"](known_at)
    assert len(folds) == 15
    ways: dict[int, list[np.ndarray]] = {}
    for fold in folds:
        for path, (start, end) in zip(fold.paths, fold.periods, strict=True):
            ways.setdefault(path, []).append(np.asarray((opened >= start) & (opened < end)))
    assert sorted(ways) == [0, 1, 2, 3, 4]
    for parts in ways.values():
        assert (np.sum(parts, axis=0) == 1).all()


@pytest.mark.proof
def test_combinatorial_folds_are_those_of_skfolio() -> None:
    from skfolio.model_selection import CombinatorialPurgedCV

    known_at = forward_return(make_panel(300).loc[[BTC]], MINUTE, HORIZON).known_at.dropna()
    theirs = CombinatorialPurgedCV(n_folds=5, n_test_folds=2, purged_size=HORIZON, embargo_size=EMBARGO)
    ours = combinatorial_purged(known_at, MINUTE, folds=5, test_folds=2)
    wide = combinatorial_purged(known_at, MINUTE, folds=5, test_folds=2, embargo_bars=EMBARGO)
    split = list(theirs.split(np.zeros((len(known_at), 1))))
    assert len(split) == len(ours) == theirs.n_splits
    for number, (fold, wider, (train, tests)) in enumerate(zip(ours, wide, split, strict=True)):
        assert sorted(np.flatnonzero(fold.test)) == sorted(np.concatenate(tests))
        rows = set(train)
        assert rows <= set(np.flatnonzero(fold.train))
        assert rows >= set(np.flatnonzero(wider.train))
        mine = {(place, path) for place, path in zip(theirs.test_set_index[number], fold.paths, strict=True)}
        assert mine == {tuple(pair) for pair in np.argwhere(theirs.recombined_paths == number)}


def test_too_few_rows_and_meaningless_numbers_are_refused() -> None:
    known = LABELS["returns"]
    with pytest.raises(ConfigError, match="more than 300 bars to train"):
        walk_forward(known, MINUTE, train_bars=300, test_bars=10)
    with pytest.raises(ConfigError, match="at least one bar"):
        walk_forward(known, MINUTE, train_bars=30, test_bars=0)
    with pytest.raises(ConfigError, match="folds of 295 bar times"):
        purged_folds(known, MINUTE, folds=1)
    with pytest.raises(ConfigError, match="rows with labels"):
        purged_folds(known.iloc[:0], MINUTE, folds=3)
    with pytest.raises(ConfigError, match="2 to 3 test folds"):
        combinatorial_purged(known, MINUTE, folds=4, test_folds=1)


def masks(known_at: pd.Series, boundary: int) -> tuple[np.ndarray, np.ndarray]:
    opened = pd.DatetimeIndex(known_at.index.get_level_values(1))
    start = opened.unique()[boundary]
    return np.asarray(opened < start), np.asarray(opened >= start)


def test_the_guard_refuses_a_split_without_a_purge_and_names_a_row() -> None:
    known_at = LABELS["returns"]
    train, test = masks(known_at, 100)
    with pytest.raises(
        ConfigError, match=r"but 10 rows overlap: .*BTCUSDT at 2026-01-05T01:35:00\+00:00 has a label"
    ):
        refuse_overlap(known_at, train, test)
    refuse_overlap(known_at, train & (known_at <= known_at.index[100][1]).to_numpy(), test)


def test_the_guard_refuses_rows_in_both_parts_and_rows_without_a_label() -> None:
    known_at = LABELS["returns"]
    train, _ = masks(known_at, 50)
    with pytest.raises(ConfigError, match="trains and tests"):
        refuse_overlap(known_at, train, train)
    _, test = masks(known_at, 200)
    with pytest.raises(ConfigError, match="no label"):
        refuse_overlap(known_at.mask(train), train, test)


def test_the_guard_says_what_comparing_every_pair_says() -> None:
    random = np.random.default_rng(4)
    known_at = LABELS["barriers"].iloc[::3]
    begins = pd.DatetimeIndex(known_at.index.get_level_values(1)).asi8
    ends = pd.DatetimeIndex(known_at).as_unit("ms").asi8
    for _ in range(20):
        part = random.integers(0, 3, len(known_at)) * (random.random(len(known_at)) < 0.2)
        train, test = part == 1, part == 2
        pairs = (begins[:, None] < ends[test]) & (ends[:, None] > begins[test])
        assert (overlapping(known_at, train, test) == (pairs.any(axis=1) & train)).all()
