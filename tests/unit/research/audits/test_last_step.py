"""What still says something beside the others, fitted on the older part of time only."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.audits import LastStep, orthogonalised, select_last
from tests.unit.research.audits.worlds import HOUR, coins, later_return, noise, skilled

PANEL = coins(960)
HALF = PANEL.index.get_level_values(1).unique()[480]
STEP = LastStep(folds=3)


def world() -> pd.DataFrame:
    """Two factors with different knowledge, a copy of the first with noise, and two that know nothing."""
    first, second = skilled(PANEL, 1, 0.4), skilled(PANEL, 2, 0.4)
    return pd.DataFrame(
        {
            "first": first,
            "copy": first + 0.05 * noise(PANEL, 3),
            "second": -second,
            "nothing": noise(PANEL, 4),
            "also_nothing": noise(PANEL, 5),
        }
    )


def test_the_lasso_keeps_what_adds_and_its_sum_beats_the_best_alone_on_time_it_has_not_seen() -> None:
    found = select_last(world(), PANEL, HOUR, settings=STEP)
    assert {"second"} < set(found.chosen)
    assert found.weights["second"] < 0 < found.weights["first"] + found.weights["copy"]
    weak = abs(found.weights["nothing"]) + abs(found.weights["also_nothing"])
    assert weak < 0.1 * (abs(found.weights["second"]) + abs(found.weights["first"]))
    assert found.rank_ic_later > found.best_later > 0.1
    assert f"had a RankIC of {found.rank_ic_later:+.4f}, more than" in found.told


def test_an_elastic_net_shares_the_weight_between_twins() -> None:
    lasso, net = (
        select_last(world(), PANEL, HOUR, settings=replace(STEP, method=method, l1_ratio=0.1))
        for method in ("lasso", "elastic_net")
    )

    def unevenness(weights: dict[str, float]) -> float:
        return abs(weights["first"] - weights["copy"]) / (abs(weights["first"]) + abs(weights["copy"]))

    assert unevenness(dict(net.weights)) < unevenness(dict(lasso.weights))


def test_of_noise_nothing_is_kept() -> None:
    rows = pd.DataFrame({f"noise_{seed}": noise(PANEL, seed) for seed in range(20, 26)})
    found = select_last(rows, PANEL, HOUR, settings=STEP)
    assert sum(abs(weight) for weight in found.weights.values()) < 0.05
    if not found.chosen:
        assert "gave none of 6 factors a weight" in found.told


def test_the_newer_part_has_no_part_in_it() -> None:
    """Other values and other prices after the boundary leave weights, penalty and loadings as they were."""
    rows, after = world(), PANEL.index.get_level_values(1) >= HALF
    changed = rows.apply(lambda column: column.where(~after, noise(PANEL, 9)))
    moved = PANEL.copy()
    moved.loc[after, ["open", "close", "high", "low"]] *= 1.0 + 0.2 * np.random.default_rng(3).uniform(
        size=(after.sum(), 1)
    )
    one, other = (
        select_last(rows, PANEL, HOUR, settings=STEP),
        select_last(changed, moved, HOUR, settings=STEP),
    )
    assert one.judged_from == HALF
    assert (one.weights, one.penalty, one.best) == (other.weights, other.penalty, other.best)
    assert one.rank_ic_later != other.rank_ic_later
    turned, again = (
        orthogonalised(values, panel, HOUR, settings=STEP)
        for values, panel in ((rows, PANEL), (changed, moved))
    )
    pd.testing.assert_frame_equal(turned.loadings, again.loadings)


def test_no_row_is_fitted_whose_return_was_known_only_in_the_newer_part() -> None:
    horizon = 24
    knowing = later_return(PANEL, horizon)
    opened = PANEL.index.get_level_values(1)
    # it knows the future, but only of bars whose return reaches over the boundary
    overlapping = (opened < HALF) & (opened >= HALF - (horizon + 1) * HOUR.delta)
    rows = pd.DataFrame({"leak": knowing.where(overlapping, noise(PANEL, 1)), "nothing": noise(PANEL, 2)})
    found = select_last(rows, PANEL, HOUR, horizon, STEP)
    assert abs(found.weights["leak"]) < 0.05


def test_components_are_uncorrelated_and_can_be_had_again_of_a_single_bar() -> None:
    rows = world()
    found = orthogonalised(rows, PANEL, HOUR, settings=replace(STEP, variance=0.9))
    made = found.transform(rows)
    assert 2 <= made.shape[1] < rows.shape[1]  # the copy needs no component of its own
    older = made[PANEL.index.get_level_values(1) < HALF - 2 * HOUR.delta]
    between = older.corr().to_numpy() - np.eye(made.shape[1])
    assert np.abs(between).max() < 0.01
    assert (found.loadings @ found.loadings.T).to_numpy() == pytest.approx(np.eye(made.shape[1]), abs=1e-9)
    newest = rows[PANEL.index.get_level_values(1) == PANEL.index[-1][1]]
    pd.testing.assert_frame_equal(found.transform(newest), made.loc[newest.index])
    assert [item.name for item in found.components] == list(made.columns)
    shares = [item.variance for item in found.components]
    assert shares == sorted(shares, reverse=True)


def test_one_factor_is_no_choice() -> None:
    with pytest.raises(ConfigError, match="expected at least two factors to choose between, found 1"):
        select_last(world()[["first"]], PANEL, HOUR)
    with pytest.raises(ConfigError, match="train_share"):
        LastStep(train_share=0.0)
