import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests import Account, at_turns, simulate, top_k, top_k_drop_n
from tests.unit.research.backtests.ground import market
from tests.unit.research.panels import MINUTE, START

TIMES = pd.date_range(START, periods=3, freq="1min")


def scores(*rows: list[float]) -> pd.Series:
    table = pd.DataFrame(list(rows), index=TIMES[: len(rows)], columns=list("ABCD"))
    return stacked(table)


def stacked(table: pd.DataFrame) -> pd.Series:
    rows = table.T.stack(future_stack=True)
    assert isinstance(rows, pd.Series)
    return rows


def held(targets: pd.DataFrame) -> list[str]:
    return ["".join(targets.columns[row > 0]) for row in targets.to_numpy()]


def test_the_best_are_held_in_equal_parts() -> None:
    targets = top_k(scores([1, 4, 3, 2], [4, 1, 2, 3]), 2)
    assert targets.to_numpy().tolist() == [[0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5]]


def test_long_and_short_sides_have_half_each() -> None:
    targets = top_k(scores([1, 4, 3, 2]), 1, short=True)
    assert targets.to_numpy().tolist() == [[-0.5, 0.5, 0, 0]]
    assert (top_k(scores([1, 4, np.nan, np.nan]), 2, short=True) == 0).all(axis=None)


def test_between_two_choices_nothing_is_said() -> None:
    targets = top_k(scores([1, 4, 3, 2], [4, 1, 2, 3], [4, 1, 2, 3]), 2, every=2)
    assert targets.isna().all(axis=1).tolist() == [False, True, False]


def test_a_symbol_without_a_score_is_not_held_and_equal_scores_go_by_name() -> None:
    assert held(top_k(scores([np.nan, 1, 1, 1]), 2)) == ["BC"]


def test_at_most_n_are_exchanged_at_a_time() -> None:
    rows: list[list[float]] = [[4, 3, 2, 1], [1, 2, 3, 4], [1, 2, 3, 4]]
    assert held(top_k_drop_n(scores(*rows), 2, 1)) == ["AB", "BD", "CD"]
    assert held(top_k_drop_n(scores(*rows), 2, 2)) == ["AB", "CD", "CD"]


def test_who_is_good_enough_stays() -> None:
    assert held(top_k_drop_n(scores([4, 3, 2, 1], [4, 3, 2, 1]), 2, 1)) == ["AB", "AB"]


def test_a_held_symbol_that_loses_its_score_goes_first() -> None:
    assert held(top_k_drop_n(scores([4, 3, 2, 1], [np.nan, 1, 2, 3]), 2, 1)) == ["AB", "BD"]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 9_999), st.integers(1, 3), st.integers(1, 3))
def test_no_more_than_k_are_held_and_no_more_than_n_are_left(seed: int, k: int, n: int) -> None:
    random = np.random.default_rng(seed)
    table = pd.DataFrame(random.normal(size=(20, 6)), columns=list("ABCDEF"))
    table.index = pd.date_range(START, periods=20, freq="1min")
    targets = top_k_drop_n(stacked(table), k, n).to_numpy() > 0
    assert (targets.sum(axis=1) == k).all()
    assert ((targets[:-1] & ~targets[1:]).sum(axis=1) <= n).all()


def test_a_portfolio_of_the_best_trades_from_one_balance() -> None:
    panel = market(3)
    ranked = pd.Series(np.random.default_rng(0).normal(size=len(panel)), index=panel.index)
    result = simulate(panel, top_k(ranked, 2), timeframe=MINUTE, account=Account(shared=True))
    assert result.worth.shape == (1, 40)
    assert (np.count_nonzero(result.values[:, 1:], axis=0) == 2).all()


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 0)])
def test_numbers_below_one_are_refused(k: int, n: int) -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        top_k_drop_n(scores([1, 2, 3, 4]), k, n)


def test_a_choice_is_made_at_the_same_bars_whatever_history_is_loaded() -> None:
    hour = Timeframe.parse("1h")
    times = pd.date_range("2024-03-01 05:00", periods=60, freq="1h", tz="UTC")
    index = pd.MultiIndex.from_product([["A", "B"], times], names=["symbol", "datetime"])
    given_scores = pd.Series(range(120), index=index, dtype=float)
    turns = at_turns(given_scores, hour, 24)
    midnights = [moment for moment in times if moment.hour == 0]
    assert sorted(set(turns.index.get_level_values(1))) == midnights
    later = given_scores[index.get_level_values(1) >= times[7]]
    pd.testing.assert_series_equal(at_turns(later, hour, 24), turns)
    pd.testing.assert_series_equal(at_turns(given_scores, hour, 1), given_scores)
