from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.testing import FrozenClock
from quantbus_services.paper_exchange.time_line import VenueClock

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
START = datetime(2025, 3, 1, tzinfo=UTC)


def test_it_is_the_wall_clock_unless_told_otherwise() -> None:
    wall = FrozenClock(NOW)
    clock = VenueClock(wall)
    assert clock.now() == NOW
    wall.advance(timedelta(seconds=7))
    assert clock.now() == NOW + timedelta(seconds=7)


def test_at_sixty_times_the_speed_a_second_is_a_minute() -> None:
    wall = FrozenClock(NOW)
    clock = VenueClock(wall, start=START, speed=60)
    wall.advance(timedelta(seconds=1))
    assert clock.now() == START + timedelta(minutes=1)
    assert clock.now_ms() == int(START.timestamp() * 1000) + 60_000


@given(
    speed=st.floats(0.01, 3_600),
    before=st.timedeltas(timedelta(0), timedelta(days=400)),
    later=st.timedeltas(timedelta(0), timedelta(days=400)),
)
def test_the_same_anchor_shows_the_same_time_whenever_it_was_started(
    speed: float, before: timedelta, later: timedelta
) -> None:
    wall = FrozenClock(NOW)
    first = VenueClock(wall, anchor=NOW - before, start=START, speed=speed)
    wall.advance(later)
    restarted = VenueClock(wall, anchor=NOW - before, start=START, speed=speed)
    assert restarted.now() == first.now()


def test_jumps_add_up_and_are_told() -> None:
    clock = VenueClock(FrozenClock(NOW))
    clock.jump(timedelta(minutes=10))
    clock.jump(timedelta(minutes=-5))
    assert clock.now() == NOW + timedelta(minutes=5)
    assert clock.jumped == timedelta(minutes=5)


def test_an_anchor_ahead_and_a_standing_clock_are_refused() -> None:
    with pytest.raises(ConfigError, match="in the past"):
        VenueClock(FrozenClock(NOW), anchor=NOW + timedelta(seconds=1))
    for speed in (0.0, -1.0, 4_000.0):
        with pytest.raises(ConfigError, match="speed"):
            VenueClock(FrozenClock(NOW), speed=speed)
