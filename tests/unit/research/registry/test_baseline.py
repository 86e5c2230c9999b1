import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_research.registry import Baseline
from quantbus_research.registry.baseline import distribution_of


def test_deciles_hold_a_tenth_each() -> None:
    found = distribution_of(np.arange(1_000.0))
    assert len(found.edges) == 9
    assert found.shares == pytest.approx([0.1] * 10, abs=0.002)
    assert (found.lowest, found.highest, found.mean) == (0.0, 999.0, 499.5)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_shares_add_up_and_are_those_of_the_same_values(values: list[float]) -> None:
    array = np.array(values)
    found = distribution_of(array)
    assert sum(found.shares) == pytest.approx(1.0)
    assert found.shares_of(array).tolist() == list(found.shares)
    assert all(share > 0 for share in found.shares)


def test_what_lies_outside_falls_into_the_outer_bins_and_gaps_do_not_count() -> None:
    found = distribution_of(np.arange(100.0))
    assert found.shares_of(np.array([-1e9, 1e9, np.nan])).tolist() == [0.5, *[0.0] * 8, 0.5]
    assert np.isnan(found.shares_of(np.array([np.nan]))).all()


def test_a_feature_that_never_changes_has_one_bin() -> None:
    found = distribution_of(np.full(50, 0.1))
    assert (found.edges, found.shares) == ((), (1.0,))


def test_a_baseline_comes_back_from_json() -> None:
    features = pd.DataFrame({"a": np.arange(20.0), "b": np.zeros(20)})
    found = Baseline.of(features, np.linspace(-1, 1, 20))
    assert Baseline.model_validate_json(found.model_dump_json()) == found
