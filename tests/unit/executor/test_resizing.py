"""Weights: a position is brought to the share that its pair's newest signal asks for."""

from dataclasses import replace
from typing import Any

import pytest

from quantbus_contracts.policy import TradingRules
from quantbus_contracts.ports import SignalSnapshot
from quantbus_contracts.schema import Control, ControlKind, PublishedSignal
from tests.unit.executor.rig import MINUTE, PAIR, SECOND, FakeTrade, Rig

RULES = TradingRules(can_short=True, drift_band=0.02, max_leverage=5.0)


@pytest.fixture
def rig() -> Rig:
    return Rig(RULES)


def weigh(rig: Rig, weight: float, **fields: Any) -> PublishedSignal:
    """Publish a weight about the bar that closes next, and let the bot see it."""
    rig.clock.advance(MINUTE)
    published = rig.publish(None, weight=weight, **fields)
    rig.loop()
    return published


def held(rig: Rig) -> FakeTrade:
    (trade,) = rig.book.open_trades()
    return trade


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("leverage", [None, 4.0])
def test_a_position_follows_its_weight_up_and_down_on_either_side_at_any_leverage(
    rig: Rig, side: int, leverage: float | None
) -> None:
    weigh(rig, 0.3 * side, leverage=leverage)
    assert rig.stakes == [pytest.approx(300.0)]
    more = weigh(rig, 0.5 * side, leverage=leverage)
    assert rig.changes == [pytest.approx(200.0)]
    assert held(rig).amount == pytest.approx(5.0 * (leverage or 1))
    row = rig.row(more)
    rig.loop()
    row = rig.row(more)
    assert (row.state.value, row.reason, row.trade_id) == ("filled", "resized", 1)
    assert row.side == ("enter_long" if side > 0 else "enter_short")
    less = weigh(rig, 0.2 * side, leverage=leverage)
    assert held(rig).amount == pytest.approx(2.0 * (leverage or 1))
    rig.loop()
    row = rig.row(less)
    assert (row.state.value, row.reason) == ("filled", "resized")
    assert row.side == ("exit_long" if side > 0 else "exit_short")
    assert held(rig).is_open


def test_a_reduction_counts_in_what_the_position_is_worth_and_not_in_what_it_cost(rig: Rig) -> None:
    weigh(rig, 0.4)
    rig.rate = 200.0  # 400 became 800
    weigh(rig, 0.5)
    assert held(rig).amount * rig.rate == pytest.approx(500.0)
    assert rig.changes == [pytest.approx(-300.0 / 800.0 * 400.0)], (
        "as Freqtrade counts: a share of what it cost"
    )


def test_within_the_band_nothing_is_changed_and_the_ledger_says_so(rig: Rig) -> None:
    weigh(rig, 0.4)
    close = weigh(rig, 0.41)
    rig.loop()
    assert rig.changes == []
    assert rig.fate(close) == ("seen", "within_band")
    rig.clock.advance(10 * MINUTE)
    rig.loop()
    assert rig.fate(close) == ("refused", "within_band")


def test_a_signal_within_the_band_is_not_written_to_the_ledger_again_and_again(rig: Rig) -> None:
    weigh(rig, 0.4)
    close = weigh(rig, 0.41)
    rig.loop()
    before = rig.row(close)
    written = rig.ledger.rows
    for _ in range(3):
        rig.loop()
        assert rig.journal.unsent == 0
    assert written["bot", close.signal_id] is before


def test_a_revision_buys_once_whatever_the_price_does(rig: Rig) -> None:
    weigh(rig, 0.3)
    weigh(rig, 0.5)
    for rate in (80.0, 60.0):
        rig.rate = rate
        rig.loop()
        rig.loop()
    assert rig.changes == [pytest.approx(200.0)]


def test_the_signal_that_entered_does_not_buy_again_and_sells_what_grew_too_large(rig: Rig) -> None:
    weigh(rig, 0.4)
    rig.rate = 70.0
    rig.loop()
    assert rig.changes == []
    rig.rate = 150.0
    rig.loop()
    assert held(rig).amount * rig.rate == pytest.approx(400.0)
    rig.loop()
    assert len(rig.changes) == 1, "and then it rests"


def test_a_revision_of_the_entry_with_more_weight_buys_the_difference(rig: Rig) -> None:
    first = weigh(rig, 0.3)
    rig.publish(None, weight=0.5, ts=first.signal.ts)
    rig.loop()
    rig.loop()
    assert rig.changes == [pytest.approx(200.0)]
    row = rig.row(first)
    assert (row.version, row.state.value, row.reason) == (2, "filled", "resized")
    assert row.order_ids == ("order-1", "adjust-2")
    rig.start()
    for _ in range(3):
        rig.loop()
    assert len(rig.changes) == 1


@pytest.mark.parametrize("bus_forgets", [False, True])
def test_a_killed_bot_does_not_increase_again(rig: Rig, bus_forgets: bool) -> None:
    weigh(rig, 0.3)
    more = weigh(rig, 0.5)
    if bus_forgets:
        rig.ledger.rows.clear()
    rig.rate = 90.0
    for _ in range(2):
        rig.start()
        rig.loop()
        rig.loop()
    assert len(rig.changes) == 1
    assert rig.fate(more) == ("filled", "resized")


def test_a_position_whose_order_is_on_its_way_is_left_alone(rig: Rig) -> None:
    weigh(rig, 0.3)
    rig.fills_orders = False
    more = weigh(rig, 0.5)
    rig.loop()
    weigh(rig, 0.6)
    assert len(rig.changes) == 1
    assert rig.fate(more) == ("ordered", "resized")
    order = held(rig).orders[-1]
    order.ft_is_open = False  # cancelled without a fill
    rig.loop()
    assert rig.fate(more) == ("rejected", "order_cancelled")


def test_an_increase_that_freqtrade_did_not_place_ends_as_that_and_is_not_tried_again(rig: Rig) -> None:
    weigh(rig, 0.3)
    rig.places_orders = False
    more = weigh(rig, 0.5)
    rig.loop()
    assert rig.fate(more) == ("rejected", "order_not_placed")
    rig.places_orders = True
    rig.loop()
    rig.loop()
    assert rig.changes == []


def test_no_increase_is_made_without_the_bus(rig: Rig) -> None:
    weigh(rig, 0.3)
    rig.clock.advance(MINUTE)
    rig.publish(None, weight=0.5)
    rig.clock.advance(SECOND)
    rig.follower.on_loop(["BTC/USDT"])
    rig.bus.down = True
    rig.loop()
    assert rig.changes == []


def test_no_increase_is_made_while_something_newer_was_said_that_cannot_be_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    weigh(rig, 0.3)
    weigh(rig, 0.31)
    answer = rig.bus.newest

    def unreadable(*asked: Any, **bounds: Any) -> SignalSnapshot:
        return replace(answer(*asked, **bounds), signals={}, unreadable=(PAIR,))

    monkeypatch.setattr(rig.bus, "newest", unreadable)
    rig.rate = 93.0  # what it is worth has left the band
    rig.loop()
    assert rig.changes == []
    monkeypatch.undo()
    rig.loop()
    assert rig.changes == [pytest.approx(310.0 - 3 * 93.0)]


def test_a_block_holds_an_increase_back_until_it_is_lifted(rig: Rig) -> None:
    weigh(rig, 0.3)
    control = Control(
        scope="all", kind=ControlKind.BLOCK, source="operator", reason="x", at=rig.clock.now(), by="me"
    )
    rig.controls.put(control)
    more = weigh(rig, 0.5)
    rig.loop()
    assert rig.fate(more) == ("seen", "blocked")
    rig.controls.lift("all", "operator", by="me")
    rig.loop()
    rig.loop()
    assert rig.changes == [pytest.approx(200.0)]
    assert rig.fate(more) == ("filled", "resized")


def test_a_weight_of_nothing_leaves_the_position(rig: Rig) -> None:
    weigh(rig, 0.3)
    flat = weigh(rig, 0.0)
    rig.loop()
    assert rig.book.open_trades() == []
    assert rig.fate(flat) == ("filled", "exit_signal")
    assert rig.changes == []


def test_without_a_drift_band_positions_stay_as_they_were_entered() -> None:
    rig = Rig()
    weigh(rig, 0.3)
    again = weigh(rig, 0.6)
    rig.loop()
    assert rig.changes == []
    assert rig.fate(again) == ("seen", "in_position")


def test_an_action_resizes_nothing(rig: Rig) -> None:
    rig.publish("enter_long", weight=0.1)
    rig.loop()
    rig.loop()
    assert rig.stakes == [100.0]
    rig.rate = 300.0
    rig.loop()
    assert rig.changes == []


def test_a_signal_that_was_resized_by_enters_no_new_position_once_a_stop_ended_the_old_one(rig: Rig) -> None:
    weigh(rig, 0.3)
    weigh(rig, 0.5)
    trade = held(rig)
    trade.is_open, trade.close_date_utc = False, rig.clock.now()
    for _ in range(3):
        rig.loop()
    assert len(rig.book.trades) == 1


def test_a_position_that_a_person_opened_keeps_its_size(rig: Rig) -> None:
    rig.open_trade(PAIR, "force_entry")
    weigh(rig, 0.5)
    weigh(rig, 0.01)
    rig.loop()
    assert rig.changes == []
