from datetime import timedelta

import pytest

from quantbus_contracts.errors import VenueUnavailable
from quantbus_contracts.testing import FrozenClock
from quantbus_services.ingestion.venue.clock import VenueClock
from tests.unit.services.ingestion.fakes import NOON, FakeVenue


async def test_the_venues_time_is_ours_shifted_by_the_measured_difference() -> None:
    ours = FrozenClock(NOON)
    told: list[float] = []
    clock = VenueClock(
        FakeVenue(ours, ahead=timedelta(seconds=-3)), ours, check_seconds=300, on_offset=told.append
    )

    await clock.refresh()

    assert clock.now() == NOON - timedelta(seconds=3)
    assert told == [-3.0]


async def test_the_difference_is_measured_again_when_it_is_due() -> None:
    ours = FrozenClock(NOON)
    venue = FakeVenue(ours, ahead=timedelta(seconds=1))
    clock = VenueClock(venue, ours, check_seconds=300)
    await clock.refresh()
    venue.ahead = timedelta(seconds=2)

    ours.advance(timedelta(seconds=299))
    await clock.refresh()
    early = clock.now() - ours.now()
    ours.advance(timedelta(seconds=2))
    await clock.refresh()

    assert (early, clock.now() - ours.now()) == (timedelta(seconds=1), timedelta(seconds=2))


async def test_a_clock_that_jumps_back_is_measured_again() -> None:
    ours = FrozenClock(NOON)
    venue = FakeVenue(ours)
    clock = VenueClock(venue, ours, check_seconds=300)
    await clock.refresh()
    venue.ahead = timedelta(minutes=5)

    ours.advance(timedelta(minutes=-5))
    await clock.refresh()

    assert clock.now() == NOON


async def test_a_venue_that_does_not_tell_its_time_leaves_the_difference_as_it_was() -> None:
    ours = FrozenClock(NOON)
    venue = FakeVenue(ours, ahead=timedelta(seconds=2))
    clock = VenueClock(venue, ours, check_seconds=300)
    await clock.refresh()
    ours.advance(timedelta(seconds=301))
    venue.failures = [VenueUnavailable("down", kind="timeout")]

    await clock.refresh()

    assert clock.now() == ours.now() + timedelta(seconds=2)


async def test_a_venue_that_is_away_for_long_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    ours = FrozenClock(NOON)
    venue = FakeVenue(ours)
    clock = VenueClock(venue, ours, check_seconds=300)
    for _ in range(2):
        venue.failures = [VenueUnavailable("down", kind="timeout")] * 10
        for _ in range(10):
            await clock.refresh()
        ours.advance(timedelta(seconds=301))
        await clock.refresh()
        ours.advance(timedelta(seconds=301))

    assert capsys.readouterr().out.count("venue_clock_unknown") == 2


async def test_an_answer_that_speaks_against_the_time_has_it_measured_at_once() -> None:
    ours = FrozenClock(NOON)
    venue = FakeVenue(ours)
    clock = VenueClock(venue, ours, check_seconds=300)
    await clock.refresh()
    venue.ahead, venue.clock_doubts = timedelta(minutes=-10), 1

    await clock.refresh()

    assert clock.now() == NOON - timedelta(minutes=10)
