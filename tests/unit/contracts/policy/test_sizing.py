"""How much is staked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy import (
    RAISED_AT_MOST,
    Reason,
    Resize,
    TradingRules,
    entry_stake,
    is_below_minimum,
    resize,
)
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


def test_a_scale_takes_its_share_of_either_kind_of_stake() -> None:
    assert entry_stake(published().signal, 100.0, 1_000.0, maximum=500.0, scale=0.3) == pytest.approx(30.0)
    by_weight = published(None, weight=0.5).signal
    assert entry_stake(by_weight, 100.0, 1_000.0, maximum=500.0, scale=0.3) == pytest.approx(150.0)


@given(
    weights=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    scales=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    capital=st.floats(0, 1e9),
    maxima=st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)),
)
def test_more_weight_scale_or_room_never_stakes_less(
    weights: tuple[float, float],
    scales: tuple[float, float],
    capital: float,
    maxima: tuple[float, float],
) -> None:
    (w, weight), (s, scale), (m, maximum) = (sorted(pair) for pair in (weights, scales, maxima))
    less = entry_stake(published(None, weight=w).signal, 1.0, capital, maximum=m, scale=s)
    more = entry_stake(published(None, weight=weight).signal, 1.0, capital, maximum=maximum, scale=scale)
    assert 0.0 <= less <= more <= min(maximum, capital)


def test_a_stake_that_freqtrade_would_drop_is_below_the_minimum_and_one_it_raises_is_not() -> None:
    assert is_below_minimum(7.6, 10.0)
    assert not is_below_minimum(7.7, 10.0)
    assert 7.7 * RAISED_AT_MOST > 10.0
    assert not is_below_minimum(0.01, None)


def change(weight: float | None, held: float, **given: Any) -> Resize:
    """Resize a long position of a bot with 1,000 to trade with, at a venue that takes 10 or more."""
    usual: dict[str, Any] = {"capital": 1_000.0, "minimum": 10.0, "maximum": 1_000.0, "drift_band": 0.02}
    action = given.pop("action", None)
    side = given.pop("side", "long")
    signal = published(action, weight=weight, score=0.9).signal
    return resize(signal, side, held=held, **{**usual, **given})


@pytest.mark.parametrize(
    ("weight", "held", "given", "amount", "reason"),
    [
        (0.5, 400.0, {}, 100.0, None),
        (0.5, 600.0, {}, -100.0, None),
        (0.5, 481.0, {}, 0.0, Reason.WITHIN_BAND),
        (0.5, 519.0, {}, 0.0, Reason.WITHIN_BAND),
        (0.5, 495.0, {"drift_band": 0.0}, 0.0, Reason.STAKE_BELOW_MINIMUM),
        (0.5, 400.0, {"maximum": 60.0}, 60.0, None),
        (0.5, 400.0, {"maximum": -5.0}, 0.0, Reason.STAKE_BELOW_MINIMUM),
        (0.5, 400.0, {"scale": 0.5}, -150.0, None),
        (0.5, 400.0, {"hold": Reason.DENIED_BY_RISK}, 0.0, Reason.DENIED_BY_RISK),
        (0.5, 600.0, {"hold": Reason.DENIED_BY_RISK}, -100.0, None),
        (0.001, 100.0, {}, -90.0, None),  # what is left must be enough to be sold one day
        (0.001, 15.0, {"drift_band": 0.0}, 0.0, Reason.STAKE_BELOW_MINIMUM),
        (0.5, 400.0, {"drift_band": None}, 0.0, None),
        (0.5, 400.0, {"action": "enter_long"}, 0.0, None),
        (-0.5, 400.0, {}, 0.0, None),
        (-0.5, 400.0, {"side": "short"}, 100.0, None),
        (0.0, 400.0, {}, 0.0, None),
        (None, 400.0, {}, 0.0, None),
        (0.5, NAN, {}, 0.0, Reason.STAKE_INVALID),
        (0.5, 400.0, {"minimum": INFINITE}, 0.0, Reason.STAKE_INVALID),
    ],
)
def test_a_position_is_resized_only_beyond_the_band_and_by_what_the_venue_takes(
    weight: float | None, held: float, given: dict[str, Any], amount: float, reason: Reason | None
) -> None:
    found = change(weight, held, **given)
    assert found.amount == pytest.approx(amount)
    assert found.reason == reason


@given(
    weight=st.floats(-1, 1),
    held=st.floats(0.01, 1e6),
    minimum=st.floats(0, 100),
    maximum=st.floats(-100, 1e6),
    band=st.floats(0, 0.5),
    side=st.sampled_from(["long", "short"]),
)
def test_a_resize_goes_towards_its_target_leaves_enough_and_then_rests(
    weight: float, held: float, minimum: float, maximum: float, band: float, side: str
) -> None:
    given = {"minimum": minimum, "maximum": maximum, "drift_band": band, "side": side}
    first = change(weight, held, **given)
    target = abs(weight) * 1_000.0
    if first.amount == 0.0:
        return
    after = held + first.amount
    assert abs(first.amount) >= minimum
    assert first.amount <= maximum or first.amount < 0
    assert after >= minimum * (1 - 1e-9) - 1e-9
    assert abs(after - target) <= abs(held - target)
    if first.amount < 0:
        assert after >= target - 1e-6, "never beyond what is wanted"
        assert change(weight, after, **given).amount >= -max(minimum, 1e-6), "and then it rests"


def test_a_band_that_makes_no_sense_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="drift_band"):
        TradingRules(drift_band=1.0)
