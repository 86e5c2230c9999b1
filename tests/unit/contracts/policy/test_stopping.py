"""Stop prices: which is nearer, whether the market is beyond one, and how Freqtrade wants the distance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.policy import PositionSide, is_beyond_stop, is_nearer_stop, stop_distance

PRICES = st.floats(1e-6, 1e6)
SIDES = st.sampled_from(["long", "short"])


def freqtrades_stop(rate: float, distance: float, side: PositionSide, leverage: float) -> float:
    """Return the price at which Freqtrade puts a stop, given its distance (its `Trade.adjust_stop_loss`)."""
    away = abs(distance / leverage)
    return rate * (1 + away if side == "short" else 1 - away)


@pytest.mark.parametrize(
    ("stop", "rate", "side", "leverage", "distance"),
    [
        (97.0, 100.0, "long", 1.0, 0.03),
        (97.0, 100.0, "long", 5.0, 0.15),
        (103.0, 100.0, "short", 1.0, 0.03),
        (103.0, 100.0, "short", 3.0, 0.09),
        (100.0, 100.0, "long", 1.0, None),
        (101.0, 100.0, "long", 1.0, None),
        (99.0, 100.0, "short", 1.0, None),
        (float("nan"), 100.0, "long", 1.0, None),
        (97.0, float("inf"), "long", 1.0, None),
        (97.0, 0.0, "long", 1.0, None),
        (97.0, 100.0, "long", 0.0, None),
    ],
)
def test_a_stop_is_told_as_the_share_of_the_stake_that_is_lost_by_then(
    stop: float, rate: float, side: PositionSide, leverage: float, distance: float | None
) -> None:
    found = stop_distance(stop, rate, side, leverage)
    assert found == (None if distance is None else pytest.approx(distance))


@given(stop=PRICES, rate=PRICES, side=SIDES, leverage=st.floats(1, 125))
def test_freqtrade_puts_the_stop_at_the_price_whatever_the_market_is_at(
    stop: float, rate: float, side: PositionSide, leverage: float
) -> None:
    distance = stop_distance(stop, rate, side, leverage)
    if distance is None:
        assert is_beyond_stop(rate, stop, side)
    else:
        assert freqtrades_stop(rate, distance, side, leverage) == pytest.approx(
            stop, rel=1e-9, abs=rate * 1e-9
        )


@pytest.mark.parametrize("nothing", [None, 0.0])
def test_any_stop_is_nearer_than_none(nothing: float | None) -> None:
    assert is_nearer_stop(1.0, nothing, "long")
    assert is_nearer_stop(1.0, nothing, "short")


@given(stop=PRICES, other=PRICES, side=SIDES)
def test_of_two_stops_at_most_one_is_nearer(stop: float, other: float, side: PositionSide) -> None:
    assert not (is_nearer_stop(stop, other, side) and is_nearer_stop(other, stop, side))
    assert not is_nearer_stop(stop, stop, side)
    assert not is_nearer_stop(stop * (1 + 1e-12), stop, side), "a difference by rounding is none"
    if abs(stop - other) > 1e-6 * max(stop, other):
        assert is_nearer_stop(stop, other, side) == ((stop > other) == (side == "long"))
