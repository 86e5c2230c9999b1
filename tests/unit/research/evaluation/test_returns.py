import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_research.evaluation import (
    annual_return,
    annual_turnover,
    annual_volatility,
    bar_returns,
    calmar_ratio,
    drawdowns,
    gross_exposure,
    longest_drawdown_bars,
    max_drawdown,
    net_exposure,
    profit_factor,
    sharpe_ratio,
    sortino_ratio,
    time_in_market,
    total_return,
)

LEVELS = st.lists(st.floats(1, 1e6), min_size=3, max_size=50).map(np.array)


def test_a_return_is_the_change_over_the_bar_before() -> None:
    assert bar_returns(np.array([110.0, 99.0]), 100.0) == pytest.approx([0.1, -0.1])
    assert bar_returns(np.array([110.0, 99.0])) == pytest.approx([-0.1])


@given(LEVELS)
def test_returns_multiply_to_the_total(equity: np.ndarray) -> None:
    found = np.prod(1 + bar_returns(equity, 100.0)) - 1
    assert found == pytest.approx(total_return(equity, 100.0), rel=1e-9, abs=1e-9)


def test_a_year_of_hours_has_8760_bars() -> None:
    assert annual_return(np.full(8760, 121.0), 100.0, 8760) == pytest.approx(0.21)
    assert annual_return(np.full(17520, 121.0), 100.0, 8760) == pytest.approx(0.1)
    assert annual_return(np.array([0.0]), 100.0, 8760) == -1.0


def test_no_year_is_told_from_less_than_a_month() -> None:
    assert annual_return(np.full(720, 101.0), 100.0, 8760) == pytest.approx(1.01 ** (8760 / 720) - 1)
    assert math.isnan(annual_return(np.full(600, 101.0), 100.0, 8760))
    assert math.isnan(annual_return(np.array([]), 100.0, 8760))


def test_ratios_agree_with_their_definitions() -> None:
    returns = np.array([0.01, -0.02, 0.03, 0.0])
    spread = math.sqrt(sum((x - 0.005) ** 2 for x in returns) / 3)
    assert sharpe_ratio(returns) == pytest.approx(0.005 / spread)
    assert sharpe_ratio(returns, 100) == pytest.approx(0.005 / spread * 10)
    assert annual_volatility(returns, 100) == pytest.approx(spread * 10)
    assert sortino_ratio(returns) == pytest.approx(0.005 / math.sqrt(0.0004 / 4))


def test_ratios_agree_with_skfolio() -> None:
    measures = pytest.importorskip("skfolio.measures")
    returns = np.random.default_rng(1).normal(0.001, 0.02, 300)
    assert sharpe_ratio(returns) == pytest.approx(
        float(np.mean(returns)) / float(measures.standard_deviation(returns))
    )
    grown = np.asarray(np.cumprod(1 + returns), dtype=np.float64)
    assert max_drawdown(grown, 1.0) == pytest.approx(
        float(measures.max_drawdown(measures.get_drawdowns(returns, compounded=True))), rel=1e-6
    )


def test_no_risk_has_no_ratio() -> None:
    assert math.isnan(sharpe_ratio(np.zeros(5)))
    assert math.isnan(sortino_ratio(np.full(5, 0.01)))
    assert math.isnan(calmar_ratio(np.array([1.0, 2.0]), 1.0, 1.0))


def test_a_drawdown_is_measured_from_the_highest_so_far() -> None:
    equity = np.array([90.0, 120.0, 60.0, 90.0, 120.0])
    assert drawdowns(equity, 100.0) == pytest.approx([0.1, 0, 0.5, 0.25, 0])
    assert max_drawdown(equity) == 0.5
    assert longest_drawdown_bars(equity, 100.0) == 2
    assert longest_drawdown_bars(np.array([1.0, 2.0])) == 0


@given(LEVELS)
def test_a_drawdown_lies_between_none_and_all(equity: np.ndarray) -> None:
    found = drawdowns(equity)
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_calmar_is_the_yearly_return_over_the_deepest_drawdown() -> None:
    assert calmar_ratio(np.array([50.0, 120.0]), 100.0, 2) == pytest.approx(0.2 / 0.5)


def test_turnover_is_what_is_traded_a_year_over_the_mean_worth() -> None:
    assert annual_turnover(np.array([100.0, 0.0]), np.array([50.0, 150.0]), 365) == pytest.approx(182.5)


def test_exposure_counts_shorts_as_large_or_as_below_zero() -> None:
    values, equity = np.array([[50.0, 0.0], [-25.0, 0.0]]), np.array([100.0, 100.0])
    assert gross_exposure(values, equity) == pytest.approx([0.75, 0.0])
    assert net_exposure(values, equity) == pytest.approx([0.25, 0.0])
    assert time_in_market(values) == 0.5


def test_the_profit_factor_weighs_gains_against_losses() -> None:
    assert profit_factor(np.array([3.0, -1.0, 1.0])) == 4.0
    assert profit_factor(np.array([1.0])) == math.inf
    assert math.isnan(profit_factor(np.array([])))
