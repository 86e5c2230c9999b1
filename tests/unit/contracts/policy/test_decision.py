"""What is done about a pair."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.policy import (
    DecisionKind,
    Position,
    Reason,
    StandingExit,
    TradingRules,
    decide,
    requested_action,
    wish_of,
)
from quantbus_contracts.schema import PublishedSignal
from tests.unit.contracts.policy.rows import CLOSE, MINUTE, TS, published

RULES = TradingRules()
BOTH_SIDES = TradingRules(can_short=True)
NOW = CLOSE + timedelta(seconds=5)
LONG = Position("long", opened_at=TS - MINUTE, signal_id="before", ts=TS - 2 * MINUTE)


def test_nothing_is_done_without_a_signal() -> None:
    decision = decide(None, None, NOW, RULES)
    assert (decision.kind, decision.reason, decision.is_refusal) == (DecisionKind.HOLD, None, False)


def test_an_entry_names_the_signal_and_the_revision_it_acts_on() -> None:
    row = published(version=3)
    decision = decide(row, None, NOW, RULES)
    assert (decision.kind, decision.side) == (DecisionKind.ENTER, "long")
    assert (decision.signal_id, decision.version) == (row.signal_id, 3)


def test_an_entry_is_not_made_before_its_bar_closes() -> None:
    early = published(available_at=CLOSE - timedelta(seconds=1))
    waiting = decide(early, None, CLOSE - timedelta(milliseconds=500), RULES)
    assert (waiting.kind, waiting.reason, waiting.final) == (DecisionKind.HOLD, Reason.NOT_CLOSED, False)
    assert decide(early, None, CLOSE, RULES).kind is DecisionKind.ENTER


def test_a_row_from_the_future_is_refused_and_stays_refused_once_its_bar_closed() -> None:
    row = published(available_at=TS + timedelta(seconds=10))
    for now in (TS + timedelta(seconds=11), CLOSE, CLOSE + MINUTE):
        decision = decide(row, None, now, RULES)
        assert decision.is_refusal
        assert decision.reason is Reason.FUTURE_STAMPED


@pytest.mark.parametrize("origin", ["backfill", "replay"])
@pytest.mark.parametrize("action", ["enter_long", "exit_long"])
@pytest.mark.parametrize("position", [None, LONG])
def test_rows_of_another_origin_neither_enter_nor_exit(
    action: str, origin: str, position: Position | None
) -> None:
    decision = decide(published(action, origin=origin), position, NOW, RULES)
    assert decision.is_refusal
    assert decision.reason == f"origin_{origin}"


def test_a_replay_row_trades_in_a_replay_database_and_a_backfilled_one_never() -> None:
    rules = TradingRules(accept_replay=True)
    assert decide(published(origin="replay"), None, NOW, rules).kind is DecisionKind.ENTER
    assert decide(published(origin="backfill"), None, NOW, rules).reason is Reason.ORIGIN_BACKFILL


def test_a_short_is_refused_where_none_can_be_held() -> None:
    refused = decide(published("enter_short"), None, NOW, RULES)
    assert refused.is_refusal
    assert refused.reason is Reason.SPOT_SHORT
    taken = decide(published("enter_short"), None, NOW, BOTH_SIDES)
    assert (taken.kind, taken.side) == (DecisionKind.ENTER, "short")


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=5), timedelta(days=90)])
def test_an_exit_does_not_expire(later: timedelta) -> None:
    row = published("exit_long", valid_until=CLOSE + timedelta(seconds=10))
    decision = decide(row, LONG, NOW + later, RULES)
    assert (decision.kind, decision.side, decision.reason) == (DecisionKind.EXIT, "long", Reason.EXIT_SIGNAL)


def test_old_exits_are_skipped_only_where_that_was_chosen() -> None:
    rules = TradingRules(act_on_old_exits=False)
    assert decide(published("exit_long"), LONG, NOW, rules).kind is DecisionKind.EXIT
    skipped = decide(published("exit_long"), LONG, TS + 3 * MINUTE, rules)
    assert skipped.is_refusal
    assert skipped.reason is Reason.OLD_EXIT


def test_an_exit_waits_for_its_bar_to_close() -> None:
    row = published("exit_long", available_at=TS + timedelta(seconds=10))
    assert decide(row, LONG, CLOSE - timedelta(seconds=1), RULES).reason is Reason.NOT_CLOSED
    assert decide(row, LONG, CLOSE, RULES).kind is DecisionKind.EXIT


def test_an_exit_that_was_read_once_stands_whatever_the_bus_says_later() -> None:
    standing = StandingExit("earlier", 2, Reason.EXIT_SIGNAL)
    position = Position("long", TS, "before", TS, standing_exit=standing)
    for newest in (None, published("enter_long"), published("exit_long", origin="backfill")):
        decision = decide(newest, position, NOW, RULES)
        assert (decision.kind, decision.signal_id, decision.version) == (DecisionKind.EXIT, "earlier", 2)


def test_an_entry_revised_to_an_exit_ends_the_position_it_opened() -> None:
    revised = published("exit_long", version=2)
    position = Position("long", NOW, revised.signal_id, TS)
    decision = decide(revised, position, NOW + timedelta(hours=1), RULES)
    assert (decision.kind, decision.reason) == (DecisionKind.EXIT, Reason.REVISED)


def test_the_signal_that_opened_the_position_has_nothing_further_to_say() -> None:
    row = published()
    decision = decide(row, Position("long", NOW, row.signal_id, TS), NOW, RULES)
    assert (decision.kind, decision.reason, decision.final) == (DecisionKind.HOLD, None, False)


def test_the_opposite_entry_ends_the_position_even_where_it_cannot_be_taken_itself() -> None:
    decision = decide(published("enter_short"), LONG, NOW, RULES)
    assert (decision.kind, decision.side, decision.reason) == (DecisionKind.EXIT, "long", Reason.REVERSAL)


def test_the_same_entry_again_waits_for_the_position_to_end_until_its_time_is_over() -> None:
    row = published()
    waiting = decide(row, LONG, NOW, RULES)
    assert (waiting.reason, waiting.final) == (Reason.IN_POSITION, False)
    assert decide(row, None, NOW, RULES).kind is DecisionKind.ENTER
    over = decide(row, LONG, TS + 3 * MINUTE, RULES)
    assert over.is_refusal
    assert over.reason is Reason.IN_POSITION


@pytest.mark.parametrize(
    ("action", "position"), [("exit_long", None), ("exit_short", None), ("exit_short", LONG)]
)
def test_an_exit_of_what_is_not_held_is_refused(action: str, position: Position | None) -> None:
    decision = decide(published(action), position, NOW, RULES)
    assert decision.is_refusal
    assert decision.reason is Reason.NOTHING_TO_EXIT


def test_an_exit_about_an_earlier_bar_does_not_end_a_later_position() -> None:
    later = Position("long", NOW, "later", TS + MINUTE)
    assert decide(published("exit_long"), later, NOW, RULES).reason is Reason.NOTHING_TO_EXIT


def test_a_position_of_someone_else_is_ended_only_by_exits_that_came_after_it() -> None:
    row = published("exit_long")
    before = Position("long", opened_at=row.available_at - timedelta(seconds=1))
    after = Position("long", opened_at=row.available_at + timedelta(seconds=1))
    assert decide(row, before, NOW, RULES).kind is DecisionKind.EXIT
    assert decide(row, after, NOW, RULES).kind is DecisionKind.HOLD


@pytest.mark.parametrize(
    ("fields", "take", "leave"),
    [
        ({"action": "enter_long", "weight": -1.0, "score": -1.0}, "long", {"short"}),
        ({"action": "exit_long", "weight": 1.0}, None, {"long"}),
        ({"action": None, "weight": 0.2, "score": -1.0}, "long", {"short"}),
        ({"action": None, "weight": -0.2, "score": 1.0}, "short", {"long"}),
        ({"action": None, "weight": 0.0}, None, {"long", "short"}),
        ({"action": None, "score": 0.5}, "long", {"short"}),
        ({"action": None, "score": 0.49}, None, {"short"}),
        ({"action": None, "score": 0.0}, None, {"long", "short"}),
        ({"action": None, "score": -0.49}, None, {"long"}),
        ({"action": None, "score": -0.5}, "short", {"long"}),
    ],
)
def test_action_outranks_weight_and_weight_outranks_score(
    fields: dict[str, Any], take: str | None, leave: set[str]
) -> None:
    wish = wish_of(published(**fields).signal, RULES)
    assert wish.take == take
    assert set(wish.leave) == leave


def test_a_score_that_asks_for_nothing_says_so() -> None:
    row = published(None, score=0.3)
    assert decide(row, None, NOW, RULES).reason is Reason.BELOW_THRESHOLD
    assert decide(row, LONG, NOW, RULES).reason is Reason.BELOW_THRESHOLD
    assert decide(published(None, score=-0.1), LONG, NOW, RULES).kind is DecisionKind.EXIT


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({"action": "exit_short"}, "exit_short"),
        ({"action": None, "weight": 0.4}, "enter_long"),
        ({"action": None, "weight": -0.4}, "enter_short"),
        ({"action": None, "score": -0.1}, "exit_long"),
        ({"action": None, "score": 0.1}, "exit_short"),
        ({"action": None, "weight": 0.0}, None),
    ],
)
def test_every_signal_amounts_to_one_action_or_depends_on_the_position(
    fields: dict[str, Any], action: str
) -> None:
    assert requested_action(published(**fields), RULES) == action


signals = st.builds(
    lambda action, weight, score, offset: published(
        action, weight=weight, score=score, available_at=CLOSE + offset
    ),
    action=st.sampled_from(["enter_long", "exit_long", "enter_short", "exit_short", None]),
    weight=st.none() | st.floats(-1, 1),
    score=st.floats(-1, 1),
    offset=st.timedeltas(timedelta(0), timedelta(minutes=5)),
)


@given(row=signals, looked=st.timedeltas(timedelta(0), timedelta(days=30)))
def test_an_exit_once_decided_is_decided_at_every_later_time(row: PublishedSignal, looked: timedelta) -> None:
    position = Position("long", TS, "before", TS - MINUTE)
    now = row.available_at + looked
    if decide(row, position, now, BOTH_SIDES).kind is DecisionKind.EXIT:
        assert decide(row, position, now + timedelta(days=365), BOTH_SIDES).kind is DecisionKind.EXIT


@given(row=signals, looked=st.timedeltas(timedelta(days=-1), timedelta(days=30)))
def test_a_flat_pair_is_never_exited_and_a_held_one_never_entered(
    row: PublishedSignal, looked: timedelta
) -> None:
    now = CLOSE + looked
    assert decide(row, None, now, BOTH_SIDES).kind is not DecisionKind.EXIT
    for side in ("long", "short"):
        held = Position(side, TS, "before", TS - MINUTE)
        assert decide(row, held, now, BOTH_SIDES).kind is not DecisionKind.ENTER


@given(row=signals, looked=st.timedeltas(timedelta(days=-1), timedelta(days=30)))
def test_a_refusal_always_has_a_reason(row: PublishedSignal, looked: timedelta) -> None:
    decision = decide(row, None, CLOSE + looked, RULES)
    assert decision.reason is not None or not decision.is_refusal
