"""How fast a pair's position may change."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy import (
    Circumstances,
    Debounce,
    DecisionKind,
    PastTrade,
    Position,
    Reason,
    StandingExit,
    TradingRules,
    decide,
    flips,
)
from quantbus_contracts.schema import ControlKind
from tests.unit.contracts.policy.rows import CLOSE, MINUTE, TS, published

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = CLOSE + timedelta(seconds=5)
HOLDING = TradingRules(debounce=Debounce(minimum_hold=HOUR), can_short=True)


def past(*spans: tuple[float, float]) -> tuple[PastTrade, ...]:
    """Return trades by how many hours before `NOW` they opened and closed."""
    return tuple(PastTrade(NOW - begin * HOUR, NOW - end * HOUR) for begin, end in spans)


def test_nothing_is_debounced_unless_it_was_chosen() -> None:
    debounce = Debounce()
    assert debounce.looks_back is None
    assert not debounce.holds(NOW, NOW)
    assert debounce.entry_hold(past(*[(1, 0.5)] * 50), NOW) is None


@pytest.mark.parametrize("action", ["exit_long", "enter_short"])
def test_a_young_position_is_not_left_for_a_signal_and_an_older_one_is(action: str) -> None:
    young = Position("long", NOW - HOUR + MINUTE, "before", TS - MINUTE)
    held = decide(published(action), young, NOW, HOLDING)
    assert (held.kind, held.reason, held.final) == (DecisionKind.HOLD, Reason.MINIMUM_HOLD, False)
    assert decide(published(action), young, NOW + MINUTE, HOLDING).kind is DecisionKind.EXIT


def test_what_a_minimum_hold_does_not_delay() -> None:
    own = published("exit_long", version=2)
    withdrawn = Position("long", NOW, own.signal_id, TS)
    assert decide(own, withdrawn, NOW, HOLDING).reason is Reason.REVISED
    standing = Position("long", NOW, "x", TS, StandingExit("earlier", 1, Reason.EXIT_SIGNAL))
    assert decide(None, standing, NOW, HOLDING).kind is DecisionKind.EXIT
    flatten = Circumstances(control=ControlKind.FLATTEN)
    assert decide(None, Position("long", NOW), NOW, HOLDING, flatten).reason is Reason.FLATTEN


def test_a_pair_cools_down_after_its_position_ended() -> None:
    rules = TradingRules(debounce=Debounce(cool_down=HOUR))
    around = Circumstances(past=past((3, 2), (1.5, 0.99)))
    held = decide(published(), None, NOW, rules, around)
    assert (held.reason, held.final) == (Reason.COOL_DOWN, False)
    assert decide(published(), None, NOW, rules, Circumstances(past=past((3, 1)))).kind is DecisionKind.ENTER


@pytest.mark.parametrize(
    ("trades", "count"),
    [
        ([], 0),
        ([(30, 1)], 1),  # entering now follows the one that ended an hour ago
        ([(30, 26)], 0),  # that ended too long ago
        ([(5, 4), (3, 2)], 2),
        ([(30, 20), (5, 4), (3, 2)], 3),
        ([(30, 29), (28, 27)], 0),
        ([(47, 30), (23, 22)], 2),  # the entry of 23 hours ago came 7 hours after an end
    ],
)
def test_an_entry_soon_after_an_end_is_a_flip(trades: list[tuple[float, float]], count: int) -> None:
    assert flips(past(*trades), NOW) == count
    for limit in range(4):
        hold = Debounce(flips_per_day=limit).entry_hold(past(*trades), NOW)
        assert hold == (Reason.FLIP_LIMIT if count > limit else None)


@pytest.mark.parametrize(
    "wrong", [{"minimum_hold": -HOUR}, {"cool_down": timedelta(0)}, {"flips_per_day": -1}]
)
def test_values_that_make_no_sense_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Debounce(**wrong)


moments = st.timedeltas(timedelta(0), timedelta(days=4)).map(lambda ago: NOW - ago)
trades = st.lists(st.tuples(moments, moments).map(lambda pair: PastTrade(min(pair), max(pair))), max_size=12)


@given(trades=trades, now=st.timedeltas(timedelta(0), timedelta(days=4)).map(lambda later: NOW + later))
def test_what_looks_back_is_far_enough_to_decide_the_same(trades: list[PastTrade], now: datetime) -> None:
    debounce = Debounce(cool_down=6 * HOUR, flips_per_day=2)
    assert debounce.looks_back is not None
    recent = [trade for trade in trades if trade.closed_at > now - debounce.looks_back]
    assert debounce.entry_hold(recent, now) == debounce.entry_hold(trades, now)


@given(trades=trades, more=trades, limit=st.integers(0, 6))
def test_more_past_and_lower_limits_never_free_a_pair(
    trades: list[PastTrade], more: list[PastTrade], limit: int
) -> None:
    assert flips([*trades, *more], NOW) >= flips(trades, NOW)
    if Debounce(flips_per_day=limit + 1).entry_hold(trades, NOW) is not None:
        assert Debounce(flips_per_day=limit).entry_hold(trades, NOW) is Reason.FLIP_LIMIT


@given(trades=trades)
def test_every_hold_on_entries_passes_with_time(trades: list[PastTrade]) -> None:
    debounce = Debounce(cool_down=5 * HOUR, flips_per_day=0)
    assert debounce.entry_hold(trades, NOW + DAY) is None


@given(seed=st.lists(st.booleans(), min_size=1, max_size=60), limit=st.integers(0, 5))
def test_a_signal_that_flaps_all_day_enters_at_most_once_more_than_the_limit(
    seed: list[bool], limit: int
) -> None:
    debounce = Debounce(flips_per_day=limit)
    done: list[PastTrade] = []
    opened: datetime | None = None
    entries = 0
    for minute, wanted in enumerate(seed):
        now = NOW + minute * MINUTE
        if wanted and opened is None and debounce.entry_hold(done, now) is None:
            opened, entries = now, entries + 1
        elif not wanted and opened is not None:
            done.append(PastTrade(opened, now))
            opened = None
    assert entries <= limit + 1
