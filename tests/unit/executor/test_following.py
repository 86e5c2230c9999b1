"""What the bot does about signals, loop by loop."""

from datetime import datetime, timedelta

import pandas as pd
import pytest

from quantbus_contracts.policy import Reason, TradingRules
from quantbus_contracts.testing import make_execution
from quantbus_executor.acting.attempts import Attempts
from quantbus_executor.ledger.rows import seen
from tests.unit.executor.rig import MINUTE, PAIR, PAIRS, SECOND, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_an_entry_is_filled_once_and_the_ledger_says_when_and_at_what_price(rig: Rig) -> None:
    signal = rig.publish(ref_price=99.0)
    rig.loop()
    rig.loop()
    rig.loop()
    assert rig.entries() == [signal.signal_id]
    row = rig.row(signal)
    assert (row.state.value, row.side, row.trade_id, row.order_ids) == (
        "filled",
        "enter_long",
        1,
        ("order-1",),
    )
    assert row.price == 100.0
    assert row.slippage == pytest.approx(1 / 99)
    assert row.accepted_at is not None
    assert row.ordered_at is not None
    assert row.filled_at is not None
    assert row.available_at <= row.seen_at <= row.accepted_at <= row.ordered_at <= row.filled_at


def test_the_same_publish_again_opens_nothing(rig: Rig) -> None:
    signal = rig.publish()
    rig.loop()
    rig.publish()
    rig.loop()
    assert rig.entries() == [signal.signal_id]


def test_a_closed_trade_is_not_opened_again_by_its_signal(rig: Rig) -> None:
    signal = rig.publish()
    rig.loop()
    rig.book.trades[0].is_open = False  # a stop, or a person
    rig.loop()
    assert len(rig.book.trades) == 1
    assert rig.fate(signal) == ("filled", None)


def test_a_revision_of_a_traded_signal_opens_nothing_and_leaves_its_row(rig: Rig) -> None:
    signal = rig.publish(score=0.1)
    rig.loop()
    rig.book.trades[0].is_open = False
    rig.publish(score=0.2)
    rig.loop()
    assert len(rig.book.trades) == 1
    assert rig.row(signal).version == 1


@pytest.mark.parametrize("bus_is_empty", [False, True])
def test_a_killed_bot_opens_no_second_trade(rig: Rig, bus_is_empty: bool) -> None:
    signal = rig.publish()
    rig.loop()
    if bus_is_empty:
        rig.ledger.rows.clear()
    rig.start()
    rig.loop()
    assert rig.entries() == [signal.signal_id]
    assert rig.fate(signal) == ("filled", None)


@pytest.mark.parametrize("ledger_is_down", [False, True])
def test_freqtrades_trades_alone_keep_a_signal_from_a_second_entry(rig: Rig, ledger_is_down: bool) -> None:
    rig.publish()
    rig.loop()
    rig.book.trades[0].is_open = False
    rig.ledger.rows.clear()
    rig.ledger.down = ledger_is_down
    rig.start()
    for _ in range(3):
        rig.loop()
    assert len(rig.book.trades) == 1


def test_a_trade_that_came_between_the_mark_and_the_order_stops_the_entry(rig: Rig) -> None:
    signal = rig.publish()
    rig.clock.advance(SECOND)
    rig.follower.on_loop(PAIRS)
    rig.open_trade("ETH/USDT", signal.signal_id)
    assert not rig.follower.entries.confirm(PAIR, signal.signal_id, "long")


def test_an_accepted_entry_is_not_accepted_again_while_its_order_is_on_its_way(rig: Rig) -> None:
    signal = rig.publish()
    rig.places_orders = False
    rig.loop()
    rig.loop()
    assert rig.fate(signal) == ("accepted", None)
    assert not rig.follower.entries.confirm(PAIR, signal.signal_id, "long")
    rig.publish(score=0.9, ts=signal.signal.ts)
    rig.loop()
    assert not rig.follower.entries.confirm(PAIR, signal.signal_id, "long")


def test_an_exit_closes_the_trade_and_is_noted_as_filled(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    leave = rig.publish("exit_long", ref_price=101.0)
    rig.loop()
    rig.loop()
    assert not rig.book.trades[0].is_open
    assert rig.book.trades[0].orders[-1].ft_order_tag == f"exit_signal:{leave.signal_id}"
    row = rig.row(leave)
    assert (row.state.value, row.side, row.trade_id) == ("filled", "exit_long", 1)
    assert row.slippage == pytest.approx(1 / 101)


def test_an_entry_revised_to_an_exit_closes_the_trade_it_opened(rig: Rig) -> None:
    signal = rig.publish()
    rig.loop()
    rig.publish("exit_long", ts=signal.signal.ts)
    rig.loop()
    rig.loop()
    assert not rig.book.trades[0].is_open
    row = rig.row(signal)
    assert (row.state.value, row.reason, row.version) == ("filled", "revised", 2)
    assert row.order_ids == ("order-1", "exit-1")


def test_an_exit_once_read_stands_over_newer_entries_a_restart_and_a_dead_bus(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    leave = rig.publish("exit_long")
    rig.places_orders = False  # the venue does not take the order
    rig.loop()
    rig.clock.advance(MINUTE)
    rig.publish("enter_long")
    rig.bus.down = True
    rig.start()
    rig.places_orders = True
    rig.loop()
    assert not rig.book.trades[0].is_open
    assert rig.book.trades[0].orders[-1].ft_order_tag == f"exit_signal:{leave.signal_id}"


def test_no_entry_is_made_while_the_bus_is_down_and_a_known_exit_goes_on(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    rig.publish("exit_long")
    other = rig.publish("enter_long", pair="ETH/USDT")
    rig.feed.refresh(PAIRS)
    rig.bus.down = rig.ledger.down = True
    rig.loop()
    assert not rig.book.trades[0].is_open
    assert len(rig.book.trades) == 1
    rig.bus.down = rig.ledger.down = False
    rig.loop()
    assert rig.entries()[1:] == [other.signal_id]


def test_a_bus_that_dies_between_the_mark_and_the_order_stops_the_entry(rig: Rig) -> None:
    signal = rig.publish()
    rig.clock.advance(SECOND)
    rig.follower.on_loop(PAIRS)
    rig.bus.down = True
    rig.feed.refresh(PAIRS)
    assert not rig.follower.entries.confirm(PAIR, signal.signal_id, "long")
    assert rig.fate(signal) == ("seen", "bus_down")


def test_an_answer_that_has_grown_old_stops_the_entry(rig: Rig) -> None:
    signal = rig.publish()
    rig.clock.advance(SECOND)
    rig.follower.on_loop(PAIRS)
    rig.clock.advance(timedelta(seconds=31))
    assert not rig.follower.entries.confirm(PAIR, signal.signal_id, "long")
    assert rig.fate(signal) == ("seen", "bus_down")


def test_a_signal_that_ends_between_the_mark_and_the_order_is_refused(rig: Rig) -> None:
    signal = rig.publish(valid_until=rig.clock.now() + 5 * SECOND)
    rig.clock.advance(SECOND)
    rig.follower.on_loop(PAIRS)
    rig.clock.advance(5 * SECOND)
    assert not rig.follower.entries.confirm(PAIR, signal.signal_id, "long")
    rig.loop()
    assert rig.fate(signal) == ("refused", "expired")


def test_an_expired_signal_is_refused_and_stays_refused_after_a_restart(rig: Rig) -> None:
    signal = rig.publish()
    rig.clock.advance(3 * MINUTE)
    rig.loop()
    rig.start()
    rig.loop()
    assert rig.entries() == []
    assert rig.fate(signal) == ("refused", "expired")


def test_a_late_signal_inside_its_interval_still_trades(rig: Rig) -> None:
    signal = rig.publish(ts=rig.clock.now() - 2 * MINUTE)
    rig.loop(passes=30 * SECOND)
    assert rig.entries() == [signal.signal_id]


def test_a_row_of_an_open_bar_hides_no_other_and_is_refused_once_that_bar_closes(rig: Rig) -> None:
    due = rig.publish()
    early = rig.publish(ts=rig.clock.now())
    rig.loop()
    assert rig.entries() == [due.signal_id]
    rig.book.trades[0].is_open = False
    rig.loop(passes=MINUTE)
    assert rig.entries() == [due.signal_id]
    assert rig.fate(early) == ("refused", "future_stamped")


def test_a_short_on_spot_is_refused(rig: Rig) -> None:
    signal = rig.publish("enter_short")
    rig.loop()
    assert rig.entries() == []
    assert rig.fate(signal) == ("refused", "spot_short")


def test_a_short_is_taken_and_left_where_shorts_are_possible() -> None:
    rig = Rig(TradingRules(can_short=True))
    rig.publish("enter_short")
    rig.loop()
    assert rig.book.trades[0].is_short
    rig.clock.advance(MINUTE)
    leave = rig.publish("exit_short")
    rig.loop()
    assert not rig.book.trades[0].is_open
    assert rig.row(leave).side == "exit_short"


def test_a_newer_signal_ends_one_that_still_waited(rig: Rig) -> None:
    first = rig.publish()
    rig.follower.on_loop(PAIRS)
    rig.clock.advance(MINUTE)
    second = rig.publish()
    rig.loop()
    assert rig.fate(first) == ("superseded", "superseded")
    assert rig.entries() == [second.signal_id]


def test_an_older_signal_that_waits_again_after_a_restart_ends_though_the_newest_was_traded(rig: Rig) -> None:
    older = rig.publish("enter_short")
    rig.clock.advance(MINUTE)
    rig.publish()
    rig.loop()
    assert len(rig.entries()) == 1
    again = seen(older, None, consumer_id="bot", now=rig.clock.now(), rules=rig.rules)
    rig.journal.put(again)  # as a rebuilt reversal that was left half done
    rig.loop()
    assert rig.fate(older) == ("superseded", "superseded")


def test_the_same_entry_while_in_position_waits_and_is_refused_when_its_time_is_over(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    again = rig.publish()
    rig.loop()
    assert rig.fate(again) == ("seen", "in_position")
    rig.loop(passes=3 * MINUTE)
    assert rig.fate(again) == ("refused", "in_position")


def test_an_order_that_never_followed_ends_as_rejected_and_is_not_tried_again(rig: Rig) -> None:
    signal = rig.publish()
    rig.places_orders = False
    rig.loop()
    rig.places_orders = True
    rig.loop(passes=31 * SECOND)
    rig.loop()
    assert rig.entries() == []
    assert rig.fate(signal) == ("rejected", "order_not_placed")


def test_a_bot_killed_between_decision_and_order_tries_again(rig: Rig) -> None:
    signal = rig.publish()
    rig.places_orders = False
    rig.loop()
    rig.journal.flush()
    rig.start()
    rig.places_orders = True
    rig.loop()
    assert rig.entries() == [signal.signal_id]
    assert rig.fate(signal) == ("filled", None)


def test_an_order_that_waits_is_ordered_and_one_cancelled_unfilled_is_rejected(rig: Rig) -> None:
    signal = rig.publish()
    rig.fills_orders = False
    rig.loop()
    rig.loop()
    assert rig.fate(signal) == ("ordered", None)
    rig.book.trades.clear()  # Freqtrade forgets a trade whose entry was cancelled unfilled
    rig.loop(passes=31 * SECOND)
    assert rig.fate(signal) == ("rejected", "order_cancelled")
    rig.fills_orders = True
    rig.loop()
    assert rig.entries() == []


def test_an_exit_overtaken_by_a_stop_says_so(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    leave = rig.publish("exit_long")
    rig.places_orders = False
    rig.loop()
    rig.book.trades[0].is_open = False
    rig.loop()
    assert rig.fate(leave) == ("rejected", "closed_otherwise")


def test_a_pair_whose_row_cannot_be_judged_keeps_no_other_from_trading(rig: Rig) -> None:
    rig.clock.advance(SECOND)
    signal, other = rig.publish(), rig.publish(pair="ETH/USDT")
    word = "a_word_of_another_version"
    rig.journal.put(make_execution(signal.signal, state="refused", reason=word, version=1))
    rig.loop()
    rig.loop()
    assert rig.entries() == [other.signal_id]
    assert rig.fate(signal) == ("refused", word)
    assert rig.fate(other) == ("filled", None)


def test_a_signal_that_still_waited_when_its_pair_left_comes_to_an_end(rig: Rig) -> None:
    signal = rig.publish()
    rig.follower.on_loop(PAIRS)
    others = [pair for pair in PAIRS if pair != PAIR]
    rig.clock.advance(MINUTE)
    rig.follower.on_loop(others)
    assert rig.fate(signal) == ("seen", None)
    rig.clock.advance(MINUTE)
    rig.follower.on_loop(others)
    assert rig.fate(signal) == ("refused", "stale")


def test_a_stake_that_is_no_number_opens_nothing(rig: Rig) -> None:
    signal = rig.publish()
    rig.clock.advance(SECOND)
    rig.follower.on_loop(PAIRS)
    assert rig.follower.entries.stake(PAIR, signal.signal_id, float("nan"), 1_000.0, 1_000.0) == 0.0
    assert rig.fate(signal) == ("seen", "stake_invalid")


def test_a_weight_stakes_its_share(rig: Rig) -> None:
    signal = rig.publish(None, weight=0.3)
    rig.clock.advance(SECOND)
    rig.follower.on_loop(PAIRS)
    assert rig.follower.entries.stake(PAIR, signal.signal_id, 100.0, 1_000.0, 900.0) == 300.0


def test_a_person_may_enter_but_not_in_the_name_of_a_signal(rig: Rig) -> None:
    signal = rig.publish()
    assert rig.follower.entries.confirm(PAIR, "force_entry", "long")
    assert rig.follower.entries.stake(PAIR, "force_entry", 50.0, 1_000.0, 1_000.0) == 50.0
    for tag in (signal.signal_id, "my idea", None):
        assert not rig.follower.entries.confirm(PAIR, tag, "long")


def test_a_trade_of_a_person_is_left_by_a_later_exit(rig: Rig) -> None:
    rig.publish("exit_long")
    rig.clock.advance(SECOND)
    rig.open_trade(PAIR, "force_entry")
    rig.loop()
    assert rig.book.open_trades()
    rig.clock.advance(MINUTE)
    leave = rig.publish("exit_long")
    rig.loop()
    assert not rig.book.open_trades()
    assert rig.fate(leave) == ("filled", "exit_signal")


def test_an_entry_on_the_other_side_than_the_signals_is_refused(rig: Rig) -> None:
    signal = rig.publish()
    rig.clock.advance(SECOND)
    rig.follower.on_loop(PAIRS)
    assert not rig.follower.entries.confirm(PAIR, signal.signal_id, "short")


def test_nothing_is_marked_after_a_loop_without_an_answer(rig: Rig) -> None:
    rig.publish()
    rig.clock.advance(SECOND)
    rig.follower.on_loop(PAIRS)
    rig.bus.down = True
    rig.follower.on_loop(PAIRS)
    marked = rig.follower.entries.mark(pd.DataFrame({"close": [1.0]}), PAIR)
    assert marked["enter_long"].sum() == 0


def test_nothing_is_marked_after_a_loop_that_could_not_look_at_freqtrades_trades(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.publish()
    rig.clock.advance(SECOND)
    rig.follower.on_loop(PAIRS)

    def locked(now: datetime) -> list[tuple[str, Reason]]:
        raise OSError("database is locked")

    monkeypatch.setattr(Attempts, "review", lambda attempts, now: locked(now))
    with pytest.raises(OSError, match="locked"):
        rig.follower.on_loop(PAIRS)
    marked = rig.follower.entries.mark(pd.DataFrame({"close": [1.0]}), PAIR)
    assert marked["enter_long"].sum() == 0


def test_the_bus_is_asked_once_a_loop_whatever_the_number_of_pairs(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    answer = rig.bus.newest

    def newest(strategy_id, timeframe, pairs, **bounds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN003, ANN202
        asked.append(tuple(pairs))
        return answer(strategy_id, timeframe, pairs, **bounds)

    monkeypatch.setattr(rig.bus, "newest", newest)
    rig.publish()
    rig.loop()
    rig.loop()
    assert asked == [PAIRS, PAIRS]


def test_the_bot_gives_a_sign_of_life_with_what_it_holds(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    rig.loop(passes=11 * SECOND)
    beat = rig.beats.beats["executor", "bot"]
    assert beat.at == rig.clock.now()
    assert beat.detail["open_trades"] == 1
    rig.loop(passes=9 * SECOND)
    assert rig.beats.beats["executor", "bot"] == beat
    assert beat.detail["unsent_ledger_rows"] == 0
