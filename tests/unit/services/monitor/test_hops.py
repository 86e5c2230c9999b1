"""Each hop is counted once: within a process, over a restart, and when rows come late."""

from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Heartbeat
from quantbus_contracts.testing import make_execution, make_signal
from quantbus_services.monitor.readings import COUNTED_UNTIL
from tests.unit.services.monitor.fake_bus import FakeBus, seconds
from tests.unit.services.monitor.test_readings import Meter

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CLOSE = NOON + seconds(60)
STRATEGY = {"strategy_id": "test"}
BOT = {"consumer_id": "bot"}
BAR = ("BINANCE:BTCUSDT", NOON)


def predecessor(bus: FakeBus, counted_until: object, *, instance: str = "main") -> None:
    """Leave the sign of life of a monitor that has counted so far."""
    told = counted_until.isoformat() if isinstance(counted_until, datetime) else counted_until
    bus.beats.beat(
        Heartbeat(
            process="monitor",
            instance=instance,
            at=NOON,
            started_at=NOON,
            version="1",
            detail={COUNTED_UNTIL: told},
        )
    )


def publish(bus: FakeBus, *, computed: float = 3.0, available: float = 5.0) -> None:
    bus.clock.set(CLOSE + seconds(available))
    bus.signal_store.publish([make_signal(ts=NOON, computed_at=CLOSE + seconds(computed))])


async def test_every_hop_from_the_bar_to_the_fill_is_told(bus: FakeBus) -> None:
    meter = Meter(bus)
    await meter.readings.take(NOON)
    bus.ingested[BAR] = CLOSE + seconds(1)
    publish(bus)
    bus.ledger.record(
        [
            make_execution(
                make_signal(ts=NOON),
                state="filled",
                available_at=CLOSE + seconds(5),
                seen_at=CLOSE + seconds(6),
                ordered_at=CLOSE + seconds(8),
                filled_at=CLOSE + seconds(12),
                price=100.0,
                amount=1.0,
                slippage=0.001,
            )
        ]
    )
    for later in (15, 18):
        await meter.readings.take(CLOSE + seconds(later))
    told = {
        name: (meter.read(f"{name}_count", **labels), meter.read(f"{name}_sum", **labels))
        for name, labels in {
            "signal_compute_delay_seconds": STRATEGY,
            "signal_deliver_delay_seconds": STRATEGY,
            "signal_publish_delay_seconds": STRATEGY,
            "signal_consume_delay_seconds": BOT,
            "order_delay_seconds": BOT,
            "fill_delay_seconds": BOT,
        }.items()
    }
    assert told == {
        "signal_compute_delay_seconds": (1, 2),
        "signal_deliver_delay_seconds": (1, 2),
        "signal_publish_delay_seconds": (1, 5),
        "signal_consume_delay_seconds": (1, 1),
        "order_delay_seconds": (1, 2),
        "fill_delay_seconds": (1, 4),
    }
    assert meter.read("fill_slippage_ratio_count", **BOT) == 1
    assert meter.read("fill_slippage_ratio_bucket", **BOT, le="0.0005") == 0
    assert meter.read("fill_slippage_ratio_bucket", **BOT, le="0.001") == 1
    assert meter.read("signals_ended_total", consumer_id="bot", state="filled") == 1


async def test_a_bar_that_was_corrected_since_says_nothing_of_when_it_arrived(bus: FakeBus) -> None:
    meter = Meter(bus)
    await meter.readings.take(NOON)
    bus.ingested[BAR] = CLOSE + seconds(100)
    publish(bus)
    await meter.readings.take(CLOSE + seconds(120))
    assert meter.read("signal_compute_delay_seconds_count", **STRATEGY) is None
    assert meter.read("signal_deliver_delay_seconds_count", **STRATEGY) == 1


async def test_a_restart_goes_on_where_the_process_before_stopped(bus: FakeBus) -> None:
    predecessor(bus, CLOSE + seconds(4))
    publish(bus)  # while no monitor ran
    bus.ledger.record([make_execution(make_signal(ts=NOON), seen_at=CLOSE + seconds(6))])
    meter = Meter(bus)
    await meter.readings.take(CLOSE + seconds(300))
    assert meter.read("signal_publish_delay_seconds_count", **STRATEGY) == 1
    assert meter.read("signal_consume_delay_seconds_count", **BOT) == 1
    assert meter.readings.counted_until == CLOSE + seconds(300)


async def test_what_the_process_before_has_counted_is_not_counted_again(bus: FakeBus) -> None:
    publish(bus)
    bus.ledger.record(
        [make_execution(make_signal(ts=NOON), seen_at=CLOSE + seconds(6), state="refused", reason="stale")]
    )
    predecessor(bus, CLOSE + seconds(10))
    meter = Meter(bus)
    await meter.readings.take(CLOSE + seconds(20))
    assert meter.read("signal_publish_delay_seconds_count", **STRATEGY) is None
    assert meter.read("signal_consume_delay_seconds_count", **BOT) is None
    assert meter.read("signals_refused_total", consumer_id="bot", reason="stale") is None


@pytest.mark.parametrize(
    ("counted_until", "instance", "counted"),
    [
        (NOON, "main", 1),
        (NOON, "another", None),  # somebody else's counters
        (None, "main", None),
        ("yesterday", "main", None),
        ("2026-01-05T12:00:00", "main", None),  # without a zone it is no moment
        (NOON + timedelta(days=1), "main", None),  # the clock was set back since
    ],
)
async def test_only_a_sound_word_of_the_same_instance_is_believed(
    bus: FakeBus, counted_until: object, instance: str, counted: int | None
) -> None:
    predecessor(bus, counted_until, instance=instance)
    publish(bus)
    meter = Meter(bus)
    await meter.readings.take(CLOSE + seconds(20))
    assert meter.read("signal_publish_delay_seconds_count", **STRATEGY) == counted


async def test_what_is_older_than_half_an_hour_is_left_out(bus: FakeBus) -> None:
    predecessor(bus, NOON)
    publish(bus)
    meter = Meter(bus)
    await meter.readings.take(CLOSE + timedelta(minutes=31))
    assert meter.read("signal_publish_delay_seconds_count", **STRATEGY) is None


async def test_a_signal_that_waited_for_hours_is_counted_when_it_is_filled(bus: FakeBus) -> None:
    signal = make_signal(ts=NOON)
    seen = {"available_at": CLOSE, "seen_at": CLOSE}
    bus.clock.set(CLOSE + timedelta(hours=5))
    bus.ledger.record([make_execution(signal, **seen, state="accepted")])
    meter = Meter(bus)
    await meter.readings.take(CLOSE + timedelta(hours=5))
    filled_at = CLOSE + timedelta(hours=5, seconds=10)
    bus.ledger.record(
        [
            make_execution(
                signal,
                **seen,
                state="filled",
                ordered_at=filled_at - seconds(4),
                filled_at=filled_at,
                price=1.0,
                amount=1.0,
            )
        ]
    )
    bus.clock.set(filled_at)
    # It has an end now: the real view reads it once more, as one that was without one.
    bus.keep_settled = True
    await meter.readings.take(filled_at + seconds(1))
    assert meter.read("fill_delay_seconds_sum", **BOT) == 4
    assert meter.read("signals_ended_total", consumer_id="bot", state="filled") == 1
    assert meter.read("signal_consume_delay_seconds_count", **BOT) is None


async def test_a_late_refusal_of_an_old_signal_is_counted(bus: FakeBus) -> None:
    signal = make_signal(ts=NOON)
    seen = {"available_at": CLOSE, "seen_at": CLOSE}
    bus.clock.set(CLOSE + seconds(30))
    bus.ledger.record([make_execution(signal, **seen)])
    predecessor(bus, CLOSE + seconds(20))
    meter = Meter(bus)
    await meter.readings.take(CLOSE + seconds(30))
    bus.ledger.record([make_execution(signal, **seen, state="refused", reason="no_slot")])
    await meter.readings.take(CLOSE + seconds(33))
    assert meter.read("signals_refused_total", consumer_id="bot", reason="no_slot") == 1
    assert meter.read("signals_ended_total", consumer_id="bot", state="refused") == 1


async def test_a_rejection_is_an_order_reject_and_no_refusal(bus: FakeBus) -> None:
    meter = Meter(bus)
    await meter.readings.take(NOON)
    bus.clock.set(CLOSE)
    row = make_execution(
        make_signal(ts=NOON), seen_at=CLOSE, ordered_at=CLOSE, state="rejected", reason="order_rejected"
    )
    bus.ledger.record([row])
    await meter.readings.take(CLOSE + seconds(1))
    reason = {"consumer_id": "bot", "reason": "order_rejected"}
    assert meter.read("order_rejects_total", **reason) == 1
    assert meter.read("signals_refused_total", **reason) is None
    assert meter.read("order_rejects_in_a_row", **BOT) == 1
