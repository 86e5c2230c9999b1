from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.market import Span
from quantbus_services.paper_exchange.recordings.replay import default_history, plan_replay
from tests.unit.services.paper_exchange.recordings import DAY, MINUTE, START

TWO_DAYS = timedelta(days=2)
NOW = START + 600 * DAY + 12_345_678


@settings(deadline=None)
@given(
    days=st.integers(4, 400),
    now=st.integers(START, START + 2000 * DAY),
    offset=st.integers(0, 5000),
)
def test_at_least_the_asked_history_lies_behind_now_and_time_of_day_survives(
    days: int, now: int, offset: int
) -> None:
    span = Span(START + offset * MINUTE, START + days * DAY + offset * MINUTE)
    plan = plan_replay({"A": span}, now_ms=now, bar_ms=MINUTE, history=TWO_DAYS)
    recorded_now = now - plan.shift_ms
    assert plan.keeps_time_of_day
    assert plan.shift_ms % DAY == 0
    assert 2 * DAY <= recorded_now - span.start_ms < 3 * DAY
    assert span.end_ms is not None
    assert recorded_now < span.end_ms


@settings(deadline=None)
@given(bars=st.integers(1, 3 * 1440), history=st.integers(1, 2000), now=st.integers(START, START + 900 * DAY))
def test_a_short_recording_moves_by_whole_bars_instead(bars: int, history: int, now: int) -> None:
    span = Span(START, START + bars * MINUTE)
    asked = timedelta(minutes=history)
    if bars <= history:
        with pytest.raises(ConfigError, match="--history"):
            plan_replay({"A": span}, now_ms=now, bar_ms=MINUTE, history=asked)
        return
    plan = plan_replay({"A": span}, now_ms=now, bar_ms=MINUTE, history=asked)
    assert plan.shift_ms % MINUTE == 0
    recorded_now = now - plan.shift_ms
    assert span.start_ms + history * MINUTE <= recorded_now < START + bars * MINUTE
    if not plan.keeps_time_of_day:
        assert recorded_now < span.start_ms + (history + 1) * MINUTE


def test_markets_keep_in_step_by_one_shift_for_all() -> None:
    spans = {"A": Span(START, START + 90 * DAY), "B": Span(START + 30 * DAY, START + 60 * DAY)}
    plan = plan_replay(spans, now_ms=NOW, bar_ms=MINUTE, history=TWO_DAYS)
    assert START + 32 * DAY <= NOW - plan.shift_ms < START + 33 * DAY


def test_markets_that_share_no_time_are_refused_with_their_ranges() -> None:
    spans = {"A": Span(START, START + 9 * DAY), "B": Span(START + 10 * DAY, START + 20 * DAY)}
    with pytest.raises(ConfigError, match="share no time at all") as refusal:
        plan_replay(spans, now_ms=NOW, bar_ms=MINUTE, history=TWO_DAYS)
    assert "A: 2025-03-01 00:00 .. 2025-03-10 00:00" in str(refusal.value)


def test_default_history_is_two_days_or_a_thousand_bars() -> None:
    assert default_history(MINUTE) == TWO_DAYS
    assert default_history(60 * MINUTE) == timedelta(hours=1000)
