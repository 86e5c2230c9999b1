"""The stop price of a signal: held by Freqtrade's own stop, nearer only, and kept over restarts."""

from datetime import timedelta

import pytest

from quantbus_contracts.policy import TradingRules
from quantbus_contracts.schema import Control, ControlKind
from tests.unit.executor.rig import MINUTE, PAIR, FakeTrade, Rig

ALL = TradingRules(can_short=True, max_leverage=10.0)


@pytest.fixture
def rig() -> Rig:
    return Rig(ALL)


def held(rig: Rig) -> FakeTrade:
    (trade,) = rig.book.open_trades()
    return trade


@pytest.mark.parametrize(
    ("action", "leverage", "stop"),
    [
        ("enter_long", None, 97.0),
        ("enter_short", None, 103.0),
        ("enter_long", 5.0, 99.0),
        ("enter_short", 5.0, 101.0),
    ],
)
def test_the_stop_stands_at_the_price_as_soon_as_the_entry_has_filled(
    rig: Rig, action: str, leverage: float | None, stop: float
) -> None:
    rig.publish(action, stop_price=stop, leverage=leverage)
    rig.loop()
    trade = held(rig)
    assert trade.leverage == (leverage or 1.0)
    assert trade.stop_loss == pytest.approx(stop)
    for rate in (99.5, 100.5, 100.0):
        rig.rate = rate
        rig.loop()
        assert held(rig).stop_loss == pytest.approx(stop), "the price, not a distance from the market"


def test_a_signal_cannot_lose_more_than_the_operators_own_stop_allows(rig: Rig) -> None:
    rig.publish(stop_price=80.0)
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(90.0)
    assert rig.follower.stops.distance(held(rig), 100.0) is None


def test_without_a_stop_price_the_stop_is_left_alone(rig: Rig) -> None:
    rig.publish()
    rig.loop()
    assert rig.follower.stops.distance(held(rig), 100.0) is None
    assert held(rig).stop_loss == pytest.approx(90.0)


def test_a_restart_knows_the_stop_without_the_bus(rig: Rig) -> None:
    rig.publish(stop_price=97.0)
    rig.loop()
    rig.bus.down = True
    rig.start()
    trade = held(rig)
    trade.stop_loss = 85.0  # as Freqtrade puts it back where the operator changed the stop of last resort
    rig.loop()
    assert trade.stop_loss == pytest.approx(97.0)


def test_a_bot_killed_before_it_could_write_the_stop_down_asks_the_bus_for_it(rig: Rig) -> None:
    signal = rig.publish(stop_price=97.0)
    rig.clock.advance(MINUTE / 60)
    trade = rig.open_trade(PAIR, signal.signal_id)  # on_fill of a process that had heard nothing
    trade.custom_data.clear()
    trade.stop_loss = 90.0
    rig.start()
    rig.loop()
    rig.loop()
    assert trade.stop_loss == pytest.approx(97.0)


def test_a_stop_written_down_by_another_version_in_words_that_make_no_sense_holds_nothing_up(
    rig: Rig,
) -> None:
    rig.publish(stop_price=97.0)
    rig.loop()
    held(rig).custom_data["quantbus_stop"] = {"price": float("nan"), "signal_id": "x", "version": 1}
    rig.start()
    rig.loop()
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(97.0)


def test_the_stop_of_the_revision_that_was_entered_counts(rig: Rig) -> None:
    first = rig.publish(stop_price=97.0)
    rig.loop()
    rig.publish(stop_price=95.0, ts=first.signal.ts)
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(97.0), "a later revision pulls a stop nearer, never away"
    rig.publish(stop_price=98.0, ts=first.signal.ts)
    rig.loop()
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(98.0)


def test_a_newer_signal_of_the_same_side_pulls_the_stop_nearer(rig: Rig) -> None:
    rig.publish("enter_short", stop_price=108.0)
    rig.loop()
    rig.clock.advance(MINUTE)
    rig.publish("enter_short", stop_price=104.0)
    rig.loop()
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(104.0)
    rig.clock.advance(MINUTE)
    rig.publish("enter_short", stop_price=106.0)
    rig.loop()
    rig.start()
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(104.0)


@pytest.mark.parametrize("origin", ["backfill", "replay"])
def test_what_never_trades_moves_no_stop(rig: Rig, origin: str) -> None:
    rig.publish(stop_price=95.0)
    rig.loop()
    rig.clock.advance(MINUTE)
    rig.publish(stop_price=98.0, origin=origin)
    rig.loop()
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(95.0)


def test_a_row_that_is_there_before_its_bar_has_closed_moves_no_stop_until_then(rig: Rig) -> None:
    rig.publish(stop_price=95.0)
    rig.loop()
    ts = rig.timeframe.floor(rig.clock.now())
    early = timedelta(seconds=1.5)  # within what two clocks may differ by
    rig.clock.advance(ts + MINUTE - early - rig.clock.now())
    rig.publish(stop_price=98.0, ts=ts)
    rig.loop(passes=timedelta(seconds=1))
    rig.loop(passes=timedelta(seconds=0.4))
    assert held(rig).stop_loss == pytest.approx(95.0)
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(98.0)


def test_under_a_halt_stops_stay_where_they_are(rig: Rig) -> None:
    rig.publish(stop_price=95.0)
    rig.loop()
    rig.clock.advance(MINUTE)
    rig.controls.put(
        Control(
            scope="all", kind=ControlKind.HALT, source="operator", reason="x", at=rig.clock.now(), by="me"
        )
    )
    rig.publish(stop_price=98.0)
    rig.loop()
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(95.0)


@pytest.mark.parametrize(
    ("action", "stop"), [("enter_long", 101.0), ("enter_short", 99.0), ("enter_long", 100.0)]
)
def test_an_entry_whose_stop_the_market_has_passed_waits_and_is_refused_by_that(
    rig: Rig, action: str, stop: float
) -> None:
    signal = rig.publish(action, stop_price=stop)
    rig.loop()
    assert rig.entries() == []
    assert rig.fate(signal) == ("seen", "stop_crossed")
    rig.clock.advance(10 * MINUTE)
    rig.loop()
    assert rig.fate(signal) == ("refused", "stop_crossed")


def test_an_entry_is_made_once_the_market_is_back_on_the_right_side_of_its_stop(rig: Rig) -> None:
    signal = rig.publish(stop_price=101.0)
    rig.loop()
    rig.rate = 102.0
    rig.loop()
    assert rig.entries() == [signal.signal_id]
    assert rig.fate(signal) == ("filled", None)


@pytest.mark.parametrize("halted", [False, True])
def test_a_market_that_jumps_over_a_stop_that_freqtrade_does_not_hold_yet_ends_the_trade(
    rig: Rig, halted: bool
) -> None:
    first = rig.publish(stop_price=95.0)
    rig.loop()
    if halted:
        rig.controls.put(
            Control(
                scope="all", kind=ControlKind.HALT, source="operator", reason="x", at=rig.clock.now(), by="me"
            )
        )
        held(rig).custom_data["quantbus_stop"] = {"price": 98.0, "signal_id": first.signal_id, "version": 1}
        rig.start()
    else:
        rig.publish(stop_price=98.0, ts=first.signal.ts)
    rig.rate = 97.0
    rig.loop()
    rig.loop()
    (trade,) = rig.book.trades
    assert not trade.is_open
    assert trade.orders[-1].ft_order_tag == "stop_crossed"


def test_a_stop_that_freqtrade_holds_is_left_to_freqtrade(rig: Rig) -> None:
    rig.publish(stop_price=95.0)
    rig.loop()
    assert rig.follower.exits.reason(held(rig), 94.0) is None


def test_a_person_may_hold_a_position_without_a_signals_stop(rig: Rig) -> None:
    rig.open_trade(PAIR, "force_entry")
    rig.loop()
    rig.publish(stop_price=98.0)
    rig.loop()
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(90.0)


def test_leverage_beyond_what_is_allowed_is_cut(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.publish(leverage=50.0)
    rig.loop()
    assert held(rig).leverage == 10.0
    assert "asks for a leverage of 50, 10 is granted" in caplog.text


def test_leverage_is_only_taken_where_it_was_allowed() -> None:
    rig = Rig()
    rig.publish(leverage=5.0)
    rig.loop()
    assert held(rig).leverage == 1.0


def test_an_entry_of_a_person_gets_the_leverage_that_freqtrade_proposes(rig: Rig) -> None:
    rig.publish(leverage=5.0)
    rig.loop()
    assert rig.follower.leverage.of(PAIR, "force_entry", 2.0, 20.0) == 2.0


@pytest.mark.parametrize(("side", "market"), [(1, 110.0), (-1, 95.0)])
def test_an_increase_at_another_price_leaves_the_stop_where_the_signal_wants_it(
    side: int, market: float
) -> None:
    rig = Rig(TradingRules(can_short=True, drift_band=0.02))
    stop = 100.0 - 3.0 * side
    first = rig.publish(None, weight=0.2 * side, stop_price=stop)
    rig.loop()
    rig.rate = market
    rig.publish(None, weight=0.5 * side, stop_price=stop, ts=first.signal.ts)
    rig.loop()
    assert len(rig.changes) == 1
    assert held(rig).open_rate != 100.0
    assert held(rig).stop_loss == pytest.approx(stop)
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(stop)


def test_an_increase_does_not_push_the_stop_beyond_the_operators_own() -> None:
    rig = Rig(TradingRules(drift_band=0.02))
    first = rig.publish(None, weight=0.2, stop_price=80.0)
    rig.loop()
    rig.rate = 110.0
    rig.publish(None, weight=0.5, stop_price=80.0, ts=first.signal.ts)
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(held(rig).open_rate * 0.9)


def test_a_size_is_not_changed_where_freqtrade_would_stop_the_trade_out_for_it() -> None:
    rig = Rig(TradingRules(drift_band=0.02))
    first = rig.publish(None, weight=0.4)
    rig.loop()
    rig.rate = 92.0
    rig.publish(None, weight=0.4, stop_price=91.0, ts=first.signal.ts)
    rig.loop()
    rig.loop()
    assert held(rig).stop_loss == pytest.approx(91.0)
    rig.publish(None, weight=0.1, stop_price=91.0, ts=first.signal.ts)
    rig.loop()
    assert rig.changes == [], "its stop would come to lie at about 99"
    rig.rate = 101.0
    rig.loop()
    assert len(rig.changes) == 1
    assert held(rig).stop_loss == pytest.approx(91.0)
