"""When an entry may be made."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy import (
    DecisionKind,
    Reason,
    TradingRules,
    decide,
    entry_interval,
    first_bar_to_enter,
    is_future_stamped,
)
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from tests.unit.contracts.policy.rows import CLOSE, MINUTE, TS, published

RULES = TradingRules()
SECOND = timedelta(seconds=1)


def test_an_entry_lives_from_availability_to_the_end_of_the_tolerance() -> None:
    interval = entry_interval(published(), RULES)
    assert interval.start == CLOSE + SECOND
    assert interval.end == TS + 3 * MINUTE
    assert interval.ended_by is Reason.STALE


def test_a_row_that_was_on_the_bus_early_waits_for_its_bar_to_close() -> None:
    assert entry_interval(published(available_at=CLOSE - SECOND), RULES).start == CLOSE


@pytest.mark.parametrize(
    ("rules", "valid_until", "reason", "end"),
    [
        (TradingRules(), CLOSE + 30 * SECOND, Reason.EXPIRED, CLOSE + 30 * SECOND),
        (TradingRules(tolerance_bars=0), None, Reason.STALE, TS + 2 * MINUTE),
        (TradingRules(tolerance_bars=9), None, Reason.MAX_DELAY, CLOSE + 3 * MINUTE),
        (TradingRules(max_delay=40 * SECOND), None, Reason.MAX_DELAY, CLOSE + 40 * SECOND),
        (TradingRules(max_age_from_available=20 * SECOND), None, Reason.MAX_AGE, CLOSE + 21 * SECOND),
    ],
)
def test_the_reason_names_the_bound_that_ends_it(
    rules: TradingRules, valid_until: datetime | None, reason: Reason, end: datetime
) -> None:
    row = published(valid_until=valid_until)
    interval = entry_interval(row, rules)
    assert (interval.end, interval.ended_by) == (end, reason)
    assert decide(row, None, end - timedelta(milliseconds=1), rules).kind is DecisionKind.ENTER
    refused = decide(row, None, end, rules)
    assert refused.is_refusal
    assert refused.reason is reason


def test_a_row_that_came_after_its_own_end_has_no_moment_to_trade() -> None:
    late = published(available_at=TS + 5 * MINUTE)
    interval = entry_interval(late, RULES)
    assert interval.end <= interval.start
    assert decide(late, None, TS + 5 * MINUTE, RULES).reason is Reason.STALE


def test_only_more_than_the_skew_of_two_clocks_makes_a_row_future_stamped() -> None:
    assert not is_future_stamped(published(available_at=CLOSE - 2 * SECOND), RULES)
    assert is_future_stamped(published(available_at=CLOSE - 2 * SECOND - timedelta(milliseconds=1)), RULES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tolerance_bars": -1},
        {"max_delay": timedelta(0)},
        {"max_age_from_available": -SECOND},
        {"clock_skew": -SECOND},
        {"score_entry": 0.0},
        {"score_entry": float("nan")},
        {"score_entry": 0.4, "score_exit": 0.4},
    ],
)
def test_rules_that_make_no_sense_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=list(wrong)[-1]):
        TradingRules(**wrong)


rules_of_any_kind = st.builds(
    TradingRules,
    tolerance_bars=st.integers(0, 20),
    max_delay=st.none() | st.timedeltas(SECOND, timedelta(days=5)),
    max_age_from_available=st.none() | st.timedeltas(SECOND, timedelta(days=5)),
)
timeframes = st.sampled_from([Timeframe.parse(name) for name in SUPPORTED_TIMEFRAMES])
offsets = st.timedeltas(timedelta(days=-3), timedelta(days=3))


@given(rules=rules_of_any_kind, timeframe=timeframes, available=offsets, looked=offsets)
def test_no_entry_is_made_outside_the_law(
    rules: TradingRules, timeframe: Timeframe, available: timedelta, looked: timedelta
) -> None:
    ts = timeframe.floor(TS)
    close = timeframe.close_of(ts)
    row = published(ts=ts, timeframe=timeframe.name, available_at=close + available)
    now = close + looked
    decision = decide(row, None, now, rules)
    if decision.kind is DecisionKind.ENTER:
        assert now >= close
        assert now >= row.available_at
        assert now < row.valid_until
        assert now < ts + (2 + rules.tolerance_bars) * timeframe.delta
        assert now < close + (rules.max_delay or 3 * timeframe.delta)
        if rules.max_age_from_available is not None:
            assert now < row.available_at + rules.max_age_from_available
    else:
        assert now not in entry_interval(row, rules) or is_future_stamped(row, rules)


@given(
    rules=rules_of_any_kind, available=offsets, first=offsets, later=st.timedeltas(SECOND, timedelta(days=2))
)
def test_a_refusal_stands_however_long_one_waits(
    rules: TradingRules, available: timedelta, first: timedelta, later: timedelta
) -> None:
    row = published(available_at=CLOSE + available)
    refused = decide(row, None, CLOSE + first, rules)
    if refused.is_refusal:
        again = decide(row, None, CLOSE + first + later, rules)
        assert again.is_refusal


@given(
    rules=rules_of_any_kind,
    available=st.timedeltas(timedelta(0), timedelta(hours=1)),
    more=st.timedeltas(timedelta(0), timedelta(hours=1)),
)
def test_coming_later_never_starts_earlier_nor_lasts_longer_from_the_close(
    rules: TradingRules, available: timedelta, more: timedelta
) -> None:
    sooner = entry_interval(published(available_at=CLOSE + available), rules)
    later = entry_interval(published(available_at=CLOSE + available + more), rules)
    assert later.start >= sooner.start
    if rules.max_age_from_available is None:
        assert later.end == sooner.end


@given(tolerance=st.integers(0, 10), more=st.integers(0, 10))
def test_more_tolerance_never_ends_an_entry_earlier_nor_starts_it_sooner(tolerance: int, more: int) -> None:
    narrow = entry_interval(published(), TradingRules(tolerance_bars=tolerance))
    wide = entry_interval(published(), TradingRules(tolerance_bars=tolerance + more))
    assert wide.end >= narrow.end
    assert wide.start == narrow.start


@given(
    rules=rules_of_any_kind,
    available=offsets,
    extra=st.timedeltas(SECOND, timedelta(days=5)),
    age=st.timedeltas(SECOND, timedelta(days=5)),
)
def test_one_more_bound_never_makes_the_interval_longer(
    rules: TradingRules, available: timedelta, extra: timedelta, age: timedelta
) -> None:
    row = published(available_at=CLOSE + available)
    usual = entry_interval(row, rules)
    tighter = [
        entry_interval(published(available_at=CLOSE + available, valid_until=CLOSE + extra), rules)
        if CLOSE + extra <= row.valid_until
        else usual,
        entry_interval(row, replace(rules, max_delay=min(extra, rules.max_delay or 3 * MINUTE))),
        entry_interval(
            row, replace(rules, max_age_from_available=min(age, rules.max_age_from_available or age))
        ),
    ]
    for interval in tighter:
        assert interval.start == usual.start
        assert interval.end <= usual.end


@given(
    signals=timeframes,
    own=timeframes,
    available=st.timedeltas(timedelta(hours=-1), timedelta(days=2)),
    looked=offsets,
    rules=rules_of_any_kind,
)
def test_signals_of_longer_bars_are_never_early_in_shorter_ones(
    signals: Timeframe, own: Timeframe, available: timedelta, looked: timedelta, rules: TradingRules
) -> None:
    signals, own = max(signals, own), min(signals, own)
    ts = signals.floor(TS)
    row = published(ts=ts, timeframe=signals.name, available_at=ts + signals.delta + available)
    if decide(row, None, ts + looked, rules).kind is DecisionKind.ENTER:
        assert ts + looked >= max(ts + signals.delta, row.available_at)
    opens_at = first_bar_to_enter(row, rules, own)
    if opens_at is not None:
        assert own.is_open_time(opens_at)
        assert opens_at in entry_interval(row, rules)
        earlier = opens_at - own.delta
        assert earlier < max(ts + signals.delta, row.available_at), "and it is the first"


def test_a_daily_signal_enters_with_the_first_minute_of_the_next_day() -> None:
    day = Timeframe.parse("1d")
    midnight = day.close_of(day.floor(TS))
    on_time = published(ts=day.floor(TS), timeframe="1d", available_at=midnight)
    assert first_bar_to_enter(on_time, RULES, Timeframe.parse("1m")) == midnight
    late = published(ts=day.floor(TS), timeframe="1d", available_at=midnight + 90 * SECOND)
    assert first_bar_to_enter(late, RULES, Timeframe.parse("1m")) == midnight + 2 * MINUTE
    assert first_bar_to_enter(late, TradingRules(max_delay=100 * SECOND), Timeframe.parse("1m")) is None
