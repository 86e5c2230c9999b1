from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from quantbus_research.labels import direction, forward_return
from tests.unit.research.panels import BTC, MINUTE, make_panel, make_series, panel_of

HORIZON = 3


def test_a_label_is_the_return_to_the_close_of_a_later_bar() -> None:
    series = make_series(20)
    moved = forward_return(panel_of(BTC=series), MINUTE, HORIZON)
    expected = series["close"].iloc[7] / series["close"].iloc[4] - 1
    assert moved.values.iloc[4] == pytest.approx(expected, rel=1e-12)


def test_a_label_is_known_when_the_bar_it_looks_at_has_closed() -> None:
    panel = make_panel(20)
    moved = forward_return(panel, MINUTE, HORIZON)
    opened = panel.index.get_level_values(1)
    wait = (moved.known_at - pd.Series(opened, index=panel.index)).dropna().unique()
    assert list(wait) == [pd.Timedelta(minutes=HORIZON + 1)]
    assert (moved.known_at.isna() == moved.values.isna()).all()
    assert moved.values.loc[BTC].tail(HORIZON).isna().all()


@pytest.mark.parametrize("label", [forward_return, direction])
def test_a_label_known_by_now_needs_no_bar_that_closes_later(label: type) -> None:
    panel = make_panel(60)
    times = panel.index.get_level_values(1)
    for last in (10, 30, 45):
        newest = times.unique()[last]
        now = newest + timedelta(minutes=1)
        seen = panel[times <= newest]
        known_then = label(panel, MINUTE, HORIZON).known_by(now).loc[seen.index]
        pd.testing.assert_series_equal(
            label(seen, MINUTE, HORIZON).values, known_then, check_exact=True, check_names=False
        )


def test_a_planted_label_that_is_known_too_early_is_caught() -> None:
    panel = make_panel(60)
    honest = forward_return(panel, MINUTE, HORIZON)
    times = panel.index.get_level_values(1)
    newest = times.unique()[30]
    seen = panel[times <= newest]
    early = honest.values.where(honest.known_at - timedelta(minutes=1) <= newest + timedelta(minutes=1))
    with pytest.raises(AssertionError):
        pd.testing.assert_series_equal(
            forward_return(seen, MINUTE, HORIZON).values, early.loc[seen.index], check_exact=True
        )


def test_there_is_no_label_across_a_gap() -> None:
    series = make_series(20)
    gappy = series.drop(series.index[10])
    moved = forward_return(panel_of(BTC=gappy), MINUTE, HORIZON).values.droplevel(0)
    assert moved.loc[series.index[7:10]].isna().all()
    assert np.isfinite(moved.loc[series.index[6]])
    assert np.isfinite(moved.loc[series.index[11]])


def test_a_bar_that_does_not_move_counts_as_not_rising() -> None:
    flat = make_series(10).assign(close=1.0)
    rises = direction(panel_of(BTC=flat), MINUTE, 1).values
    assert list(rises.dropna().unique()) == [0.0]


def test_the_last_bar_of_one_symbol_does_not_look_at_another_symbol() -> None:
    moved = forward_return(make_panel(20), MINUTE, HORIZON)
    alone = forward_return(make_panel(20).loc[[BTC]], MINUTE, HORIZON)
    pd.testing.assert_series_equal(moved.values.loc[[BTC]], alone.values, check_exact=True)


def test_a_horizon_of_no_bars_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one bar"):
        forward_return(make_panel(5), MINUTE, 0)
