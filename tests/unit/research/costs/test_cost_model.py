from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError
from quantbus_research.costs import FREE, CostModel


def test_an_order_pays_half_the_spread_and_its_impact() -> None:
    model = CostModel(spread_rate=0.002, impact_alpha=0.1, impact_beta=0.5)
    assert model.adverse_rate(25.0, 10_000.0) == pytest.approx(0.001 + 0.1 * 0.05)


def test_a_bar_without_volume_has_the_whole_impact() -> None:
    model = CostModel(impact_alpha=0.1)
    assert model.adverse_rate(1.0, 0.0) == pytest.approx(0.1)
    assert model.adverse_rate(1.0, nan) == pytest.approx(0.1)
    assert model.adverse_rate(1e9, 1.0) == pytest.approx(0.1)


def test_a_round_trip_pays_everything_twice() -> None:
    assert CostModel(fee_rate=0.001, spread_rate=0.002).round_trip_rate() == pytest.approx(0.004)
    assert FREE.round_trip_rate(1.0) == 0.0


@given(
    alpha=st.floats(0, 0.5),
    beta=st.floats(0, 1),
    orders=st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)),
    traded=st.floats(0, 1e6),
)
def test_a_larger_order_never_costs_less(
    alpha: float, beta: float, orders: tuple[float, float], traded: float
) -> None:
    model = CostModel(impact_alpha=alpha, impact_beta=beta)
    small, large = sorted(orders)
    assert small * model.adverse_rate(small, traded) <= large * model.adverse_rate(large, traded) * (
        1 + 1e-12
    )


def test_scaling_leaves_the_delay_and_the_least_order() -> None:
    model = CostModel(fee_rate=0.001, spread_rate=0.002, impact_alpha=0.1, delay_bars=1, minimum_order=10)
    assert model.scaled(0.5) == CostModel(
        fee_rate=0.0005, spread_rate=0.001, impact_alpha=0.05, delay_bars=1, minimum_order=10
    )
    assert model.scaled(slippage=1.5).fee_rate == 0.001
    assert model.scaled(fees=0.0).spread_rate == 0.002


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fee_rate", -0.1),
        ("spread_rate", nan),
        ("impact_alpha", 0.6),
        ("impact_beta", 2.0),
        ("delay_bars", -1),
    ],
)
def test_costs_that_make_no_sense_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        CostModel(**{name: value})


def test_rates_of_many_orders_come_as_an_array() -> None:
    rates = CostModel(impact_alpha=0.1, impact_beta=1.0).adverse_rate(np.array([1.0, 2.0]), 10.0)
    assert rates == pytest.approx([0.01, 0.02])
