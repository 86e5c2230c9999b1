"""The ledger is brought in line with Freqtrade's own trades."""

from datetime import timedelta

import pytest

from quantbus_contracts.schema import Execution, ExecutionState
from quantbus_contracts.testing import make_execution, make_signal
from quantbus_executor.ledger.settlement import settled, slippage
from tests.unit.executor.rig import MINUTE, PAIR, PAIRS, SECOND, FakeOrder, FakeTrade, Rig


def test_rows_that_the_bus_never_got_are_rebuilt_from_the_trades() -> None:
    rig = Rig()
    entry = rig.publish(ref_price=100.0)
    rig.loop()
    rig.clock.advance(MINUTE)
    leave = rig.publish("exit_long", ref_price=100.0)
    rig.loop()
    rig.ledger.rows.clear()
    rig.clock.advance(timedelta(days=3))  # a long outage: the newest signals are old as well
    rig.start()
    rig.loop()
    rig.journal.flush()
    for signal, side, order in ((entry, "enter_long", "order-1"), (leave, "exit_long", "exit-1")):
        row = rig.row(signal)
        assert (row.state.value, row.side, row.trade_id) == ("filled", side, 1)
        assert (row.price, row.slippage) == (100.0, 0.0)
        assert order in row.order_ids


def test_a_fill_that_the_ledger_only_knows_as_seen_is_put_right_after_a_restart() -> None:
    rig = Rig()
    entry = rig.publish()
    rig.follower.on_loop(PAIRS)  # the ledger on the bus says: seen
    rig.ledger.down = True
    rig.loop()
    rig.ledger.down = False
    rig.start()
    rig.loop()
    assert rig.fate(entry) == ("filled", None)
    assert rig.entries() == [entry.signal_id]


def test_a_signal_revised_after_it_was_traded_is_rebuilt_with_its_exit() -> None:
    rig = Rig()
    entry = rig.publish()
    rig.loop()
    rig.publish("exit_long", ts=entry.signal.ts)
    rig.loop()
    rig.ledger.rows.clear()
    rig.start()
    rig.loop()
    rig.journal.flush()
    row = rig.row(entry)
    assert (row.state.value, row.side) == ("filled", "exit_long")


def test_trades_whose_signals_are_gone_are_passed_over() -> None:
    rig = Rig()
    rig.publish()
    rig.loop()
    rig.ledger.rows.clear()
    rig.bus.signals.clear()
    rig.start()
    rig.loop()
    assert rig.ledger.rows == {}


def test_a_ledger_that_cannot_be_read_back_keeps_no_new_signal_from_trading() -> None:
    rig = Rig()
    rig.clock.advance(SECOND)
    signal = rig.publish()
    rig.ledger.down = True
    for _ in range(5):
        rig.loop()
    assert rig.entries() == [signal.signal_id]
    rig.ledger.down = False
    rig.loop()
    assert rig.fate(signal) == ("filled", None)


def test_a_signal_from_before_a_restart_waits_until_it_is_known_what_was_decided_about_it() -> None:
    rig = Rig()
    signal = rig.publish()
    rig.ledger.down = True
    rig.loop()
    assert rig.entries() == []
    rig.ledger.down = False
    rig.loop()
    assert rig.entries() == [signal.signal_id]


def test_signals_seen_before_a_restart_and_overtaken_since_come_to_an_end() -> None:
    rig = Rig()
    first = rig.publish()
    rig.follower.on_loop(PAIRS)
    rig.start()
    rig.clock.advance(MINUTE)
    rig.publish()
    rig.loop()
    assert rig.fate(first) == ("superseded", "superseded")


@pytest.mark.parametrize("left", [False, True])
def test_what_the_ledger_says_about_an_old_newest_signal_stands_after_a_restart(left: bool) -> None:
    rig = Rig()
    entry = rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    if left:
        rig.publish("exit_long")
    rig.loop()
    rig.loop()
    before = dict(rig.ledger.rows)
    rig.clock.advance(timedelta(days=3))
    rig.start()
    rig.loop()
    rig.loop()
    assert rig.ledger.rows == before
    assert rig.fate(entry) == ("filled", None)


def test_a_refusal_of_an_old_newest_signal_keeps_its_reason_after_a_restart() -> None:
    rig = Rig()
    rig.open_trade(PAIR, "force_entry")
    entry = rig.publish()
    rig.loop()
    rig.loop(passes=3 * MINUTE)
    assert rig.fate(entry) == ("refused", "in_position")
    row = rig.row(entry)
    rig.book.trades[0].is_open = False
    rig.clock.advance(timedelta(days=3))
    rig.start()
    rig.loop()
    rig.journal.flush()
    assert rig.row(entry) == row


def test_a_row_that_memory_had_no_room_for_is_read_back_and_not_begun_anew() -> None:
    rig = Rig(most_rows=3)
    entry = rig.publish()
    rig.loop()
    rig.loop()
    row = rig.row(entry)
    assert row.state is ExecutionState.FILLED
    for _ in range(6):
        rig.clock.advance(MINUTE)
        rig.publish("exit_long", pair="ETH/USDT")
        rig.loop()
        assert rig.row(entry) == row


def test_a_signal_revised_days_after_it_was_traded_keeps_its_trade_in_its_row() -> None:
    rig = Rig()
    entry = rig.publish()
    rig.loop()
    rig.loop()
    rig.clock.advance(timedelta(days=3))
    rig.start()
    rig.publish("exit_long", ts=entry.signal.ts)
    rig.loop()
    rig.loop()
    assert rig.fate(entry) == ("filled", "revised")
    assert rig.row(entry).order_ids == ("order-1", "exit-1")


def test_a_ledger_that_answers_late_after_a_restart_is_read_back_all_the_same() -> None:
    rig = Rig()
    first = rig.publish()
    rig.follower.on_loop(PAIRS)
    rig.ledger.down = True
    rig.clock.advance(MINUTE)
    rig.start()
    rig.publish()
    for _ in range(20):
        rig.loop()
    rig.ledger.down = False
    for _ in range(20):
        rig.loop()
    assert rig.fate(first) == ("superseded", "superseded")


def test_an_exit_from_before_a_restart_that_fills_later_is_noted_however_old_it_is() -> None:
    rig = Rig()
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    leave = rig.publish("exit_long")
    rig.places_orders = False  # the venue takes no order
    rig.loop()
    rig.clock.advance(timedelta(days=3))
    rig.publish("enter_long")
    rig.start()
    rig.loop()
    rig.places_orders = True
    rig.loop()
    rig.loop()
    assert not rig.book.trades[0].is_open
    assert rig.fate(leave) == ("filled", "exit_signal")


def test_a_rebuilt_row_gives_no_reason_that_it_was_not_traded() -> None:
    rig = Rig()
    entry = rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    leave = rig.publish("exit_long")
    rig.loop()
    rig.ledger.rows.clear()
    rig.start()
    rig.loop()
    assert rig.fate(entry) == ("filled", None)
    assert rig.fate(leave) == ("filled", "exit_signal")
    row = rig.row(leave)
    assert row.ordered_at is not None
    assert row.seen_at <= row.ordered_at


def test_an_entry_accepted_by_this_process_is_not_released_by_a_late_reading_of_the_ledger() -> None:
    rig = Rig()
    rig.clock.advance(SECOND)
    signal = rig.publish()
    rig.places_orders = False
    rig.ledger.down = True
    rig.loop()
    rig.ledger.down = False
    rig.journal.flush()  # the bus now says: accepted
    row = rig.row(signal)
    assert row.state is ExecutionState.ACCEPTED
    for _ in range(15):
        rig.loop()
    assert rig.row(signal) == row


def test_a_ledger_row_that_nobody_can_read_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.publish()
    rig.loop()
    rig.start()

    def unreadable(*_: object, **__: object) -> list[Execution]:
        raise ValueError("a row of another version of quantbus")

    monkeypatch.setattr(rig.ledger, "since", unreadable)
    monkeypatch.setattr(rig.ledger, "of_signal", unreadable)
    rig.clock.advance(MINUTE)
    other = rig.publish("enter_long", pair="ETH/USDT")
    rig.loop()
    rig.loop()
    assert rig.fate(other) == ("filled", None)
    assert rig.beats.beats


@pytest.mark.parametrize(
    ("price", "ref_price", "buying", "worse"),
    [
        (101.0, 100.0, True, 0.01),
        (99.0, 100.0, True, -0.01),
        (99.0, 100.0, False, 0.01),
        (99.0, None, True, None),
        (
            50_000.0,
            0.001,
            True,
            None,
        ),  # a reference in another unit: no slippage, and none that the bus would refuse
        (50_000.0, 5e-324, True, None),
    ],
)
def test_slippage_is_positive_where_it_hurts(
    price: float, ref_price: float | None, buying: bool, worse: float | None
) -> None:
    assert slippage(price, ref_price, buying=buying) == (worse if worse is None else pytest.approx(worse))


def test_an_order_that_was_open_over_a_restart_fills_with_its_slippage() -> None:
    rig = Rig()
    entry = rig.publish(ref_price=99.0)
    rig.fills_orders = False
    rig.loop()
    rig.loop()
    assert rig.fate(entry) == ("ordered", None)
    rig.start()
    rig.loop()
    rig.fill(rig.book.trades[0], rig.book.trades[0].orders[0])
    assert rig.fate(entry) == ("filled", None)
    assert rig.row(entry).slippage == pytest.approx(1 / 99)


def test_a_fill_is_noted_however_absurd_the_reference_price_is() -> None:
    rig = Rig()
    signal = rig.publish(ref_price=5e-324)
    rig.loop()
    assert rig.fate(signal) == ("filled", None)


def _row(**fields: object) -> Execution:
    return make_execution(make_signal(), **fields)


def _trade(row: Execution, *orders: FakeOrder, is_open: bool = True) -> FakeTrade:
    return FakeTrade(7, PAIR, row.signal_id, row.seen_at, is_open=is_open, orders=list(orders))


def test_a_partly_filled_and_cancelled_entry_counts_as_filled_with_what_it_got() -> None:
    row = _row(state=ExecutionState.ACCEPTED)
    order = FakeOrder("o", "buy", row.signal_id, row.seen_at + SECOND, safe_filled=0.4)
    done = settled(row, _trade(row, order), None)
    assert (done.state.value, done.amount) == ("filled", 0.4)


def test_a_partly_filled_order_that_is_still_open_is_ordered() -> None:
    row = _row(state=ExecutionState.ACCEPTED)
    order = FakeOrder("o", "buy", row.signal_id, row.seen_at, True, safe_filled=0.4)
    assert settled(row, _trade(row, order), None).state is ExecutionState.ORDERED


def test_the_order_that_filled_counts_and_not_a_later_one_that_did_not() -> None:
    row = _row(state=ExecutionState.ACCEPTED, side="exit_long", trade_id=7)
    tag = f"exit_signal:{row.signal_id}"
    orders = [
        FakeOrder("filled", "sell", tag, row.seen_at),
        FakeOrder("empty", "sell", tag, row.seen_at, safe_filled=0.0),
    ]
    done = settled(row, _trade(row, *orders), None)
    assert (done.state.value, done.order_ids) == ("filled", ("filled",))


def test_a_fill_from_before_the_bus_was_back_is_written_once_it_is() -> None:
    rig = Rig()
    entry = rig.publish()
    rig.fills_orders = False
    rig.loop()
    rig.bus.down = rig.ledger.down = True
    rig.start()
    rig.loop()
    trade = rig.book.trades[0]
    rig.fill(trade, trade.orders[0])
    rig.bus.down = rig.ledger.down = False
    rig.loop()
    assert rig.fate(entry) == ("filled", None)


def test_a_replaced_order_keeps_the_row_waiting_and_both_orders_in_it() -> None:
    row = _row(state=ExecutionState.ACCEPTED)
    first = FakeOrder("first", "buy", row.signal_id, row.seen_at, True, safe_filled=0.0)
    row = settled(row, _trade(row, first), None)
    first.ft_is_open = False
    second = FakeOrder("second", "buy", row.signal_id, row.seen_at, True, safe_filled=0.0)
    row = settled(row, _trade(row, first, second), None)
    assert (row.state.value, row.order_ids) == ("ordered", ("first", "second"))


def test_an_exit_whose_order_timed_out_goes_on() -> None:
    row = _row(state=ExecutionState.ACCEPTED, side="exit_long", trade_id=7)
    order = FakeOrder("o", "sell", f"exit_signal:{row.signal_id}", row.seen_at, safe_filled=0.0)
    assert settled(row, _trade(row, order), None).state is ExecutionState.ACCEPTED


def test_a_foreign_order_says_nothing_about_a_signal() -> None:
    row = _row(state=ExecutionState.ACCEPTED)
    stop = FakeOrder("stop", "sell", "stop_loss", row.seen_at)
    assert settled(row, _trade(row, stop), None) == row
