"""Laws of bar arithmetic."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ContractError
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe

timeframes = st.sampled_from(SUPPORTED_TIMEFRAMES).map(Timeframe.parse)
moments = st.datetimes(
    min_value=datetime(2009, 1, 3),
    max_value=datetime(2100, 1, 1),
    timezones=st.sampled_from(
        [UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30))]
    ),
)


@given(timeframes, moments)
def test_a_moment_lies_in_exactly_one_bar(timeframe: Timeframe, moment: datetime) -> None:
    open_time = timeframe.floor(moment)
    assert open_time <= moment < timeframe.close_of(open_time)
    assert timeframe.floor(open_time) == open_time


@given(timeframes, moments)
def test_the_last_closed_bar_is_closed_and_the_next_is_not(timeframe: Timeframe, now: datetime) -> None:
    last = timeframe.last_closed(now)
    assert timeframe.close_of(last) <= now
    assert timeframe.close_of(last + timeframe.delta) > now


@given(timeframes, moments, st.integers(min_value=0, max_value=3_600))
def test_grace_only_ever_makes_the_last_closed_bar_older(
    timeframe: Timeframe, now: datetime, grace: int
) -> None:
    late = timeframe.last_closed(now, timedelta(seconds=grace))
    assert late <= timeframe.last_closed(now)
    assert timeframe.close_of(late) + timedelta(seconds=grace) <= now


@given(
    timeframes, moments, st.integers(min_value=0, max_value=50), st.integers(min_value=0, max_value=86_399)
)
def test_a_range_yields_as_many_bars_as_it_counts(
    timeframe: Timeframe, start: datetime, bars: int, rest: int
) -> None:
    end = start + bars * timeframe.delta + timedelta(seconds=rest % timeframe.seconds)
    opens = list(timeframe.range(start, end))
    assert len(opens) == timeframe.count(start, end)
    assert all(timeframe.is_open_time(moment) and start <= moment < end for moment in opens)
    assert opens == sorted(set(opens))


@given(timeframes)
def test_a_name_reads_back(timeframe: Timeframe) -> None:
    assert Timeframe.parse(timeframe.name) == timeframe == Timeframe.parse(timeframe)


def test_a_daily_bar_is_a_utc_day() -> None:
    assert Timeframe.parse("1d").floor(datetime(2026, 2, 28, 23, 59, tzinfo=UTC)) == datetime(
        2026, 2, 28, tzinfo=UTC
    )


@pytest.mark.parametrize("name", ["", "1", "m", "60m", "1w", "1M", "7m", "-1m", "1h "])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ContractError, match=r"expected a timeframe out of 1m, .* found"):
        Timeframe.parse(name)


def test_a_time_inside_a_bar_has_no_close_of_its_own() -> None:
    with pytest.raises(ContractError, match="opens at 2026-01-05T12:00:00"):
        Timeframe.parse("1h").close_of(datetime(2026, 1, 5, 12, 30, tzinfo=UTC))


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ContractError, match="naive"):
        Timeframe.parse("1h").floor(datetime(2026, 1, 5, 12, 30))
