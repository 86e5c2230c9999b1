"""A reversal takes two loops: one leaves the position, a later one, once flat, enters the opposite."""

import pytest

from quantbus_contracts.policy import TradingRules
from tests.unit.executor.rig import MINUTE, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig(TradingRules(can_short=True))


def test_a_reversal_leaves_in_one_loop_and_enters_the_opposite_in_the_next(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    turn = rig.publish("enter_short", ref_price=100.0)
    rig.loop()
    assert [trade.is_open for trade in rig.book.trades] == [False]
    assert rig.book.trades[0].orders[-1].ft_order_tag == f"reversal:{turn.signal_id}"
    assert rig.fate(turn) == ("seen", None)
    rig.loop()
    assert [(trade.is_open, trade.is_short) for trade in rig.book.trades] == [(False, False), (True, True)]
    rig.loop()
    row = rig.row(turn)
    assert (row.state.value, row.side, row.trade_id, row.reason) == ("filled", "enter_short", 2, None)
    assert row.order_ids == ("exit-1", "order-2"), "both orders stand in its one row"


def test_a_reversal_back_and_forth_enters_once_for_each_signal(rig: Rig) -> None:
    wanted = []
    for action in ("enter_long", "enter_short", "enter_long"):
        wanted.append(rig.publish(action).signal_id)
        for _ in range(3):
            rig.loop()
        rig.clock.advance(MINUTE)
    assert rig.entries() == wanted


@pytest.mark.parametrize("bus_forgets", [False, True])
def test_a_bot_killed_between_the_two_halves_of_a_reversal_enters_once(rig: Rig, bus_forgets: bool) -> None:
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    turn = rig.publish("enter_short")
    rig.loop()
    if bus_forgets:
        rig.ledger.rows.clear()
    for _ in range(2):
        rig.start()
        rig.loop()
        rig.loop()
    assert rig.entries()[1:] == [turn.signal_id]
    row = rig.row(turn)
    assert (row.state.value, row.side, row.trade_id) == ("filled", "enter_short", 2)


def test_a_reversal_whose_position_a_stop_ends_first_enters_all_the_same(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    rig.fills_orders = False
    turn = rig.publish("enter_short")
    rig.loop()
    assert rig.fate(turn) == ("accepted", "reversal")
    rig.loop()
    assert rig.fate(turn) == ("ordered", "reversal")
    trade = rig.book.trades[0]
    trade.is_open, trade.orders[-1].ft_is_open = False, False  # cancelled: the stop was quicker
    rig.fills_orders = True
    rig.loop()
    rig.loop()
    assert rig.entries()[1:] == [turn.signal_id]


def test_a_reversal_that_gets_flat_too_late_to_enter_says_so(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    rig.fills_orders = False
    turn = rig.publish("enter_short")
    rig.loop()
    rig.clock.advance(4 * MINUTE)
    rig.fill(rig.book.trades[0], rig.book.trades[0].orders[-1])
    rig.loop()
    assert rig.fate(turn) == ("refused", "expired")
    assert len(rig.book.trades) == 1
    rig.start()
    rig.loop()
    rig.loop()
    assert rig.fate(turn) == ("refused", "expired")


def test_the_signal_that_opened_a_position_turned_round_leaves_it_and_enters_nothing(rig: Rig) -> None:
    first = rig.publish()
    rig.loop()
    rig.publish("enter_short", ts=first.signal.ts)
    for _ in range(3):
        rig.loop()
    assert rig.entries() == [first.signal_id]
    assert rig.fate(first) == ("filled", "revised")


def test_on_spot_a_short_leaves_the_long_position_and_is_refused_beyond_that() -> None:
    rig = Rig()
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    turn = rig.publish("enter_short")
    for _ in range(3):
        rig.loop()
    assert not rig.book.trades[0].is_open
    assert rig.fate(turn) == ("refused", "spot_short")
