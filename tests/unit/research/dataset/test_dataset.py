from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from quantbus_contracts.market import Snapshot
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.dataset import (
    TooFewBars,
    build_table,
    has_unbroken_history,
    keep_panel,
    load_panel,
    panel_query,
    require_history,
    snapshot_id,
    split_by_time,
)
from quantbus_research.labels import direction
from tests.unit.research.panels import BTC, MINUTE, START, altered, make_panel, make_series, panel_of
from tests.unit.research.recipes import make_recipe


def test_a_panel_holds_only_bars_that_are_closed() -> None:
    asked: list[tuple[datetime, datetime]] = []

    def source(_symbols: object, _frame: Timeframe, start: datetime, end: datetime) -> pd.DataFrame:
        asked.append((start, end))
        return make_panel(1)

    instruments = make_recipe().market.instruments
    load_panel(source, instruments, MINUTE, as_of=START + timedelta(minutes=9, seconds=59), bars=5)
    load_panel(source, instruments, MINUTE, as_of=START + timedelta(minutes=10), bars=5)
    assert asked == [
        (START + timedelta(minutes=4), START + timedelta(minutes=9)),
        (START + timedelta(minutes=5), START + timedelta(minutes=10)),
    ]


def test_a_gap_breaks_the_history_of_the_bars_after_it() -> None:
    series = make_series(12)
    whole = has_unbroken_history(panel_of(BTC=series.drop(series.index[5])), MINUTE, 3).droplevel(0)
    assert list(whole[whole].index) == [*series.index[2:5], *series.index[8:]]


def test_equal_data_have_one_snapshot_id_and_other_data_another() -> None:
    panel = make_panel(20)
    asked = panel_query(
        make_recipe().market.instruments, MINUTE, as_of=START + timedelta(minutes=20), bars=20
    )
    assert snapshot_id(panel, asked) == snapshot_id(make_panel(20), asked)
    changed = altered(panel, BTC, START, close=float(panel["close"].iloc[0]) + 1e-9)
    assert snapshot_id(changed, asked) != snapshot_id(panel, asked)
    assert snapshot_id(panel.iloc[:-1], asked) != snapshot_id(panel, asked)


def test_a_kept_panel_is_the_panel_and_can_be_opened_by_its_id(tmp_path: Path) -> None:
    panel = make_panel(20)
    asked = panel_query(
        make_recipe().market.instruments, MINUTE, as_of=START + timedelta(minutes=20), bars=20
    )
    kept = keep_panel(panel, asked, tmp_path, now=START)
    columns = list(kept.columns)
    assert kept.to_numpy().tolist() == panel[columns].to_numpy().tolist()
    assert list(kept.index) == list(panel.index)
    held = Snapshot.open(tmp_path / snapshot_id(panel, asked))
    held.verify()
    assert held.table().equals(kept)


def test_no_training_label_reaches_into_the_validation_period() -> None:
    panel = make_panel(100)
    labels = direction(panel, MINUTE, 4)
    known_at = labels.known_at.dropna()
    split = split_by_time(known_at, MINUTE, validation_share=0.25, embargo_bars=6)
    opened = known_at.index.get_level_values(1)
    assert (known_at[split.train] <= split.boundary).all()
    assert opened[split.train].max() < split.boundary - 6 * MINUTE.delta
    assert opened[split.validation].min() == split.boundary
    assert not (split.train & split.validation).any()


def test_without_an_embargo_rows_whose_label_is_not_known_yet_are_still_purged() -> None:
    panel = make_panel(100)
    known_at = direction(panel, MINUTE, 4).known_at.dropna()
    split = split_by_time(known_at, MINUTE, validation_share=0.25, embargo_bars=0)
    opened = known_at.index.get_level_values(1)
    assert opened[split.train].max() == split.boundary - 5 * MINUTE.delta


def test_a_training_row_has_every_factor_a_known_label_and_no_gap() -> None:
    recipe = make_recipe()
    series = make_series(200)
    panel = panel_of(BTC=series.drop(series.index[100]), ETH=make_series(200, seed=3))
    as_of = series.index[150] + MINUTE.delta
    table = build_table(panel, recipe, as_of.to_pydatetime())
    assert table.features.notna().all(axis=None)
    assert (table.known_at <= as_of).all()
    assert set(table.direction.unique()) == {0.0, 1.0}
    opened = table.features.loc[BTC].index
    look_back, horizon = 60, 2
    assert opened.min() == series.index[look_back - 1]
    # One bar is missing, so nothing between the horizon before it and the look-back after it is whole.
    inside = (opened >= series.index[99]) & (opened < series.index[100 + look_back])
    assert not inside.any()
    assert opened.max() == series.index[100 - horizon - 1]
    eth = table.features.loc["BINANCE:ETHUSDT"].index
    assert eth.max() == series.index[150 - horizon]


def test_too_little_history_is_refused_with_the_pair_and_the_count() -> None:
    panel = panel_of(BTC=make_series(200), ETH=make_series(30))
    with pytest.raises(
        TooFewBars, match=r"at least 100 1m bars .* closed by 2026-01-05 00:00 UTC .* but ETH/USDT has 30;"
    ):
        require_history(panel, make_recipe(), START)
    with pytest.raises(TooFewBars, match="BTC/USDT has 0, ETH/USDT has 0"):
        require_history(panel.iloc[:0], make_recipe(), START)
