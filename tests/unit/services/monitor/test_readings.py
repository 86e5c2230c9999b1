"""From what stands on the bus to what Prometheus scrapes."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from quantbus_contracts import Heartbeat
from quantbus_contracts.schema import Balance, Control, ControlKind
from quantbus_contracts.testing import make_candle, make_execution, make_signal
from quantbus_services.monitor.checks import Limits
from quantbus_services.monitor.metrics import ChainMetrics, LedgerMetrics, PlatformMetrics, set_all
from quantbus_services.monitor.readings import Readings
from tests.unit.services.monitor.fake_bus import FakeBus, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CLOSE = NOON + seconds(60)
STREAM = {"symbol": "BINANCE:BTCUSDT", "timeframe": "1m"}
STRATEGY = {"strategy_id": "test"}


class Meter:
    def __init__(self, bus: FakeBus) -> None:
        self.registry = CollectorRegistry()
        self.readings = Readings(
            bus,
            ChainMetrics(self.registry),
            LedgerMetrics(self.registry),
            PlatformMetrics(self.registry),
            Limits(),
        )

    def read(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"quantbus_{name}", labels)


@pytest.fixture
def meter(bus: FakeBus) -> Meter:
    return Meter(bus)


async def test_candles_runs_and_signals_are_told_as_moments(bus: FakeBus, meter: Meter) -> None:
    strategy = bus.declare()
    bus.candles.write([make_candle(open_time=NOON)])
    bus.evaluated(strategy, NOON)
    bus.signal_store.publish([make_signal(ts=NOON)])
    await meter.readings.take(CLOSE)
    noon = NOON.timestamp()
    assert meter.read("candle_last_timestamp_seconds", **STREAM) == noon
    assert meter.read("candle_due_timestamp_seconds", **STREAM) == noon + 180
    assert meter.read("strategy_last_run_timestamp_seconds", **STRATEGY) == noon
    assert meter.read("strategy_run_due_timestamp_seconds", **STRATEGY) == noon + 150
    assert meter.read("signal_last_timestamp_seconds", **STRATEGY) == noon


async def test_a_declared_strategy_without_anything_has_a_due_moment_and_zeros(
    bus: FakeBus, meter: Meter
) -> None:
    bus.declare()
    await meter.readings.take(NOON)
    assert meter.read("candle_last_timestamp_seconds", **STREAM) == 0
    assert meter.read("candle_due_timestamp_seconds", **STREAM) == NOON.timestamp() + 180
    assert meter.read("strategy_last_run_timestamp_seconds", **STRATEGY) == 0
    assert meter.read("signal_last_timestamp_seconds", **STRATEGY) == 0


async def test_a_withdrawn_strategy_takes_its_series_with_it(bus: FakeBus, meter: Meter) -> None:
    bus.declare()
    await meter.readings.take(NOON)
    bus.strategy_store.standing.clear()
    await meter.readings.take(NOON)
    assert meter.read("strategy_run_due_timestamp_seconds", **STRATEGY) is None
    assert meter.read("candle_due_timestamp_seconds", **STREAM) is None


async def test_delays_are_observed_once_per_signal_and_row(bus: FakeBus, meter: Meter) -> None:
    await meter.readings.take(NOON)
    signal = make_signal(ts=NOON)
    bus.clock.set(CLOSE + seconds(2))
    bus.signal_store.publish([signal])
    bus.ledger.record([make_execution(signal, available_at=CLOSE + seconds(2), seen_at=CLOSE + seconds(3.5))])
    for later in (4, 7, 10):
        await meter.readings.take(CLOSE + seconds(later))
    assert meter.read("signal_publish_delay_seconds_count", **STRATEGY) == 1
    assert meter.read("signal_publish_delay_seconds_sum", **STRATEGY) == 2
    assert meter.read("signal_consume_delay_seconds_count", consumer_id="bot") == 1
    assert meter.read("signal_consume_delay_seconds_sum", consumer_id="bot") == 1.5


async def test_what_happened_before_the_monitor_started_is_not_counted_again(
    bus: FakeBus, meter: Meter
) -> None:
    bus.clock.set(CLOSE)
    signal = make_signal(ts=NOON)
    bus.signal_store.publish([signal])
    bus.ledger.record([make_execution(signal, state="refused", reason="stale", seen_at=CLOSE)])
    await meter.readings.take(CLOSE + seconds(10))
    assert meter.read("signal_publish_delay_seconds_count", **STRATEGY) is None
    assert meter.read("signals_refused_total", consumer_id="bot", reason="stale") is None


async def test_a_refusal_is_counted_once_when_the_row_comes_to_it(bus: FakeBus, meter: Meter) -> None:
    await meter.readings.take(NOON)
    signal = make_signal(ts=NOON)
    seen_at = CLOSE + seconds(1)
    bus.ledger.record([make_execution(signal, seen_at=seen_at)])
    await meter.readings.take(CLOSE + seconds(3))
    assert meter.read("signals_refused_total", consumer_id="bot", reason="stale") is None
    bus.ledger.record([make_execution(signal, seen_at=seen_at, state="refused", reason="stale")])
    for later in (6, 9):
        await meter.readings.take(CLOSE + seconds(later))
    assert meter.read("signals_refused_total", consumer_id="bot", reason="stale") == 1


async def test_backfilled_signals_have_no_delay(bus: FakeBus, meter: Meter) -> None:
    await meter.readings.take(NOON)
    bus.clock.set(NOON + timedelta(days=2))
    bus.signal_store.publish([make_signal(ts=NOON, origin="backfill")])
    await meter.readings.take(NOON + timedelta(days=2))
    assert meter.read("signal_publish_delay_seconds_count", **STRATEGY) is None


async def test_heartbeats_are_told_per_process(bus: FakeBus, meter: Meter) -> None:
    bus.beats.beat(Heartbeat(process="ingestion", instance="main", at=NOON, started_at=NOON, version="1"))
    await meter.readings.take(CLOSE)
    found = meter.read("heartbeat_timestamp_seconds", process="ingestion", instance="main")
    assert found == NOON.timestamp()


def test_a_gauge_gets_exactly_the_given_values() -> None:
    registry = CollectorRegistry()
    gauge = ChainMetrics(registry).heartbeat
    set_all(gauge, {("a", "1"): 1.0, ("b", "1"): 2.0})
    set_all(gauge, {("b", "1"): 3.0})
    name = "quantbus_heartbeat_timestamp_seconds"
    assert registry.get_sample_value(name, {"process": "a", "instance": "1"}) is None
    assert registry.get_sample_value(name, {"process": "b", "instance": "1"}) == 3.0


async def test_the_bus_s_own_state_is_told_and_vanishes_while_the_server_does_not_say(
    bus: FakeBus, meter: Meter
) -> None:
    await meter.readings.take(NOON)
    assert meter.read("bus_disk_bytes", kind="size") == 100 * 2**30
    assert meter.read("bus_members", state="primary") == 1
    assert meter.read("bus_replica_lag_seconds", member="localhost:27017") == 0
    bus.server = None
    await meter.readings.take(NOON + seconds(3))
    assert meter.read("bus_disk_bytes", kind="size") is None
    assert meter.read("bus_members", state="primary") is None
    assert meter.read("bus_replica_lag_seconds", member="localhost:27017") is None


async def test_balances_and_controls_in_force_are_told(bus: FakeBus, meter: Meter) -> None:
    bus.books.record(
        [Balance(consumer_id="bot", currency="USDT", total=100.0, free=40.0, at=NOON, dry_run=True)]
    )
    for scope, expires_at in (("all", NOON - seconds(1)), ("strategy:test", None)):
        bus.control_store.put(
            Control(
                scope=scope,
                source="operator",
                kind=ControlKind.HALT,
                reason="a test",
                at=NOON - seconds(9),
                expires_at=expires_at,
                by="somebody",
            )
        )
    await meter.readings.take(NOON)
    usdt = {"consumer_id": "bot", "currency": "USDT"}
    assert meter.read("bot_balance", **usdt, kind="total") == 100
    assert meter.read("bot_balance", **usdt, kind="free") == 40
    assert meter.read("controls_in_force", kind="halt") == 1
    assert meter.read("controls_in_force", kind="flatten") == 0
