import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_research.evaluation import (
    deflated_sharpe_ratio,
    expected_max_sharpe_ratio,
    probabilistic_sharpe_ratio,
    probability_of_overfitting,
    sharpe_ratio,
)


def noise(bars: int, trials: int = 1, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (bars, trials))


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_skfolio(seed: int) -> None:
    measures = pytest.importorskip("skfolio.measures")
    random = np.random.default_rng(seed)
    returns = random.standard_t(4, 400) * 0.01 + 0.0005
    trials = random.normal(0.0, 0.05, 40)
    for benchmark in (0.0, 0.02):
        theirs = measures.probabilistic_sharpe_ratio(returns, benchmark_sharpe_ratio=benchmark)
        assert probabilistic_sharpe_ratio(returns, benchmark) == pytest.approx(theirs, abs=1e-9)
    assert deflated_sharpe_ratio(returns, trials) == pytest.approx(
        measures.deflated_sharpe_ratio(returns, trials), abs=1e-9
    )
    assert expected_max_sharpe_ratio(40, 0.05) == pytest.approx(
        measures.expected_max_sharpe_ratio(40, 0.05), abs=1e-12
    )


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
def test_a_higher_benchmark_is_never_easier_to_beat(one: float, other: float) -> None:
    returns = noise(200)[:, 0]
    low, high = sorted((one, other))
    assert probabilistic_sharpe_ratio(returns, low) >= probabilistic_sharpe_ratio(returns, high)


def test_one_trial_needs_no_deflation() -> None:
    returns = noise(200)[:, 0]
    assert deflated_sharpe_ratio(returns, np.array([0.3])) == probabilistic_sharpe_ratio(returns)


def test_the_best_of_many_worthless_trials_does_not_convince() -> None:
    trials = noise(500, 200, seed=4)
    ratios = np.array([sharpe_ratio(trials[:, k]) for k in range(200)])
    best = trials[:, int(ratios.argmax())]
    assert probabilistic_sharpe_ratio(best) > 0.98
    assert deflated_sharpe_ratio(best, ratios) < 0.9


def test_the_best_of_noise_is_overfit_and_a_real_edge_is_not() -> None:
    trials = noise(1000, 50, seed=2)
    assert 0.25 < probability_of_overfitting(trials) < 0.9
    trials[:, 7] += 0.003
    assert probability_of_overfitting(trials) < 0.05


def test_too_little_to_judge_gives_no_figure() -> None:
    assert math.isnan(probabilistic_sharpe_ratio(np.array([0.1, 0.2])))
    assert math.isnan(probabilistic_sharpe_ratio(np.zeros(50)))
    assert math.isnan(probability_of_overfitting(noise(100, 1)))
    assert math.isnan(probability_of_overfitting(noise(10, 5)))
    with pytest.raises(ValueError, match="even"):
        probability_of_overfitting(noise(100, 5), parts=5)
