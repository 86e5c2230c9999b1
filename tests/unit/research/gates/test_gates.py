import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from quantbus_research.factors import compute
from quantbus_research.gates import (
    CONSISTENCY,
    INFORMATION,
    LEAKS,
    OVERLAP,
    factor_ratios,
    information_ratio,
    leaks_of,
    shared_picks,
)
from tests.unit.research.gates.worlds import trial
from tests.unit.research.panels import BTC, ETH, MINUTE, START

MINUTES_A_YEAR = 365 * 24 * 60


def series(values: Sequence[float] | NDArray[np.float64], symbol: str = BTC) -> pd.Series:
    times = pd.date_range(START, periods=len(values), freq=MINUTE.delta)
    index = pd.MultiIndex.from_product([[symbol], times], names=["symbol", "datetime"])
    return pd.Series(values, index=index, dtype="float64")


def ratio(scores: pd.Series, returns: pd.Series, *, horizon: int = 1, cost: float = 0.0) -> float:
    return information_ratio(scores, returns, MINUTE, horizon_bars=horizon, cost_rate=cost)


def test_the_information_ratio_is_that_of_timing_by_hand() -> None:
    scores, returns = [1.0, -1.0, 1.0, -1.0], [0.01, -0.02, 0.03, 0.04]
    earned = np.array([0.01, 0.02, 0.03, -0.04])  # the mean position is 0
    expected = earned.mean() / earned.std(ddof=1) * np.sqrt(MINUTES_A_YEAR)
    assert ratio(series(scores), series(returns)) == pytest.approx(expected)
    paid = earned - 0.001 * np.array([1.0, 2.0, 2.0, 2.0])
    expected = paid.mean() / paid.std(ddof=1) * np.sqrt(MINUTES_A_YEAR)
    assert ratio(series(scores), series(returns), cost=0.001) == pytest.approx(expected)


def test_being_always_long_in_a_rise_is_no_information() -> None:
    rise = series(np.random.default_rng(0).normal(0.01, 0.01, 100))
    assert not ratio(series([1.0] * 100), rise, cost=0.001) > 0


def test_no_bar_counts_twice_where_the_horizon_is_longer_than_a_bar() -> None:
    random = np.random.default_rng(1)
    scores, returns = series(random.normal(size=60)), series(random.normal(size=60))
    apart = []
    for first in range(3):
        held, moved = scores.to_numpy()[first::3], returns.to_numpy()[first::3]
        earned = (held - held.mean()) * moved
        apart.append(earned.mean() / earned.std(ddof=1) * np.sqrt(MINUTES_A_YEAR / 3))
    assert ratio(scores, returns, horizon=3) == pytest.approx(np.mean(apart))


def test_pairs_share_the_capital() -> None:
    random = np.random.default_rng(2)
    scores, returns = random.normal(size=50), random.normal(size=50)
    one = ratio(series(scores), series(returns), cost=0.01)
    both = (series(scores), series(scores, ETH)), (series(returns), series(returns, ETH))
    assert ratio(pd.concat(both[0]), pd.concat(both[1]), cost=0.01) == pytest.approx(one)


def test_costs_only_ever_take() -> None:
    world = trial(memory=0.8)
    dear = trial("nodes.gates.cost_rate=0.05", memory=0.8)
    cheap_verdict, dear_verdict = INFORMATION(world), INFORMATION(dear)
    assert cheap_verdict.passed
    assert not dear_verdict.passed
    same = "information_ratio_before_costs"
    assert cheap_verdict.figures[same] == dear_verdict.figures[same]


def test_a_factor_that_leads_returns_has_a_high_ratio() -> None:
    random = np.random.default_rng(4)
    returns = series(random.normal(size=2_000))
    features = pd.DataFrame(
        {
            "leads": returns + random.normal(size=2_000),
            "noise": random.normal(size=2_000),
            "still": np.zeros(2_000),
        }
    )
    found = factor_ratios(features, returns)
    assert found[0] > 5
    assert abs(found[1]) < 1.5
    assert np.isnan(found[2])


def test_too_few_factors_cannot_be_compared() -> None:
    verdict = CONSISTENCY(trial('nodes.seen.names=["log_return_1", "rsi_14"]', memory=0.8))
    assert not verdict.passed
    assert "2 factors can be compared; at least 3" in verdict.told


def test_scorings_that_agree_share_all_picks_and_those_that_say_nothing_none() -> None:
    scores = np.random.default_rng(5).normal(size=100)
    assert shared_picks(scores, scores, 0.2) == (1.0, 20)
    assert shared_picks(scores, -scores, 0.2) == (0.0, 20)
    assert shared_picks(np.zeros(100), np.zeros(100), 0.2) == (0.0, 20)


def test_the_overlap_of_chance_is_refused() -> None:
    verdict = OVERLAP(trial())
    assert not verdict.passed
    assert isinstance(verdict.figures["overlap"], float)
    assert verdict.figures["overlap"] < 0.7


def test_honest_factors_and_labels_leak_nothing() -> None:
    assert leaks_of(trial(memory=0.8)) == []


def looks_ahead(panel: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    found = compute(panel, names)
    return found.assign(rsi_14=panel["close"].groupby(level=0).shift(-1))


def normalised_as_a_whole(panel: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    found = compute(panel, names)
    return found.assign(rsi_14=found["rsi_14"] - found["rsi_14"].mean())


def filled_backwards(panel: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    found = compute(panel, names)
    sparse = panel["close"].where(panel["volume"] > panel["volume"].median())
    return found.assign(rsi_14=sparse.groupby(level=0).bfill())


@pytest.mark.parametrize("leak", [looks_ahead, normalised_as_a_whole, filled_backwards])
def test_a_factor_that_knows_the_future_is_named(
    leak: Callable[[pd.DataFrame, Sequence[str]], pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["quantbus_research.gates.leaks"], "compute", leak)
    verdict = LEAKS(trial())
    assert not verdict.passed
    assert verdict.figures["leaks"] == 1
    assert "rsi_14 changes up to" in verdict.told


def test_a_label_that_was_not_known_yet_is_named() -> None:
    world = trial()
    late = world.table.known_at.copy()
    late.iloc[:3] = pd.Timestamp(world.as_of) + MINUTE.delta
    object.__setattr__(world.table, "known_at", late)
    verdict = LEAKS(world)
    assert not verdict.passed
    assert "3 labels were not known yet" in verdict.told


def test_training_rows_that_overlap_the_validation_are_named() -> None:
    world = trial()
    mask = world.split.train.copy()
    mask[np.flatnonzero(world.split.validation)[0] - 1] = True
    object.__setattr__(world.split, "train", mask)
    verdict = LEAKS(world)
    assert not verdict.passed
    assert "was not known before the test began" in verdict.told
