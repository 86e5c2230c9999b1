"""How much is staked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.policy import entry_stake
from tests.unit.contracts.policy.rows import published

NAN = float("nan")
INFINITE = float("inf")


def test_an_action_stakes_what_the_bot_proposes() -> None:
    signal = published("enter_long", weight=0.9).signal
    assert entry_stake(signal, 100.0, 1_000.0, maximum=500.0) == 100.0


def test_a_weight_stakes_its_share_of_the_capital() -> None:
    signal = published(None, weight=-0.25).signal
    assert entry_stake(signal, 100.0, 1_000.0, maximum=500.0) == 250.0


def test_no_stake_exceeds_what_may_be_staked() -> None:
    signal = published(None, weight=1.0).signal
    assert entry_stake(signal, 100.0, 1_000.0, maximum=500.0) == 500.0


@pytest.mark.parametrize(
    ("proposed", "maximum"),
    [(NAN, 1.0), (INFINITE, 1.0), (1.0, NAN), (1.0, INFINITE), (-1.0, 1.0), (1.0, 0.0)],
)
def test_what_is_not_a_sound_number_stakes_nothing(proposed: float, maximum: float) -> None:
    assert entry_stake(published().signal, proposed, 1_000.0, maximum=maximum) == 0.0


@given(proposed=st.floats(), capital=st.floats(), maximum=st.floats(), weight=st.none() | st.floats(-1, 1))
def test_every_stake_is_finite_and_within_the_maximum(
    proposed: float, capital: float, maximum: float, weight: float | None
) -> None:
    signal = published(None, weight=weight, score=0.9).signal
    stake = entry_stake(signal, proposed, capital, maximum=maximum)
    assert stake == 0.0 or 0.0 < stake <= maximum
