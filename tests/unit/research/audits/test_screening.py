"""Which factors are kept, and why the others are not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quantbus_research.audits import STEPS, Audit, Screen, audit_values, summary_text
from quantbus_research.audits.screening import needed_t
from tests.unit.research.audits.worlds import HOUR, SHORT, coins, later_return, noise, skilled


def judged(screen: Screen = SHORT.screen, **values: pd.Series) -> Audit:
    return audit_values(pd.DataFrame(values), coins(), HOUR, replace(SHORT, screen=screen))


def test_each_step_refuses_with_its_number_and_the_first_one_speaks() -> None:
    panel = coins()
    good, times = skilled(panel, 1), pd.DatetimeIndex(panel.index.get_level_values(1))
    moved = later_return(panel)
    day = (times.dayofyear.to_numpy() // 6) % 2 == 0
    found = judged(
        holey=good.where(noise(panel, 9) > 0.5),
        flat=pd.Series(1.0, index=panel.index),
        turning=moved.where(day, -moved),
        idle=noise(panel, 2),
        copy=good + 1e-3 * noise(panel, 3),
        good=good,
    )
    steps = {item.name: item.refusal.step if item.refusal else "kept" for item in found.factors}
    kept = [name for name, step in steps.items() if step == "kept"]
    assert steps["holey"] == "missing"
    assert steps["flat"] == "variance"
    assert steps["turning"] == "stability"
    assert steps["idle"] in ("stability", "rank_ic")
    assert sorted(steps[name] for name in ("good", "copy")) == ["cluster", "kept"]
    assert len(kept) == 1
    for item in found.factors:
        if item.refusal is not None:
            assert item.refusal.reason
            assert item.refusal.step in STEPS
            assert any(character.isdigit() for character in item.refusal.reason)


def test_copies_are_one_cluster_whichever_way_they_point() -> None:
    panel = coins()
    good, other = skilled(panel, 1), skilled(panel, 5)
    found = judged(a=good, b=-good, c=2 * good + 1, d=other, e=other**3)
    speakers = {item.name: item.representative for item in found.factors}
    assert speakers == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}
    assert [item.name for item in found.kept] == ["a", "d"]
    assert found.correlations.loc["a", "b"] == pytest.approx(-1.0)
    assert np.allclose(np.diag(found.correlations), 1.0)


def test_a_refused_factor_never_speaks_for_one_that_passed() -> None:
    panel = coins()
    good = skilled(panel, 1)
    holey = (good + 0.05 * later_return(panel).fillna(0.0)).where(noise(panel, 9) > -0.6)
    found = judged(Screen(correlation=0.5), holey=holey, good=good)
    assert [item.name for item in found.kept] == ["good"]
    assert {item.representative for item in found.factors} == {"good"}


def test_the_more_factors_are_tried_the_more_each_must_show() -> None:
    assert needed_t(0.05, 1) == pytest.approx(1.96, abs=0.001)
    assert needed_t(0.05, 16) == pytest.approx(2.955, abs=0.001)
    assert needed_t(0.05, 158) > needed_t(0.05, 16)


def test_of_many_worthless_factors_none_is_kept() -> None:
    panel = coins()
    found = judged(SHORT.screen, **{f"idle_{seed}": noise(panel, 100 + seed) for seed in range(30)})
    assert found.kept == ()
    assert len({item.representative for item in found.factors}) == 30
    assert "None of 30 factors passed the screening." in summary_text(found)
