import pytest

from quantbus_contracts.errors import VenueError, VenueRefused, VenueUnavailable
from quantbus_contracts.testing import FrozenClock
from quantbus_services.ingestion.venue.backoff import delays
from quantbus_services.ingestion.venue.gate import Held
from quantbus_services.ingestion.venue.patience import PatientSource
from tests.unit.services.ingestion.fakes import BTC, MINUTE, NOON, FakeVenue


class Recorder:
    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.kinds: list[str] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def error(self, error: VenueError) -> None:
        self.kinds.append(error.kind)


def patient(venue: FakeVenue, recorder: Recorder, attempts: int = 4) -> PatientSource:
    return PatientSource(
        venue, attempts=attempts, random=lambda: 1.0, on_error=recorder.error, sleep=recorder.sleep
    )


def unavailable(kind: str, retry_after: float | None = None) -> VenueUnavailable:
    return VenueUnavailable("no", kind=kind, retry_after_seconds=retry_after)


async def test_what_fails_is_tried_again_with_growing_pauses_and_counted() -> None:
    venue, recorder = FakeVenue(FrozenClock()), Recorder()
    venue.failures = [unavailable("timeout"), unavailable("network")]

    rows = await patient(venue, recorder).fetch(BTC, MINUTE, NOON, 5)

    assert rows == []
    assert recorder.pauses == [0.5, 1.0]
    assert recorder.kinds == ["timeout", "network"]


async def test_after_the_last_try_the_error_stands() -> None:
    venue, recorder = FakeVenue(FrozenClock()), Recorder()
    venue.failures = [unavailable("maintenance")] * 9

    with pytest.raises(VenueUnavailable):
        await patient(venue, recorder).instruments()

    assert len(recorder.kinds) == 4
    assert len(recorder.pauses) == 3


async def test_a_refusal_is_not_tried_again() -> None:
    venue, recorder = FakeVenue(FrozenClock()), Recorder()
    venue.failures = [VenueRefused("no such market", kind="bad_symbol")]

    with pytest.raises(VenueRefused):
        await patient(venue, recorder).fetch(BTC, MINUTE, NOON, 5)

    assert recorder.pauses == []
    assert recorder.kinds == ["bad_symbol"]


async def test_the_pause_the_venue_asks_for_is_kept() -> None:
    venue, recorder = FakeVenue(FrozenClock()), Recorder()
    venue.failures = [unavailable("rate_limited", retry_after=7.0)]

    await patient(venue, recorder).fetch(BTC, MINUTE, NOON, 5)

    assert recorder.pauses == [7.0]


async def test_a_ban_of_an_hour_is_not_waited_for() -> None:
    venue, recorder = FakeVenue(FrozenClock()), Recorder()
    venue.failures = [unavailable("rate_limited", retry_after=3600.0)]

    with pytest.raises(VenueUnavailable):
        await patient(venue, recorder).fetch(BTC, MINUTE, NOON, 5)

    assert recorder.pauses == []


async def test_a_gate_that_is_closed_uses_up_no_try_and_is_not_counted_again() -> None:
    venue, recorder = FakeVenue(FrozenClock()), Recorder()
    venue.failures = [Held("nothing was sent", kind="banned", retry_after_seconds=120.0)] * 6

    await patient(venue, recorder, attempts=2).fetch(BTC, MINUTE, NOON, 5)

    assert recorder.pauses == [120.0] * 6
    assert recorder.kinds == []


async def test_who_tries_once_does_not_wait_at_a_closed_gate() -> None:
    venue, recorder = FakeVenue(FrozenClock()), Recorder()
    venue.failures = [Held("nothing was sent", kind="rate_limited", retry_after_seconds=3.0)]

    with pytest.raises(Held):
        await patient(venue, recorder, attempts=1).fetch(BTC, MINUTE, NOON, 5)


async def test_patience_ends_after_a_quarter_of_an_hour_in_all() -> None:
    venue, recorder = FakeVenue(FrozenClock()), Recorder()
    venue.failures = [Held("nothing was sent", kind="banned", retry_after_seconds=400.0)] * 9

    with pytest.raises(Held):
        await patient(venue, recorder).fetch(BTC, MINUTE, NOON, 5)

    assert recorder.pauses == [400.0, 400.0]


def test_pauses_grow_to_a_ceiling_and_vary_by_half() -> None:
    assert list(delays(6, first=1, ceiling=5, random=lambda: 1.0)) == [1, 2, 4, 5, 5]
    assert list(delays(6, first=1, ceiling=5, random=lambda: 0.0)) == [0.5, 1, 2, 2.5, 2.5]
    assert list(delays(1, first=1, ceiling=5, random=lambda: 1.0)) == []
