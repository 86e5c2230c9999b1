"""Bars and evaluations that should be there: `candle_stale` and `signal_missing`."""

from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Timeframe
from quantbus_contracts.testing import make_candle, make_signal
from quantbus_services.monitor.checks import Sources
from quantbus_services.monitor.checks.data.candle_stale import CandleStale
from quantbus_services.monitor.checks.signals.signal_missing import SignalMissing
from quantbus_services.monitor.due import allowed_delay, candle_due_at, run_due_at, streams_of
from tests.unit.services.monitor.fake_bus import MINUTE, FakeBus, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
GRACE = seconds(60)


def test_a_bar_is_due_when_the_next_one_has_closed_and_had_time_to_arrive() -> None:
    assert candle_due_at(MINUTE, NOON, GRACE, needed_since=NOON) == NOON + seconds(180)


def test_a_stream_without_bars_is_given_time_from_the_moment_somebody_needs_it() -> None:
    assert candle_due_at(MINUTE, None, GRACE, needed_since=NOON) == NOON + seconds(180)


def test_old_bars_that_somebody_has_just_begun_to_need_are_given_time_to_catch_up() -> None:
    since = NOON + timedelta(days=30)
    assert candle_due_at(MINUTE, NOON, GRACE, needed_since=since) == since + seconds(180)


def test_a_strategy_that_is_declared_anew_after_a_pause_is_given_a_bar(bus: FakeBus) -> None:
    strategy = bus.declare(timeframe="1h")
    anew = NOON + timedelta(days=30)
    assert run_due_at(strategy, NOON, declared_at=anew) == anew + timedelta(hours=1.5)


async def test_a_stream_whose_bars_arrive_is_fine(bus: FakeBus) -> None:
    bus.declare()
    bus.candles.write([make_candle(open_time=NOON)])
    assert await CandleStale(Sources(bus)).check(NOON + seconds(180)) == []


async def test_a_stream_whose_next_bar_is_overdue_is_found(bus: FakeBus) -> None:
    bus.declare()
    bus.candles.write([make_candle(open_time=NOON)])
    [finding] = await CandleStale(Sources(bus)).check(NOON + seconds(181))
    assert finding.subject == "BINANCE:BTCUSDT 1m"
    assert "2026-01-05T12:00:00" in finding.message


async def test_bars_that_no_strategy_needs_may_be_old(bus: FakeBus) -> None:
    bus.candles.write([make_candle(open_time=NOON)])
    assert await CandleStale(Sources(bus)).check(NOON + timedelta(days=1)) == []


async def test_a_declared_stream_without_a_single_bar_is_found_in_the_end(bus: FakeBus) -> None:
    bus.declare()
    check = CandleStale(Sources(bus))
    assert await check.check(NOON + seconds(180)) == []
    [finding] = await check.check(NOON + seconds(181))
    assert "none at all" in finding.message


def test_a_stream_that_two_strategies_need_is_watched_once_since_the_earlier(bus: FakeBus) -> None:
    first = bus.declare("first")
    bus.clock.advance(seconds(60))
    second = bus.declare("second", pairs=("BTC/USDT", "ETH/USDT"))
    streams = streams_of([second, first], bus.strategy_store.declared_at())
    assert streams == {
        ("BINANCE:BTCUSDT", MINUTE): NOON,
        ("BINANCE:ETHUSDT", MINUTE): NOON + seconds(60),
    }


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, seconds(30)),
        ({"timeframe": "1h"}, seconds(1800)),
        ({"max_delay_seconds": 12.5}, seconds(12.5)),
    ],
)
def test_the_allowed_delay_is_the_declared_one_or_half_a_bar(
    bus: FakeBus, declared: dict[str, object], expected: timedelta
) -> None:
    strategy = bus.declare("test", **declared)
    assert allowed_delay(strategy.timeframe, strategy) == expected


@pytest.mark.parametrize(("cadence", "expected"), [(1, 60 + 60 + 30), (5, 300 + 60 + 30)])
def test_the_next_evaluation_follows_the_declared_cadence(
    bus: FakeBus, cadence: int, expected: float
) -> None:
    strategy = bus.declare(cadence_bars=cadence)
    assert run_due_at(strategy, NOON, declared_at=NOON) == NOON + seconds(expected)


async def test_a_strategy_that_was_evaluated_and_had_nothing_to_say_is_not_silent(bus: FakeBus) -> None:
    strategy = bus.declare()
    bus.evaluated(strategy, NOON, signals=0)
    assert await SignalMissing(Sources(bus)).check(NOON + seconds(150)) == []


async def test_a_strategy_that_left_no_evaluation_is_silent(bus: FakeBus) -> None:
    strategy = bus.declare()
    bus.evaluated(strategy, NOON)
    [finding] = await SignalMissing(Sources(bus)).check(NOON + seconds(151))
    assert finding.kind == "signal_missing"
    assert finding.subject == "test"
    assert "2026-01-05T12:00:00" in finding.message


async def test_signals_alone_do_not_prove_that_a_strategy_speaks(bus: FakeBus) -> None:
    bus.declare()
    bus.signal_store.publish([make_signal(ts=NOON + seconds(60))])
    assert len(await SignalMissing(Sources(bus)).check(NOON + seconds(151))) == 1


async def test_a_strategy_is_given_time_after_its_declaration_for_its_first_evaluation(bus: FakeBus) -> None:
    bus.clock.set(NOON + seconds(20))
    bus.declare()
    check = SignalMissing(Sources(bus))
    assert await check.check(NOON + seconds(170)) == []
    [finding] = await check.check(NOON + seconds(171))
    assert "none at all" in finding.message


async def test_one_silent_strategy_does_not_accuse_the_others(bus: FakeBus) -> None:
    bus.evaluated(bus.declare("quiet"), NOON)
    bus.evaluated(bus.declare("lively"), NOON + seconds(120))
    findings = await SignalMissing(Sources(bus)).check(NOON + seconds(200))
    assert [finding.subject for finding in findings] == ["quiet"]


async def test_an_hourly_strategy_may_be_quiet_for_as_long_as_it_declared(bus: FakeBus) -> None:
    strategy = bus.declare(timeframe="1h")
    bus.evaluated(strategy, NOON)
    check = SignalMissing(Sources(bus))
    due = NOON + 2 * Timeframe.parse("1h").delta + timedelta(minutes=30)
    assert await check.check(due) == []
    assert len(await check.check(due + seconds(1))) == 1
