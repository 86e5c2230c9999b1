"""Entries that wait for their price: taken back once their signal would not be entered any more."""

from datetime import timedelta
from typing import Any

import pytest

from quantbus_contracts.policy import TradingRules
from quantbus_contracts.schema import Control, ControlKind
from tests.unit.executor.rig import MINUTE, PAIR, Rig


@pytest.fixture
def rig() -> Rig:
    rig = Rig(TradingRules(can_short=True, drift_band=0.02))
    rig.fills_orders = False
    return rig


def is_over(rig: Rig) -> bool:
    (trade,) = rig.book.open_trades()
    entry = [order for order in trade.orders if order.ft_order_side == "buy"][-1]
    return rig.follower.resting.is_over(trade, entry)


@pytest.mark.parametrize("bus_is_down", [False, True])
def test_an_entry_rests_no_longer_than_its_signal_is_worth(rig: Rig, bus_is_down: bool) -> None:
    valid_until = rig.clock.now() + timedelta(seconds=40)
    rig.publish(valid_until=valid_until)
    rig.loop()
    assert not is_over(rig)
    rig.bus.down = bus_is_down
    rig.loop(passes=valid_until - rig.clock.now() - timedelta(seconds=1))
    assert not is_over(rig)
    rig.loop()
    assert is_over(rig)


@pytest.mark.parametrize(
    ("newer", "over"),
    [
        ({"action": "enter_short"}, True),
        ({"action": "exit_long"}, True),
        ({"action": None, "score": 0.1}, True),
        ({"action": "enter_long"}, False),
        ({"action": "exit_long", "origin": "backfill"}, False),
    ],
)
def test_an_entry_rests_no_longer_than_the_newest_signal_asks_for_its_side(
    rig: Rig, newer: dict[str, Any], over: bool
) -> None:
    rig.publish()
    rig.loop()
    rig.clock.advance(MINUTE)
    rig.publish(newer.pop("action"), **newer)
    rig.loop()
    assert is_over(rig) is over


def test_an_entry_that_newer_ones_of_its_side_have_overtaken_ends_with_its_tolerance(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    for bars in range(1, 3):
        assert not is_over(rig), bars
        rig.clock.advance(MINUTE)
        rig.publish()
        rig.loop()
    assert is_over(rig)


@pytest.mark.parametrize("kind", list(ControlKind))
def test_a_control_takes_back_what_rests(rig: Rig, kind: ControlKind) -> None:
    rig.publish()
    rig.loop()
    now = rig.clock.now()
    rig.controls.put(Control(scope="all", kind=kind, source="operator", reason="x", at=now, by="me"))
    rig.loop()
    assert is_over(rig)


def test_an_increase_rests_no_longer_than_its_signal_is_worth(rig: Rig) -> None:
    rig.fills_orders = True
    rig.publish(None, weight=0.3)
    rig.loop()
    rig.fills_orders = False
    rig.clock.advance(MINUTE)
    rig.publish(None, weight=0.5)
    rig.loop()
    assert rig.changes == [pytest.approx(200.0)]
    assert not is_over(rig)
    rig.loop(passes=2 * MINUTE)
    assert is_over(rig)


def test_what_a_person_ordered_is_left_to_the_person(rig: Rig) -> None:
    rig.open_trade(PAIR, "force_entry")
    rig.publish("exit_long")
    rig.loop(passes=10 * MINUTE)
    assert not is_over(rig)
