from datetime import UTC, datetime, timedelta

import pytest

from quantbus_services.ingestion.venue.dates import VenueDates
from quantbus_services.ingestion.venue.pauses import Pause, asked_pause, date_of, retry_after_of

DATE = {"Date": "Mon, 05 Jan 2026 12:00:00 GMT"}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
UNTIL = int((NOON + timedelta(seconds=90)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "Mon, 05 Jan 2026 12:01:30 GMT", **DATE}, 90.0),
        ({"Retry-After": "Mon, 05 Jan 2026 11:00:00 GMT", **DATE}, 0.0),
        ({"Retry-After": "Mon, 05 Jan 2026 12:01:30 GMT"}, None),
        ({"Retry-After": "soon", **DATE}, None),
        ({"Retry-After": "-3"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_of(headers) == seconds


@pytest.mark.parametrize(
    ("status", "headers", "text", "is_limit", "pause"),
    [
        (429, {"Retry-After": "7"}, "", True, Pause("rate_limited", 7.0)),
        (429, {}, "", True, Pause("rate_limited", None)),
        (200, {}, "EAPI:Rate limit exceeded", True, Pause("rate_limited", None)),
        (418, {"Retry-After": "300"}, "", True, Pause("banned", 300.0)),
        (418, DATE, f"IP banned until {UNTIL}.", True, Pause("banned", 90.0)),
        (418, {}, f"IP banned until {UNTIL}.", True, Pause("banned", 120.0)),
        (403, {}, "<html>", False, Pause("unavailable", 10.0)),
        (503, {"Retry-After": "30"}, "", False, Pause("unavailable", 30.0)),
        (503, {}, "", False, None),
        (500, {}, "", False, None),
        (200, {}, "[]", False, None),
    ],
)
def test_what_an_answer_asks_for(
    status: int, headers: dict[str, str], text: str, is_limit: bool, pause: Pause | None
) -> None:
    assert asked_pause(status, headers, text, is_limit=is_limit) == pause


def test_a_date_that_is_none_is_no_date() -> None:
    assert date_of(DATE) == NOON
    assert date_of({"Date": "yesterday"}) is None
    assert date_of({}) is None


def test_a_date_bounds_the_venues_time() -> None:
    dates = VenueDates()
    assert dates.latest(NOON) == NOON + timedelta(seconds=2)

    dates.compare(NOON + timedelta(hours=1), NOON)

    assert dates.latest(NOON + timedelta(seconds=10)) == NOON + timedelta(hours=1, seconds=12)
    assert dates.latest(None) is None


@pytest.mark.parametrize(("off", "contradicts"), [(0, False), (4, False), (-600, True), (600, True)])
def test_dates_contradict_a_clock_that_is_off(off: int, contradicts: bool) -> None:
    dates = VenueDates()
    dates.compare(NOON, NOON)

    assert dates.contradict(NOON, NOON + timedelta(seconds=off)) is contradicts
