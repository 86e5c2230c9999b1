from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.testing import FrozenClock
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_services.ingestion.live.bar_clock import BarClock, Firing

timeframes = st.sampled_from([Timeframe.parse(name) for name in SUPPORTED_TIMEFRAMES])
moments = st.datetimes(datetime(2018, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
graces = st.timedeltas(timedelta(0), timedelta(seconds=45))
JUMPS = [timedelta(minutes=10), timedelta(minutes=-5), timedelta(hours=3), timedelta(hours=-1)]
steps = st.lists(
    st.one_of(st.timedeltas(timedelta(0), timedelta(minutes=7)), st.sampled_from(JUMPS)),
    min_size=1,
    max_size=40,
)


def fired_bars(firing: Firing) -> list[datetime]:
    return list(firing.timeframe.range(firing.first, firing.last + firing.timeframe.delta))


@given(moments, timeframes, graces, steps)
def test_every_bar_fires_exactly_once_whatever_the_clock_does(
    now: datetime, timeframe: Timeframe, grace: timedelta, passing: list[timedelta]
) -> None:
    clock = FrozenClock(now)
    bell = BarClock(clock, [timeframe], grace)
    fired: Counter[datetime] = Counter()
    latest = now
    for step in passing:
        latest = max(latest, clock.advance(step))
        for firing in bell.ring():
            assert timeframe.close_of(firing.last) + grace <= clock.now()
            fired.update(fired_bars(firing))

    first = timeframe.last_closed(now, grace) + timeframe.delta
    due = list(timeframe.range(first, timeframe.last_closed(latest, grace) + timeframe.delta))
    assert sorted(fired.elements()) == due


@given(moments, st.sets(timeframes, min_size=1), graces, st.integers(1, 30))
def test_waking_when_it_says_finds_each_bar_alone_and_in_order(
    now: datetime, several: set[Timeframe], grace: timedelta, wakes: int
) -> None:
    clock = FrozenClock(now)
    bell = BarClock(clock, several, grace)
    for _ in range(wakes):
        wake = bell.next_wake()
        assert clock.now() < wake <= clock.now() + min(several).delta
        clock.set(wake)
        firings = bell.ring()
        assert {firing.timeframe for firing in firings} == {
            timeframe for timeframe in several if timeframe.is_open_time(wake - grace)
        }
        for firing in firings:
            assert firing.first == firing.last == wake - grace - firing.timeframe.delta
        assert bell.ring() == []


@given(moments, timeframes, graces, st.sampled_from(JUMPS), st.timedeltas(timedelta(0), timedelta(days=2)))
def test_after_a_jump_the_gap_comes_in_one_firing_and_nothing_twice(
    now: datetime, timeframe: Timeframe, grace: timedelta, jump: timedelta, later: timedelta
) -> None:
    clock = FrozenClock(now)
    bell = BarClock(clock, [timeframe], grace)
    before = timeframe.last_closed(now, grace)

    clock.advance(jump)
    at_once = bell.ring()
    clock.set(max(clock.now(), now) + later)
    afterwards = bell.ring()

    assert len(at_once) <= 1
    assert len(afterwards) <= 1
    bars = [moment for firing in [*at_once, *afterwards] for moment in fired_bars(firing)]
    assert bars == list(
        timeframe.range(before + timeframe.delta, timeframe.last_closed(clock.now(), grace) + timeframe.delta)
    )
    if jump < timedelta(0):
        assert at_once == []


@pytest.mark.parametrize(("jump", "bars"), [(JUMPS[0], 10), (JUMPS[1], 0), (JUMPS[2], 180)])
def test_a_jump_by_so_much_makes_so_many_minutes_due(jump: timedelta, bars: int) -> None:
    clock = FrozenClock(datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC))
    bell = BarClock(clock, [Timeframe.parse("1m")], timedelta(seconds=1))
    clock.advance(jump)
    assert sum(len(fired_bars(firing)) for firing in bell.ring()) == bars


def test_at_the_full_hour_all_shorter_bars_close_together() -> None:
    clock = FrozenClock(datetime(2026, 1, 5, 12, 59, 30, tzinfo=UTC))
    bell = BarClock(clock, [Timeframe.parse(name) for name in ("1m", "5m", "1h", "4h")], timedelta(0))
    assert bell.next_wake() == datetime(2026, 1, 5, 13, 0, tzinfo=UTC)
    clock.set(bell.next_wake())
    assert {firing.timeframe.name for firing in bell.ring()} == {"1m", "5m", "1h"}
