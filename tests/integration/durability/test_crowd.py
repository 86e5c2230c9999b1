"""Many direct publishers of one strategy at once: all are served, soon and in turn, and the control serves by luck."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from quantbus_contracts import SignalBus, Strategy
from quantbus_contracts.bus.audit import verify
from quantbus_contracts.mongo.audit_log import back_off
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.publish_turns import Place
from quantbus_contracts.mongo.steps import Steps
from quantbus_contracts.schema import PublishReport
from quantbus_contracts.testing import make_signal
from tests.fixtures.bus_load import START

pytestmark = [pytest.mark.proof, pytest.mark.integration, pytest.mark.timeout(300)]
STRATEGY = "crowd"
PUBLISHERS, TIMES = 32, 20


@dataclass
class Crowd:
    """What publishers at work at once were told, how long each publication took, and all of them together."""

    reports: list[PublishReport] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    together: float = 0.0

    @property
    def acknowledged(self) -> int:
        return sum(report.inserted for report in self.reports)

    @property
    def per_second(self) -> float:
        return self.acknowledged / self.together

    @property
    def unfairness(self) -> float:
        """How many times as long as the median the slowest publication took."""
        ordered = sorted(self.seconds)
        return ordered[-1] / ordered[len(ordered) // 2]


def publish_together(connection: Connection, name: str, *, publishers: int, times: int) -> Crowd:
    """Let each publisher publish one signal after another, each over a connection of its own."""
    crowd = Crowd()
    ready = threading.Barrier(publishers + 1)
    pairs = tuple(f"{name}{number}/USDT" for number in range(publishers))
    declare(connection, pairs)

    def publish(pair: str) -> None:
        with closing(connect(connection.settings, app=pair[:8], timeout_seconds=20)) as own:
            bus = SignalBus(own, publisher=pair)
            bus.declaration(STRATEGY)
            ready.wait(60)
            for number in range(times):
                signal = make_signal(strategy_id=STRATEGY, pair=pair, ts=START + timedelta(minutes=number))
                begun = time.monotonic()
                crowd.reports.append(bus.publish([signal]))
                crowd.seconds.append(time.monotonic() - begun)

    threads = [threading.Thread(target=publish, args=(pair,)) for pair in pairs]
    for thread in threads:
        thread.start()
    ready.wait(60)
    begun = time.monotonic()
    for thread in threads:
        thread.join()
    crowd.together = time.monotonic() - begun
    return crowd


def declare(connection: Connection, pairs: tuple[str, ...]) -> None:
    bus = SignalBus(connection)
    stands = bus.strategy(STRATEGY)
    wanted = Strategy(strategy_id=STRATEGY, venue="BINANCE", timeframe="1m", pairs=pairs, cadence_bars=None)
    bus.declare(stands.with_pairs(*pairs) if stands else wanted)


def by_luck(self: Place) -> Iterator[object]:
    """Wait as if there were no line: a random while, longer from meeting to meeting."""
    self._meetings += 1
    yield back_off(self._meetings)


def test_a_crowd_is_served_in_turn_and_the_control_by_luck(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = publish_together(connection, "A", publishers=1, times=100)
    crowd = publish_together(connection, "B", publishers=PUBLISHERS, times=TIMES)
    monkeypatch.setattr(Place, "wait", by_luck)
    control = publish_together(connection, "C", publishers=PUBLISHERS, times=TIMES)
    with capsys.disabled():
        for told, found in {"alone": alone, "crowd": crowd, "control": control}.items():
            slowest = max(found.seconds)
            print(f"{told}: {found.per_second:.0f}/s, slowest {slowest:.2f} s, unfair {found.unfairness:.0f}")  # noqa: T201
    assert crowd.acknowledged == PUBLISHERS * TIMES, "all are acknowledged, none is unknown"
    assert crowd.per_second > alone.per_second / 8
    assert crowd.unfairness < 10, "nobody waits much longer than the others"
    assert control.unfairness > 20 or control.acknowledged < PUBLISHERS * TIMES
    assert verify(connection).ok


def test_what_a_dead_publisher_leaves_in_line_holds_nobody_up_for_long(connection: Connection) -> None:
    declare(connection, ("D0/USDT", "D1/USDT"))
    for _ in range(3):
        connection.run(_join())
    bus = SignalBus(connection)
    bus._desk._crowded[STRATEGY] = 0.01  # so that it joins the line, behind the dead
    begun = time.monotonic()
    assert bus.publish([make_signal(strategy_id=STRATEGY, pair="D1/USDT", ts=START)]).inserted == 1
    assert 1.0 < time.monotonic() - begun < 6.0


def _join() -> Steps[None]:
    yield from Place(STRATEGY)._ask()
