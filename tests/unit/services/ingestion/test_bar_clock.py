from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_services.ingestion.bar_clock import next_wake, next_wake_of

timeframes = st.sampled_from([Timeframe.parse(name) for name in SUPPORTED_TIMEFRAMES])
moments = st.datetimes(datetime(2018, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
graces = st.timedeltas(timedelta(0), timedelta(seconds=45))


@given(moments, timeframes, graces)
def test_the_next_wake_lies_grace_after_a_close_and_at_most_one_bar_ahead(
    now: datetime, timeframe: Timeframe, grace: timedelta
) -> None:
    wake = next_wake(now, timeframe, grace)

    assert now < wake <= now + timeframe.delta
    assert timeframe.is_open_time(wake - grace)


@given(moments, timeframes, graces, st.integers(1, 20))
def test_waking_at_each_wake_visits_every_bar_exactly_once(
    now: datetime, timeframe: Timeframe, grace: timedelta, bars: int
) -> None:
    wakes = []
    for _ in range(bars):
        now = next_wake(now, timeframe, grace)
        wakes.append(now)

    closed = [timeframe.last_closed(wake, grace) for wake in wakes]
    assert closed == [closed[0] + index * timeframe.delta for index in range(bars)]


@given(moments, timeframes, graces, st.floats(0, 0.999))
def test_a_late_riser_does_not_wake_twice_for_one_bar(
    now: datetime, timeframe: Timeframe, grace: timedelta, late: float
) -> None:
    first = next_wake(now, timeframe, grace)
    second = next_wake(first + late * timeframe.delta, timeframe, grace)

    assert second == first + timeframe.delta


@given(moments, st.sets(timeframes, min_size=1), graces)
def test_of_several_timeframes_the_earliest_wakes_with_all_that_close_there(
    now: datetime, several: set[Timeframe], grace: timedelta
) -> None:
    wake, due = next_wake_of(now, several, grace)

    assert wake == min(next_wake(now, timeframe, grace) for timeframe in several)
    assert due == {timeframe for timeframe in several if timeframe.is_open_time(wake - grace)}


def test_at_the_full_hour_all_shorter_bars_close_together() -> None:
    frames = {Timeframe.parse(name) for name in ("1m", "5m", "1h", "4h")}

    wake, due = next_wake_of(datetime(2026, 1, 5, 12, 59, 30, tzinfo=UTC), frames)

    assert wake == datetime(2026, 1, 5, 13, 0, tzinfo=UTC)
    assert {timeframe.name for timeframe in due} == {"1m", "5m", "1h"}
