"""Signals that come late or that nobody reads: `signal_late` and `signals_unseen`."""

from datetime import UTC, datetime, timedelta

from quantbus_contracts.testing import make_execution, make_signal
from quantbus_services.monitor.checks import Limits, Sources
from quantbus_services.monitor.checks.signals.signal_late import SignalLate
from quantbus_services.monitor.checks.signals.signals_unseen import SignalsUnseen
from tests.unit.services.monitor.fake_bus import FakeBus, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CLOSE = NOON + seconds(60)


async def test_a_signal_within_half_a_bar_of_its_close_is_in_time(bus: FakeBus) -> None:
    bus.declare()
    bus.clock.set(CLOSE + seconds(30))
    bus.signal_store.publish([make_signal(ts=NOON)])
    assert await SignalLate(Sources(bus)).check(bus.clock.now()) == []


async def test_a_signal_later_than_half_a_bar_is_found(bus: FakeBus) -> None:
    bus.declare()
    bus.clock.set(CLOSE + seconds(31))
    bus.signal_store.publish([make_signal(ts=NOON)])
    [finding] = await SignalLate(Sources(bus)).check(bus.clock.now())
    assert finding.subject == "test"
    assert "31.0 s" in finding.message


async def test_a_revision_does_not_make_a_timely_signal_late(bus: FakeBus) -> None:
    bus.clock.set(CLOSE + seconds(1))
    bus.signal_store.publish([make_signal(ts=NOON)])
    bus.clock.set(CLOSE + seconds(59))
    bus.signal_store.publish([make_signal(ts=NOON, action="exit_long")])
    assert await SignalLate(Sources(bus)).check(bus.clock.now()) == []


async def test_a_declared_delay_counts_instead_of_half_a_bar(bus: FakeBus) -> None:
    bus.declare(max_delay_seconds=5)
    bus.clock.set(CLOSE + seconds(6))
    bus.signal_store.publish([make_signal(ts=NOON)])
    assert len(await SignalLate(Sources(bus)).check(bus.clock.now())) == 1


async def test_a_bar_that_closed_before_the_declaration_was_promised_to_nobody(bus: FakeBus) -> None:
    bus.clock.set(CLOSE + seconds(1))
    bus.declare()
    bus.clock.set(CLOSE + seconds(50))
    bus.signal_store.publish([make_signal(ts=NOON)])
    assert await SignalLate(Sources(bus)).check(bus.clock.now()) == []


async def test_backfilled_signals_are_late_by_nature_and_not_judged(bus: FakeBus) -> None:
    bus.declare()
    bus.clock.set(CLOSE + timedelta(days=3))
    bus.signal_store.publish([make_signal(ts=NOON, origin="backfill")])
    assert await SignalLate(Sources(bus)).check(bus.clock.now()) == []
    assert await SignalsUnseen(Sources(bus)).check(bus.clock.now() + seconds(120)) == []


async def test_a_late_signal_is_forgotten_once_it_is_no_longer_recent(bus: FakeBus) -> None:
    bus.clock.set(CLOSE + seconds(45))
    bus.signal_store.publish([make_signal(ts=NOON)])
    check = SignalLate(Sources(bus))
    assert len(await check.check(bus.clock.now() + Limits().recent)) == 1
    assert await check.check(bus.clock.now() + Limits().recent + seconds(1)) == []


async def test_a_signal_that_a_consumer_has_seen_is_fine_whatever_came_of_it(bus: FakeBus) -> None:
    bus.clock.set(CLOSE)
    signal = make_signal(ts=NOON)
    bus.signal_store.publish([signal])
    bus.ledger.record([make_execution(signal, state="refused", reason="stale", seen_at=CLOSE + seconds(2))])
    assert await SignalsUnseen(Sources(bus)).check(CLOSE + seconds(120)) == []


async def test_a_signal_without_a_row_in_the_ledger_is_unseen_after_its_time(bus: FakeBus) -> None:
    bus.clock.set(CLOSE)
    bus.signal_store.publish([make_signal(ts=NOON)])
    check = SignalsUnseen(Sources(bus))
    assert await check.check(CLOSE + seconds(59)) == []
    [finding] = await check.check(CLOSE + seconds(60))
    assert finding.subject == "test"
    assert "1 were seen by none" in finding.message


async def test_unseen_signals_are_told_per_strategy(bus: FakeBus) -> None:
    bus.clock.set(CLOSE)
    bus.signal_store.publish([make_signal(strategy_id=name) for name in ("b", "a")])
    findings = await SignalsUnseen(Sources(bus)).check(CLOSE + seconds(60))
    assert [finding.subject for finding in findings] == ["a", "b"]


async def test_a_signal_that_was_seen_long_ago_is_not_unseen_because_it_is_revised(bus: FakeBus) -> None:
    bus.clock.set(CLOSE)
    signal = make_signal(ts=NOON)
    bus.signal_store.publish([signal])
    bus.ledger.record([make_execution(signal, state="refused", reason="stale", seen_at=CLOSE + seconds(2))])
    bus.clock.set(CLOSE + timedelta(hours=2))
    bus.signal_store.publish([make_signal(ts=NOON, action="exit_long")])
    assert await SignalsUnseen(Sources(bus)).check(bus.clock.now() + seconds(120)) == []
