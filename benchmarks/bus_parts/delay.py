"""From publish to a consumer that follows the change stream, beside the publisher's own acknowledgement."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bus_parts.ground import Ground, Results, declare, percentile, signals
from bus_parts.publishing import bulk_upsert, plain, side_collection
from quantbus_contracts import SignalBus
from quantbus_contracts.mongo.client import Connection, connect

PAUSE_SECONDS = 0.01
CROSS_SECTION = 200


@dataclass
class Delays:
    """Seconds from the call of the publisher to its acknowledgement, and to the consumer's event."""

    acknowledged: list[float] = field(default_factory=list)
    consumed: list[float] = field(default_factory=list)


class Consumer(threading.Thread):
    """Follows the inserts of a collection and notes when each batch of them was complete."""

    def __init__(self, connection: Connection, collection: str) -> None:
        super().__init__(daemon=True)
        own = connect(connection.settings, app="bench-consumer", timeout_seconds=60)
        self._connection = own
        self._collection = own.client[connection.settings.signals_db][collection]
        self._open = threading.Event()
        self._halt = False
        self._complete = threading.Event()
        self._missing = 0
        self.at = 0.0

    def expect(self, count: int) -> None:
        """Wait for so many events from now on."""
        self._complete.clear()
        self._missing = count

    def complete(self) -> float:
        """Return when the last expected event came."""
        assert self._complete.wait(30), "the events did not come"
        return self.at

    def run(self) -> None:
        """Follow until closed."""
        with self._collection.watch(max_await_time_ms=1_000) as stream:
            self._open.set()
            while not self._halt:
                if stream.try_next() is not None:
                    self._missing -= 1
                    if self._missing == 0:
                        self.at = time.perf_counter()
                        self._complete.set()

    @contextmanager
    def following(self) -> Iterator["Consumer"]:
        """Run, and be closed at the end."""
        self.start()
        assert self._open.wait(30)
        time.sleep(0.2)
        yield self
        self._halt = True
        self.join(10)
        self._connection.close()


def send_all(consumer: Consumer, sends: list[Callable[[], object]], events: int, pause: float) -> Delays:
    """Send one after the other, each once the one before has arrived."""
    found = Delays()
    for send in sends:
        consumer.expect(events)
        begun = time.perf_counter()
        send()
        found.acknowledged.append(time.perf_counter() - begun)
        found.consumed.append(consumer.complete() - begun)
        time.sleep(pause)
    return found


def publish_singles(connection: Connection, count: int, first_bar: int) -> Delays:
    """Publish signals one at a time through the bus."""
    bus = SignalBus(connection, publisher="bench")
    rows = signals(count + 1, 1, first_bar=first_bar)
    declare(bus, CROSS_SECTION)
    bus.publish(rows[:1])
    with Consumer(connection, "crypto_signals").following() as consumer:
        return send_all(consumer, [lambda row=row: bus.publish([row]) for row in rows[1:]], 1, PAUSE_SECONDS)


def insert_singles(connection: Connection, count: int) -> Delays:
    """Insert rows one at a time without a bus: no look-up, no revision, no audit."""
    raw = side_collection(connection, "plain")
    rows = plain(signals(count, 1))
    with Consumer(connection, raw.name).following() as consumer:
        return send_all(consumer, [lambda row=row: raw.insert_one(row) for row in rows], 1, PAUSE_SECONDS)


def cross_sections(connection: Connection, count: int) -> tuple[Delays, Delays]:
    """Send 200 signals of one bar at once: through the bus, and as bulk upserts."""
    bus = SignalBus(connection, publisher="bench")
    declare(bus, CROSS_SECTION)
    bars = [signals(CROSS_SECTION, CROSS_SECTION, first_bar=10_000 + bar) for bar in range(count)]
    with Consumer(connection, "crypto_signals").following() as consumer:
        ours = send_all(
            consumer, [lambda rows=rows: bus.publish(rows) for rows in bars], CROSS_SECTION, PAUSE_SECONDS
        )
    usual = side_collection(connection, "usual")
    with Consumer(connection, "usual").following() as consumer:
        theirs = send_all(
            consumer,
            [lambda rows=rows: bulk_upsert(usual, plain(rows)) for rows in bars],
            CROSS_SECTION,
            PAUSE_SECONDS,
        )
    return ours, theirs


@contextmanager
def candle_writer(ground: Ground, connection: Connection) -> Iterator[None]:
    """Write candles flat out in another process meanwhile."""
    script = Path(__file__).with_name("candle_load.py")
    process = subprocess.Popen(  # noqa: S603  # our own script
        [sys.executable, str(script), ground.uri, connection.settings.market_db], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline(), "the candle writer did not start"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def add(results: Results, name: str, rounds: list[Delays]) -> dict[str, Any]:
    """Keep the percentiles of each round."""
    made = {}
    for share in (0.5, 0.99):
        label = f"p{share * 100:.0f}"
        acknowledged = [percentile(item.acknowledged, share) * 1e3 for item in rounds]
        consumed = [percentile(item.consumed, share) * 1e3 for item in rounds]
        made[f"ack {label}"] = results.add(f"{name}: acknowledged, {label}", "ms", acknowledged)
        made[f"seen {label}"] = results.add(f"{name}: at the consumer, {label}", "ms", consumed)
        results.ratio(
            f"{name}: consumer / acknowledgement, {label}", made[f"seen {label}"], made[f"ack {label}"]
        )
    return made


def measure(
    ground: Ground, results: Results, *, rounds: int, count: int, tick: Callable[[str], None]
) -> None:
    """Measure idle, beside a candle writer, and a cross-section."""
    idle, plain_idle, loaded, plain_loaded, sections = [], [], [], [], []
    with ground.fresh() as warm:
        publish_singles(warm, 20, 0)
    for turn in range(rounds):
        tick(f"delay, round {turn + 1} of {rounds}")
        with ground.fresh() as connection:
            idle.append(publish_singles(connection, count, 0))
            plain_idle.append(insert_singles(connection, count))
            sections.append(cross_sections(connection, max(10, count // 10)))
        with ground.fresh() as connection, candle_writer(ground, connection):
            loaded.append(publish_singles(connection, count, 0))
            plain_loaded.append(insert_singles(connection, count))
    ours = add(results, "publish one, idle", idle)
    theirs = add(results, "insert_one without a bus, idle", plain_idle)
    results.ratio(
        "publish one / insert_one, at the consumer, idle, p50", ours["seen p50"], theirs["seen p50"]
    )
    ours_loaded = add(results, "publish one, candles flat out", loaded)
    theirs_loaded = add(results, "insert_one without a bus, candles flat out", plain_loaded)
    results.ratio(
        "publish one / insert_one, candles flat out, p50", ours_loaded["seen p50"], theirs_loaded["seen p50"]
    )
    section = [
        results.add(f"{CROSS_SECTION} signals to the last event, {name}", "ms", values)
        for name, values in (
            ("publish", [percentile(ours.consumed, 0.5) * 1e3 for ours, _ in sections]),
            ("bulk upsert", [percentile(theirs.consumed, 0.5) * 1e3 for _, theirs in sections]),
        )
    ]
    results.ratio(f"{CROSS_SECTION} signals: bulk upsert / publish", section[1], section[0])
