"""The small parts: columns, tags, the guard, the gate, positions, the session, the feed."""

from datetime import timedelta

import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy import Decision, DecisionKind, Reason, StandingExit
from quantbus_contracts.testing import FakeExecutionStore, make_execution
from quantbus_executor import FOLLOWING, fails_to, mark_no_exits
from quantbus_executor.acting.columns import mark_entry
from quantbus_executor.acting.gate import EntryGate
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.session import Session
from quantbus_executor.trades.positions import ENTRY_KEY, EXIT_KEY, Positions
from quantbus_executor.trades.tags import (
    entry_tag,
    exit_tag,
    resize_tag,
    signal_of_entry_tag,
    signal_of_exit_tag,
    signal_of_resize_tag,
    version_of_resize_tag,
)
from tests.unit.executor.rig import MINUTE, PAIRS, SECOND, FakeBook, FakeTrade, Rig

ID = "0123456789abcdef" * 2


def test_only_the_last_row_is_marked() -> None:
    frame = pd.DataFrame({"close": [1.0, 2.0, 3.0]}, index=[5, 6, 7])
    marked = mark_entry(frame, "long", ID)
    assert marked["enter_long"].tolist() == [0, 0, 1]
    assert marked["enter_short"].tolist() == [0, 0, 0]
    assert marked["enter_tag"].tolist() == [None, None, ID]
    assert marked["close"].tolist() == [1.0, 2.0, 3.0]
    assert "enter_long" not in frame


def test_without_an_entry_former_marks_are_wiped() -> None:
    marked = mark_entry(pd.DataFrame({"close": [1.0, 2.0]}), "short", ID)
    wiped = mark_entry(marked, None, None)
    assert wiped[["enter_long", "enter_short"]].to_numpy().sum() == 0
    assert wiped["enter_tag"].isna().all()


def test_an_empty_frame_stays_empty() -> None:
    assert mark_entry(pd.DataFrame({"close": []}), "long", ID).empty
    assert mark_no_exits(pd.DataFrame({"close": [1.0]}))["exit_long"].tolist() == [0]


def test_the_id_travels_through_tags_that_freqtrade_keeps_whole() -> None:
    assert signal_of_entry_tag(entry_tag(ID)) == ID
    for reason in (Reason.EXIT_SIGNAL, Reason.REVERSAL, Reason.REVISED, None):
        assert signal_of_exit_tag(exit_tag(ID, reason)) == ID
        assert len(exit_tag(ID, reason)) <= 255
    for tag in (None, "", "force_entry", "stop_loss", ID[:-1], ID + "0", "ROI:" + ID):
        assert signal_of_entry_tag(tag) is None
        assert signal_of_exit_tag(tag) is None


def test_the_tag_of_a_resizing_order_names_signal_and_revision_and_is_no_other_tag() -> None:
    tag = resize_tag(ID, 12)
    assert (signal_of_resize_tag(tag), version_of_resize_tag(tag)) == (ID, 12)
    assert signal_of_entry_tag(tag) is None
    assert signal_of_exit_tag(tag) is None
    for other in (None, ID, exit_tag(ID, Reason.REVERSAL), "stop_crossed"):
        assert (signal_of_resize_tag(other), version_of_resize_tag(other)) == (None, None)


def test_a_callback_that_fails_answers_what_is_safe(caplog: pytest.LogCaptureFixture) -> None:
    @fails_to(False)
    def confirm() -> bool:
        raise RuntimeError("boom")

    assert confirm() is False
    assert "boom" in caplog.text


def test_an_interrupt_is_not_swallowed() -> None:
    @fails_to(False)
    def confirm() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        confirm()


def test_before_the_bot_has_started_there_is_nobody_to_ask() -> None:
    with pytest.raises(ConfigError, match="expected a started bot"):
        _ = FOLLOWING.follower


@pytest.mark.parametrize("mode", ["live", "plot"])  # live: without a venue to ask about orders in doubt
def test_a_mode_in_which_we_would_trade_wrongly_is_refused(mode: str) -> None:
    with pytest.raises(ConfigError, match=f"found run mode '{mode}'"):
        Session().start({"timeframe": "1m"}, FakeBook(), mode)


@pytest.mark.parametrize("key", ["use_exit_signal", "use_custom_stoploss"])
def test_a_config_under_which_exits_or_stops_are_never_asked_for_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"expected {key} true, found false"):
        Session().start({"timeframe": "1m", key: False}, FakeBook(), "dry_run")


def _trade(number: int = 1, opened_after: timedelta = timedelta(0)) -> FakeTrade:
    return FakeTrade(number, "BTC/USDT", ID, make_execution().seen_at + opened_after)


def test_what_is_kept_with_a_trade_survives_a_restart() -> None:
    trade, row = _trade(), make_execution()
    positions = Positions()
    assert positions.of(trade).ts is None
    positions.keep_entry(trade, row)
    decision = Decision(DecisionKind.EXIT, "long", Reason.EXIT_SIGNAL, "leave", 3)
    positions.keep_exit(trade, decision)
    for memory in (positions, Positions()):
        position = memory.of(trade)
        assert position.ts == row.ts
        assert position.standing_exit == StandingExit("leave", 3, Reason.EXIT_SIGNAL)


def test_the_first_exit_read_stands() -> None:
    trade, positions = _trade(), Positions()
    positions.keep_exit(trade, Decision(DecisionKind.EXIT, "long", Reason.EXIT_SIGNAL, "first", 1))
    kept = positions.keep_exit(trade, Decision(DecisionKind.EXIT, "long", Reason.REVERSAL, "second", 1))
    assert kept.signal_id == "first"


def test_an_exit_noted_by_another_version_stands_though_its_reason_is_not_known_here() -> None:
    trade = _trade()
    trade.custom_data[EXIT_KEY] = {"signal_id": "leave", "version": 1, "reason": "a_word_of_another_version"}
    assert Positions().of(trade).standing_exit == StandingExit("leave", 1, Reason.EXIT_SIGNAL)


def test_notes_of_another_version_silence_no_loop_and_an_exit_among_them_stands() -> None:
    trade = _trade()
    trade.custom_data = {ENTRY_KEY: {"ts": "yesterday"}, EXIT_KEY: {"because": "of something"}}
    position = Positions().of(trade)
    assert position.ts is None
    assert position.standing_exit == StandingExit("", 0, Reason.EXIT_SIGNAL)
    trade.custom_data[ENTRY_KEY] = {"ts": "2026-01-01T00:00:00"}  # of which zone it does not say
    assert Positions().of(trade).ts is None


def test_a_new_trade_with_the_number_of_a_deleted_one_inherits_no_exit() -> None:
    positions = Positions()
    positions.keep_exit(_trade(), Decision(DecisionKind.EXIT, "long", Reason.EXIT_SIGNAL, "leave", 1))
    assert positions.of(_trade(opened_after=MINUTE)).standing_exit is None


def test_a_signal_that_any_trade_carries_is_a_duplicate_whatever_the_journal_knows() -> None:
    journal = Journal(FakeExecutionStore(), "bot")
    gate = EntryGate(FakeBook([_trade()]), journal)
    assert gate.refusal(ID, 1, "BTC/USDT") is Reason.DUPLICATE
    assert gate.refusal(ID[::-1], 1, "BTC/USDT") is None


@pytest.mark.parametrize(
    ("state", "side", "version", "refusal"),
    [
        ("seen", "enter_long", 1, None),
        ("accepted", "enter_long", 1, Reason.DUPLICATE),
        ("ordered", "enter_long", 2, Reason.DUPLICATE),
        ("filled", "enter_short", 2, Reason.DUPLICATE),
        ("filled", "exit_long", 2, None),
        ("refused", "enter_long", 1, Reason.SPOT_SHORT),
        ("refused", "enter_long", 2, None),
    ],
)
def test_what_was_decided_before_binds_the_gate(
    state: str, side: str, version: int, refusal: Reason | None
) -> None:
    journal = Journal(FakeExecutionStore(), "bot")
    row = make_execution(state=state, side=side, reason="spot_short" if state == "refused" else None)
    journal.put(row)
    assert EntryGate(FakeBook(), journal).refusal(row.signal_id, version, row.pair) == refusal


def test_a_refusal_in_the_words_of_another_version_binds_too() -> None:
    journal = Journal(FakeExecutionStore(), "bot")
    row = make_execution(state="refused", side="enter_long", reason="a_word_of_another_version")
    journal.put(row)
    assert EntryGate(FakeBook(), journal).refusal(row.signal_id, row.version, row.pair) is Reason.DUPLICATE


def test_the_feed_tells_the_databases_time_also_between_answers() -> None:
    rig = Rig()
    rig.feed.refresh(PAIRS)
    heard = rig.feed.now()
    rig.clock.advance(7 * SECOND)
    assert rig.feed.now() - heard == 7 * SECOND
    assert rig.feed.answer_age == 7 * SECOND


def test_a_bus_that_fails_once_stops_entries_until_it_answers_again() -> None:
    rig = Rig()
    may_enter = [rig.feed.may_enter]
    for down in (False, True, False):
        rig.bus.down = down
        assert rig.feed.refresh(PAIRS) is not down
        may_enter.append(rig.feed.may_enter)
    assert may_enter == [False, True, False, True]


def test_an_outage_is_logged_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.bus.down = True
    with caplog.at_level("INFO"):
        for _ in range(5):
            rig.feed.refresh(PAIRS)
        rig.bus.down = False
        rig.feed.refresh(PAIRS)
    assert caplog.text.count("does not answer") == 1
    assert caplog.text.count("answers again") == 1
