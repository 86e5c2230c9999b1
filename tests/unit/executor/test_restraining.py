"""What controls, risk rows, debounce, confidence and a downtime do to the bot, loop by loop."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.policy import CatchUp, Confidence, Debounce, SoftScale, TradingRules
from quantbus_contracts.ports import RestraintSnapshot
from quantbus_contracts.schema import Control, ControlKind, RiskState
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.hearing.restraints import RestraintSettings
from quantbus_executor.trades.tags import FORCED_ENTRY
from tests.unit.executor.rig import MINUTE, PAIR, PAIRS, SECOND, Rig

HOUR = timedelta(hours=1)


def put_control(rig: Rig, kind: str, scope: str = "all", *, lasts: timedelta | None = None) -> None:
    now = rig.clock.now()
    until = now + lasts if lasts is not None else None
    rig.controls.put(
        Control(
            scope=scope,
            source="operator",
            kind=ControlKind(kind),
            reason="news",
            at=now,
            by="me",
            expires_at=until,
        )
    )


def put_risk(rig: Rig, **fields: Any) -> None:
    defaults = {"strategy_id": "test", "level": "warn", "reason": "drift", "at": rig.clock.now(), "by": "me"}
    rig.risk.put(RiskState(**{**defaults, **fields}))


def detail(rig: Rig) -> dict[str, Any]:
    """Return what the bot's newest sign of life says."""
    for _ in range(11):
        rig.loop()
    (beat,) = rig.beats.all()
    return beat.detail


class TestControls:
    @pytest.mark.parametrize(
        ("kind", "reason"), [("block", "blocked"), ("halt", "halted"), ("flatten", "flatten")]
    )
    def test_nothing_is_entered_while_one_is_in_force_and_the_signal_trades_once_it_is_lifted(
        self, kind: str, reason: str
    ) -> None:
        rig = Rig()
        put_control(rig, kind)
        signal = rig.publish()
        rig.loop()
        assert rig.entries() == []
        assert rig.fate(signal) == ("seen", reason)
        rig.controls.lift("all", "operator", by="me")
        rig.loop()
        assert rig.entries() == [signal.signal_id]
        assert rig.fate(signal) == ("filled", None)

    def test_a_signal_whose_time_ended_under_a_control_ends_by_that(self) -> None:
        rig = Rig()
        put_control(rig, "halt", "strategy:test")
        signal = rig.publish()
        rig.loop()
        rig.loop(passes=5 * MINUTE)
        assert rig.fate(signal) == ("refused", "halted")

    @pytest.mark.parametrize("scope", ["strategy:other", "pair:ETH/USDT", "consumer:twin"])
    def test_controls_of_others_do_not_concern_it(self, scope: str) -> None:
        rig = Rig()
        put_control(rig, "flatten", scope)
        signal = rig.publish()
        rig.loop()
        assert rig.entries() == [signal.signal_id]

    def test_a_control_set_between_the_mark_and_the_order_is_obeyed_from_the_next_loop_on(self) -> None:
        rig = Rig()
        signal = rig.publish()
        rig.places_orders = False
        rig.clock.advance(SECOND)
        rig.follower.on_loop(PAIRS)
        put_control(rig, "block")
        rig.follower.on_loop(PAIRS)
        assert not rig.follower.entries.confirm(PAIR, signal.signal_id, "long")

    def test_a_flatten_leaves_the_position_at_once_and_belongs_to_no_signal(self) -> None:
        rig = Rig(TradingRules(debounce=Debounce(minimum_hold=HOUR)))
        signal = rig.publish()
        rig.loop()
        put_control(rig, "flatten", f"pair:{PAIR}")
        rig.loop()
        (trade,) = rig.book.trades
        assert not trade.is_open
        assert trade.orders[-1].ft_order_tag == "flatten"
        assert rig.fate(signal) == ("filled", None)
        rig.clock.advance(MINUTE)
        again = rig.publish()
        rig.loop()
        assert rig.fate(again) == ("seen", "flatten")

    def test_a_flatten_once_known_is_carried_out_while_the_bus_is_silent(self) -> None:
        rig = Rig()
        rig.publish()
        rig.loop()
        rig.places_orders = False
        put_control(rig, "flatten")
        rig.loop()
        for store in (rig.bus, rig.controls, rig.risk, rig.ledger):
            store.down = True
        rig.places_orders = True
        rig.loop(passes=5 * MINUTE)
        assert not rig.book.trades[0].is_open

    def test_a_flatten_is_heard_though_the_signals_cannot_be_read(self) -> None:
        rig = Rig()
        rig.publish()
        rig.loop()
        rig.bus.down = True
        put_control(rig, "flatten")
        rig.loop()
        assert not rig.book.trades[0].is_open

    def test_a_halt_ends_when_it_expires_also_while_the_bus_is_silent(self) -> None:
        rig = Rig()
        rig.publish()
        rig.loop()
        rig.clock.advance(MINUTE)
        leave = rig.publish("exit_long")
        put_control(rig, "halt", lasts=10 * SECOND)
        rig.loop()
        assert rig.book.trades[0].is_open
        assert rig.fate(leave) == ("seen", "halted")
        for store in (rig.bus, rig.controls, rig.risk, rig.ledger):
            store.down = True
        rig.loop(passes=10 * SECOND)
        assert not rig.book.trades[0].is_open

    def test_an_entry_that_a_person_asks_for_is_refused_too(self) -> None:
        rig = Rig()
        rig.loop()
        assert rig.follower.entries.confirm(PAIR, FORCED_ENTRY, "long")
        put_control(rig, "block")
        rig.loop()
        assert not rig.follower.entries.confirm(PAIR, FORCED_ENTRY, "long")

    def test_controls_are_ignored_only_where_that_was_chosen(self) -> None:
        rig = Rig(restraints=RestraintSettings(controls=False))
        put_control(rig, "halt")
        signal = rig.publish()
        rig.loop()
        assert rig.entries() == [signal.signal_id]


class TestRisk:
    @pytest.mark.parametrize(
        "fields", [{"level": "crit"}, {"block_entries": True}, {"pair": PAIR, "stake_scale": 0.0}]
    )
    def test_a_row_denies_entries_and_no_exit(self, fields: dict[str, Any]) -> None:
        rig = Rig()
        rig.publish()
        rig.loop()
        put_risk(rig, **fields)
        rig.clock.advance(MINUTE)
        rig.publish("exit_long")
        rig.loop()
        assert not rig.book.trades[0].is_open
        rig.clock.advance(MINUTE)
        denied = rig.publish()
        rig.loop()
        assert rig.fate(denied) == ("seen", "denied_by_risk")
        rig.loop(passes=5 * MINUTE)
        assert rig.fate(denied) == ("refused", "denied_by_risk")

    def test_a_row_scales_the_stake(self) -> None:
        rig = Rig()
        put_risk(rig, stake_scale=0.25)
        rig.publish()
        rig.loop()
        assert rig.stakes == [25.0]

    def test_scale_and_confidence_multiply_and_what_is_too_small_for_the_venue_is_refused(self) -> None:
        rig = Rig(TradingRules(confidence=Confidence(scale=SoftScale())))
        put_risk(rig, stake_scale=0.5)
        rig.publish(score=0.275)
        rig.loop()
        assert rig.stakes == [pytest.approx(25.0)]
        rig.minimum = 40.0
        small = rig.publish(pair="ETH/USDT", score=0.275)
        rig.loop()
        assert rig.fate(small) == ("seen", "stake_below_minimum")
        rig.loop(passes=5 * MINUTE)
        assert rig.fate(small) == ("refused", "stake_below_minimum")

    def test_rows_are_ignored_only_where_that_was_chosen(self) -> None:
        rig = Rig(restraints=RestraintSettings(risk_state=False))
        put_risk(rig, level="crit", stake_scale=0.1)
        rig.publish()
        rig.loop()
        assert rig.stakes == [100.0]


class TestUnreadable:
    @pytest.mark.parametrize("fail_open", [False, True])
    def test_entries_go_on_for_as_long_as_the_last_answer_may_be_old_and_then_as_was_chosen(
        self, fail_open: bool
    ) -> None:
        rig = Rig(restraints=RestraintSettings(fail_open=fail_open, max_age=30 * SECOND))
        rig.loop()
        rig.controls.down = True
        soon = rig.publish()
        rig.loop()
        assert rig.fate(soon) == ("filled", None)
        rig.clock.advance(31 * SECOND)
        later = rig.publish(pair="ETH/USDT")
        rig.loop()
        assert rig.fate(later) == (("filled", None) if fail_open else ("seen", "risk_unknown"))

    def test_a_bot_that_never_read_them_enters_nothing_unless_that_was_chosen(self) -> None:
        for fail_open in (False, True):
            rig = Rig(restraints=RestraintSettings(fail_open=fail_open))
            rig.risk.down = True
            rig.publish()
            rig.loop()
            assert len(rig.entries()) == int(fail_open)

    def test_exits_never_depend_on_them(self) -> None:
        rig = Rig()
        rig.publish()
        rig.loop()
        rig.controls.down = True
        rig.clock.advance(MINUTE)
        rig.publish("exit_long")
        rig.loop(passes=40 * SECOND)
        assert not rig.book.trades[0].is_open

    def test_signals_are_heard_in_most_loops_though_reading_restraints_takes_all_the_time_there_is(
        self,
    ) -> None:
        rig = Rig(restraints=RestraintSettings(fail_open=True, max_age=10 * SECOND))

        class Slow:
            def in_force(self, strategy_id: str) -> RestraintSnapshot:
                rig.clock.advance(SECOND)
                raise BusUnavailable("too slow")

        rig.restraint_reader = Slow()
        rig.start()
        heard = 0
        for _ in range(10):
            rig.clock.advance(SECOND)
            rig.follower.on_loop(PAIRS)
            age = rig.feed.answer_age
            heard += age is not None and age <= SECOND
        assert heard >= 8

    def test_where_both_are_off_nobody_asks(self) -> None:
        rig = Rig(restraints=RestraintSettings(controls=False, risk_state=False))
        rig.controls.down = rig.risk.down = True
        rig.publish()
        rig.loop()
        assert len(rig.entries()) == 1

    def test_an_outage_is_logged_once_and_its_end_too(self, caplog: pytest.LogCaptureFixture) -> None:
        rig = Rig()
        rig.controls.down = True
        with caplog.at_level("INFO"):
            for _ in range(4):
                rig.loop()
            rig.controls.down = False
            rig.loop()
        assert caplog.text.count("controls and risk cannot be read") == 1
        assert caplog.text.count("controls and risk can be read again") == 1


class TestDebounce:
    def test_an_exit_waits_for_the_minimum_hold_and_is_dropped_if_a_newer_signal_takes_it_back(self) -> None:
        rig = Rig(TradingRules(debounce=Debounce(minimum_hold=3 * MINUTE)))
        rig.publish()
        rig.loop()
        rig.clock.advance(MINUTE)
        early = rig.publish("exit_long")
        rig.loop()
        assert rig.fate(early) == ("seen", "minimum_hold")
        rig.clock.advance(MINUTE)
        rig.publish("enter_long")
        rig.loop()
        assert rig.fate(early) == ("superseded", "superseded")
        rig.loop(passes=3 * MINUTE)
        assert rig.book.trades[0].is_open
        rig.publish("exit_long")
        rig.loop()
        assert not rig.book.trades[0].is_open

    def test_a_held_back_exit_leaves_once_the_position_is_old_enough(self) -> None:
        rig = Rig(TradingRules(debounce=Debounce(minimum_hold=10 * MINUTE)))
        rig.publish()
        rig.loop()
        rig.clock.advance(MINUTE)
        leave = rig.publish("exit_long")
        rig.loop()
        rig.loop(passes=10 * MINUTE)
        rig.loop()
        assert rig.fate(leave) == ("filled", "exit_signal")

    def test_a_pair_is_not_entered_again_while_it_cools_down(self) -> None:
        rig = Rig(TradingRules(debounce=Debounce(cool_down=2 * MINUTE)))
        closed_at = round_trip(rig)
        soon = rig.publish()
        rig.loop()
        assert rig.fate(soon) == ("seen", "cool_down")
        assert len(rig.book.trades) == 1
        rig.clock.advance(closed_at + 2 * MINUTE - rig.clock.now())
        rig.loop(passes=timedelta(0))
        assert rig.fate(soon) == ("filled", None), "it was still valid"

    def test_the_day_has_room_for_a_number_of_flips(self) -> None:
        rig = Rig(TradingRules(debounce=Debounce(flips_per_day=1)))
        for _ in range(2):
            round_trip(rig)
        third = rig.publish()
        rig.loop()
        assert rig.fate(third) == ("seen", "flip_limit")
        elsewhere = rig.publish(pair="ETH/USDT")
        rig.loop()
        assert rig.fate(elsewhere) == ("filled", None), "the limit is each pair's own"
        rig.clock.advance(timedelta(days=1))
        tomorrow = rig.publish()
        rig.loop()
        assert rig.fate(third) == ("superseded", "superseded")
        assert rig.fate(tomorrow) == ("filled", None)

    def test_a_position_that_ended_after_the_mark_stops_the_order(self) -> None:
        rig = Rig(TradingRules(debounce=Debounce(cool_down=HOUR)))
        signal = rig.publish()
        rig.clock.advance(SECOND)
        rig.follower.on_loop(PAIRS)
        trade = rig.open_trade(PAIR, "someone")
        trade.is_open, trade.close_date_utc = False, rig.clock.now()
        assert not rig.follower.entries.confirm(PAIR, signal.signal_id, "long")
        assert rig.fate(signal) == ("seen", "cool_down")

    def test_a_bot_that_was_killed_remembers_through_freqtrades_trades(self) -> None:
        rig = Rig(TradingRules(debounce=Debounce(cool_down=HOUR)))
        round_trip(rig)
        rig.start()
        rig.publish()
        rig.loop()
        assert len(rig.book.trades) == 1

    def test_what_is_held_back_is_counted_once_for_each_signal(self) -> None:
        rig = Rig(TradingRules(debounce=Debounce(cool_down=HOUR)))
        round_trip(rig)
        rig.publish()
        assert detail(rig)["held_cool_down"] == 1


def round_trip(rig: Rig) -> datetime:
    """Enter and leave `PAIR`; return when it was left, with the clock a minute on."""
    rig.publish()
    rig.loop()
    assert len(rig.book.open_trades()) == 1
    rig.clock.advance(MINUTE)
    rig.publish("exit_long")
    rig.loop()
    assert rig.book.open_trades() == []
    closed_at = rig.clock.now()
    rig.clock.advance(MINUTE)
    return closed_at


class TestCatchUp:
    @pytest.mark.parametrize(
        ("policy", "fate"),
        [
            ("if_valid", ("filled", None)),
            ("exits_only", ("refused", "missed")),
            ("skip", ("refused", "missed")),
        ],
    )
    def test_an_entry_that_came_before_the_start_counts_as_was_chosen(
        self, policy: str, fate: tuple[str, str | None]
    ) -> None:
        rig = Rig(TradingRules(catch_up=CatchUp(policy)))
        signal = rig.publish()
        rig.loop()
        assert rig.fate(signal) == fate
        for _ in range(3):
            rig.loop(passes=20 * SECOND)
        fresh = rig.publish(pair="ETH/USDT")
        rig.loop()
        assert rig.fate(fresh) == ("filled", None)

    @pytest.mark.parametrize(
        ("policy", "leaves"), [("if_valid", True), ("exits_only", True), ("skip", False)]
    )
    def test_an_exit_that_came_during_an_outage_counts_as_was_chosen(self, policy: str, leaves: bool) -> None:
        rig = Rig(TradingRules(catch_up=CatchUp(policy)))
        rig.loop()
        rig.publish()
        rig.loop()
        rig.clock.advance(MINUTE)
        leave = rig.publish("exit_long")
        rig.bus.down = True
        rig.loop()
        rig.clock.advance(MINUTE)
        rig.bus.down = False
        rig.loop()
        assert rig.book.trades[0].is_open is not leaves
        if not leaves:
            assert rig.fate(leave) == ("refused", "missed")

    def test_a_bus_that_fails_for_a_moment_is_no_downtime(self) -> None:
        rig = Rig(TradingRules(catch_up=CatchUp.SKIP))
        rig.loop()
        rig.bus.down = True
        rig.loop()
        rig.bus.down = False
        signal = rig.publish()
        rig.bus.down = True
        rig.loop()
        rig.bus.down = False
        rig.loop()
        assert rig.fate(signal) == ("filled", None)


class TestLongerBars:
    @pytest.mark.parametrize("name", ["5m", "1h", "1d"])
    def test_a_signal_of_longer_bars_trades_right_after_its_close_and_never_before(self, name: str) -> None:
        timeframe = Timeframe.parse(name)
        rig = Rig(timeframe=timeframe)
        closes_at = timeframe.floor(rig.clock.now()) + timeframe.delta
        early = rig.publish(ts=closes_at - timeframe.delta)
        rig.clock.advance(closes_at - rig.clock.now() - 2 * SECOND)
        rig.loop()
        assert rig.entries() == []
        rig.loop()
        assert rig.entries() == []
        rig.loop()
        assert rig.fate(early) == ("refused", "future_stamped"), "it cannot know the whole bar"
        on_time = rig.publish(pair="ETH/USDT")
        assert on_time.signal.closes_at == closes_at
        rig.loop()
        assert rig.fate(on_time) == ("filled", None)
