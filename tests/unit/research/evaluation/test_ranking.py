import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_research.evaluation import area_under_curve, hit_rate, rank_correlation


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_the_area_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([float(score) for score, _ in rows])
    outcomes = np.array([float(rises) for _, rises in rows])
    pairs = [(up, down) for up in scores[outcomes == 1] for down in scores[outcomes == 0]]
    found = area_under_curve(scores, outcomes)
    if not pairs:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(np.mean([0.5 if up == down else up > down for up, down in pairs]))


def test_figures_agree_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(3)
    scores, returns = random.normal(size=300).round(1), random.normal(size=300).round(1)
    assert rank_correlation(scores, returns) == pytest.approx(stats.spearmanr(scores, returns).statistic)


def test_perfect_order_scores_one_and_its_reverse_minus_one() -> None:
    returns = np.array([1.0, 2.0, 3.0, 4.0])
    assert rank_correlation(returns**3, returns) == pytest.approx(1.0)
    assert rank_correlation(-returns, returns) == pytest.approx(-1.0)


def test_a_score_that_never_varies_has_no_rank_correlation() -> None:
    assert math.isnan(rank_correlation(np.ones(5), np.arange(5.0)))


def test_the_hit_rate_ignores_bars_that_did_not_move() -> None:
    assert hit_rate(np.array([1.0, -1.0, 1.0, 1.0]), np.array([0.1, -0.1, -0.1, 0.0])) == pytest.approx(2 / 3)
    assert math.isnan(hit_rate(np.array([1.0]), np.array([0.0])))
