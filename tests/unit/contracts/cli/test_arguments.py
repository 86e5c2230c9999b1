"""What people type for times and durations."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.cli.arguments import moment_of, parse_duration
from quantbus_contracts.errors import ConfigError

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", timedelta(seconds=90)),
        ("2h", timedelta(hours=2)),
        ("1h30m", timedelta(minutes=90)),
        ("2w", timedelta(days=14)),
    ],
)
def test_durations_are_read(text: str, meant: timedelta) -> None:
    assert parse_duration(text, "--for") == meant


@pytest.mark.parametrize("text", ["", "0h", "h", "-1h", "1.5h", "2 h", "2y", "1h-", "999999999w", "1h 30m"])
def test_what_is_no_duration_is_refused_with_the_options_name(text: str) -> None:
    with pytest.raises(ConfigError, match="--for"):
        parse_duration(text, "--for")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-05T12:00Z", NOW),
        ("2026-01-05 12:00", NOW),
        ("2026-01-05T13:00+01:00", NOW),
        ("2026-01-05", NOW - timedelta(hours=12)),
        ("20260105", NOW - timedelta(hours=12)),
        ("2h", NOW - timedelta(hours=2)),
    ],
)
def test_times_are_utc_and_durations_lie_in_the_past(text: str, meant: datetime) -> None:
    assert moment_of(text, "--since", NOW) == meant


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "12:00", "1767614400", "$$NOW"])
def test_what_is_no_time_is_refused_with_the_options_name(text: str) -> None:
    with pytest.raises(ConfigError, match="--since"):
        moment_of(text, "--since", NOW)


@given(st.text(max_size=20))
def test_no_text_does_anything_but_mean_a_time_or_be_refused(text: str) -> None:
    try:
        found = moment_of(text, "--since", NOW)
    except ConfigError:
        return
    assert found is not None
    assert found.tzinfo is not None
