from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.windows import Window, closed_end, missing, parse_moment, split

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = Timeframe.parse("1h")


def hour(index: int) -> datetime:
    return START + timedelta(hours=index)


stored_hours = st.sets(st.integers(-5, 105)).map(lambda found: [hour(index) for index in sorted(found)])
offsets = st.timedeltas(timedelta(0), timedelta(hours=3))


def bars_of(windows: list[Window]) -> list[datetime]:
    return [moment for window in windows for moment in HOUR.range(window.start, window.end)]


@given(stored_hours, offsets, offsets)
def test_missing_bars_and_stored_bars_make_the_whole_range(
    stored: list[datetime], early: timedelta, late: timedelta
) -> None:
    start, end = START + early, START + timedelta(hours=100) - late

    runs = missing(stored, start, end, HOUR)

    wanted = list(HOUR.range(start, end))
    assert bars_of(runs) == [moment for moment in wanted if moment not in set(stored)]
    assert all(run.start < run.end for run in runs)
    assert all(left.end < right.start for left, right in pairwise(runs))


@given(stored_hours, st.integers(1, 30))
def test_pages_cover_every_missing_bar_and_none_is_longer_than_the_limit(
    stored: list[datetime], limit: int
) -> None:
    runs = missing(stored, START, hour(100), HOUR)

    pages = list(split(runs, HOUR, limit))

    covered = bars_of(pages)
    assert set(bars_of(runs)) <= set(covered)
    assert len(covered) == len(set(covered))
    assert all(HOUR.count(page.start, page.end) <= limit for page in pages)
    assert all(page.start in set(bars_of(runs)) for page in pages)


@given(stored_hours, st.integers(1, 30))
def test_no_fewer_pages_would_do(stored: list[datetime], limit: int) -> None:
    absent = bars_of(missing(stored, START, hour(100), HOUR))
    needed, reach = 0, START
    for moment in absent:
        if moment >= reach:
            needed, reach = needed + 1, moment + limit * HOUR.delta

    assert len(list(split(missing(stored, START, hour(100), HOUR), HOUR, limit))) == needed


def test_short_gaps_close_together_share_a_request() -> None:
    stored = [hour(index) for index in range(20) if index not in (3, 7, 15)]

    pages = list(split(missing(stored, START, hour(20), HOUR), HOUR, 10))

    assert pages == [Window(hour(3), hour(8)), Window(hour(15), hour(16))]


def test_nothing_missing_asks_for_nothing() -> None:
    assert missing([hour(index) for index in range(5)], START, hour(5), HOUR) == []
    assert list(split([], HOUR, 10)) == []


def test_the_end_of_history_is_the_last_closed_bar() -> None:
    now = hour(5) + timedelta(minutes=59, seconds=59)

    assert closed_end(now, HOUR) == hour(5)
    assert closed_end(now, HOUR, until=hour(3)) == hour(3)
    assert closed_end(now, HOUR, until=hour(9)) == hour(5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2d", START - timedelta(days=2)),
        ("90m", START - timedelta(minutes=90)),
        ("1.5h", START - timedelta(hours=1, minutes=30)),
        ("1w", START - timedelta(weeks=1)),
        ("2024-01-01", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-01-01T12:30", datetime(2024, 1, 1, 12, 30, tzinfo=UTC)),
        ("2024-01-01T12:30+02:00", datetime(2024, 1, 1, 10, 30, tzinfo=UTC)),
    ],
)
def test_a_start_is_an_age_or_a_date(text: str, expected: datetime) -> None:
    assert parse_moment(text, START) == expected


@pytest.mark.parametrize("text", ["", "2x", "yesterday", "2024-13-01", "d", "99999999w", "9" * 400 + "d"])
def test_another_start_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match="2d, 12h, 2024-01-01"):
        parse_moment(text, START)
