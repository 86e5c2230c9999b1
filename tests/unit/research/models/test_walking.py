import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.factors import compute
from quantbus_research.labels import direction, forward_return
from quantbus_research.models import Walked, walked
from quantbus_research.settings import ModelSettings
from tests.unit.research.panels import MINUTE, make_panel

FACTORS = ("log_return_1", "rsi_14", "volume_zscore_30")
SETTINGS = ModelSettings(rounds=5, leaves=4, min_rows_in_leaf=5, retrain_bars=1)
HORIZON = 3


def walk(panel: pd.DataFrame, *, jobs: int = 1, keep_all: bool = False, **given: int) -> Walked:
    features = compute(panel, FACTORS).dropna()
    rises, moved = direction(panel, MINUTE, HORIZON), forward_return(panel, MINUTE, HORIZON)
    index = features.index
    return walked(
        features,
        rises.values.reindex(index),
        moved.values.reindex(index),
        rises.known_at.reindex(index),
        SETTINGS,
        MINUTE,
        train_bars=given.get("train_bars", 100),
        test_bars=given.get("test_bars", 40),
        keep_all=keep_all,
        jobs=jobs,
    )


def test_every_bar_after_the_first_training_is_predicted_once_up_to_the_newest() -> None:
    panel = make_panel(300)
    scores = walk(panel).scores
    times = pd.DatetimeIndex(panel.index.get_level_values(1).unique())
    first = compute(panel, FACTORS).dropna().index.get_level_values(1).min()
    expected = times[times >= (first + 100 * MINUTE.delta).ceil("40min")]
    assert scores.index.is_unique
    for symbol in panel.index.get_level_values(0).unique():
        assert pd.DatetimeIndex(scores[symbol].index).equals(expected)
    assert scores.between(-1, 1).all()


@pytest.mark.parametrize("keep_all", [False, True])
def test_no_score_changes_when_what_comes_after_its_stretch_does(keep_all: bool) -> None:
    panel = make_panel(300)
    whole = walk(panel, keep_all=keep_all)
    cut = whole.folds[2].end
    opened = panel.index.get_level_values(1)
    other = panel.copy()
    later = np.asarray(opened >= cut)
    other.loc[later, ["open", "high", "low", "close"]] *= 3.0
    before = whole.scores.index.get_level_values(1) < cut
    pd.testing.assert_series_equal(walk(other, keep_all=keep_all).scores[before], whole.scores[before])
    short = walk(panel[~later], keep_all=keep_all).scores
    pd.testing.assert_series_equal(short, whole.scores[before])


def test_what_a_model_learns_was_known_when_its_stretch_began() -> None:
    panel = make_panel(300)
    told = walk(panel)
    symbols = 2
    assert told.folds[0].rows_train == symbols * (100 - HORIZON)
    assert told.folds[1].rows_train == told.folds[0].rows_train
    grown = walk(panel, keep_all=True)
    assert grown.folds[0].rows_train >= told.folds[0].rows_train
    assert grown.folds[1].rows_train == grown.folds[0].rows_train + symbols * 40


def test_stretches_stay_where_they_are_as_history_grows() -> None:
    panel = make_panel(300)
    later = panel[panel.index.get_level_values(1) >= panel.index.get_level_values(1)[37]]
    starts = {fold.start for fold in walk(panel).folds}
    assert {fold.start for fold in walk(later).folds} < starts
    assert all(start.timestamp() % (40 * 60) == 0 for start in starts)


def test_the_newest_model_is_the_one_that_spoke_last() -> None:
    panel = make_panel(300)
    told, features = walk(panel), compute(panel, FACTORS).dropna()
    last = told.scores[told.scores.index.get_level_values(1) >= told.folds[-1].start]
    said = 2.0 * told.newest.predict(features.loc[last.index]) - 1.0
    assert said.tobytes() == last.to_numpy().tobytes()


def test_stretches_fitted_at_the_same_time_give_the_same_bits() -> None:
    panel = make_panel(300)
    alone, together = walk(panel), walk(panel, jobs=3)
    assert alone.scores.to_numpy().tobytes() == together.scores.to_numpy().tobytes()
    assert alone.folds == together.folds


def test_too_little_history_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected more than 100 bars to train on"):
        walk(make_panel(120))
