"""What the worker makes of a bus that goes away, of rows that cannot be, and of a second worker."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from quantbus_contracts.embedded import EmbeddedServer
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import FrozenClock
from quantbus_research.metrics import WorkerMetrics
from quantbus_research.worker.loop import BarLoop
from quantbus_research.worker.pulse import Pulse
from quantbus_research.workflows import BusClock, open_session
from tests.fixtures.tcp_proxy import running_proxy
from tests.unit.research.panels import MINUTE, START, make_panel
from tests.unit.research.recipes import make_recipe
from tests.unit.research.sessions import candles_of

pytestmark = pytest.mark.integration
BARS = 205
CLOSED = START + BARS * MINUTE.delta


@pytest.fixture
def stocked(connection: Connection) -> Connection:
    CandleWriter(connection).write(candles_of(make_panel(BARS)))
    return connection


class Desk:
    """One worker on a bus, whose clock moves when it waits."""

    def __init__(self, connection: Connection, home: Path, clock: FrozenClock | None = None) -> None:
        self.clock = clock or FrozenClock(CLOSED + timedelta(seconds=1))
        self.registry = CollectorRegistry()
        self.stopped = False
        self.loop = BarLoop(
            open_session(make_recipe(), connection, home, self.clock),
            metrics=WorkerMetrics(self.registry),
            pulse=Pulse(HeartbeatStore(connection), self.clock, instance="demo"),
            pause=self.pause,
            max_bars=1,
        )

    def pause(self, seconds: float) -> bool:
        self.clock.advance(timedelta(seconds=seconds))
        return self.stopped

    def figure(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, {"strategy_id": "demo", **labels}) or 0.0


def rows(connection: Connection) -> list[PublishedSignal]:
    reader = SignalReader(connection)
    return [
        row
        for pair in ("BTC/USDT", "ETH/USDT")
        for row in reader.range("demo", MINUTE, pair, START, START + timedelta(days=2))
    ]


@pytest.fixture
def behind_a_proxy(stocked: Connection, mongo_server: EmbeddedServer) -> Iterator[Connection]:
    _, _, rest = mongo_server.uri.partition("://")
    host, _, _ = rest.partition("/")
    port = int(host.rpartition(":")[2])
    with running_proxy(port) as proxy:
        uri = f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"
        settings = stocked.settings.model_copy(update={"mongo_uri": SecretStr(uri)})
        with closing(connect(settings, app="worker", timeout_seconds=0.6)) as made:
            made.server_now()
            made.proxy = proxy  # type: ignore[attr-defined]
            yield made


@pytest.mark.timeout(120)
def test_a_bus_that_is_dead_for_a_while_delays_a_bar_and_loses_nothing(
    behind_a_proxy: Connection, stocked: Connection, tmp_path: Path
) -> None:
    desk = Desk(behind_a_proxy, tmp_path)
    proxy = behind_a_proxy.proxy  # type: ignore[attr-defined]
    proxy.to_client.hold = True

    def back_after_some_errors(seconds: float) -> bool:
        if desk.figure("quantbus_research_bus_errors_total") >= 3:
            proxy.to_client.hold = False
        return Desk.pause(desk, seconds)

    desk.loop._pause = back_after_some_errors
    assert desk.loop.run() == 1
    assert desk.figure("quantbus_research_bus_errors_total") >= 3
    assert [row.version for row in rows(stocked)] == [1, 1]
    [run] = SignalReader(stocked).runs("demo", MINUTE, START, CLOSED)
    assert run.degraded is None


def test_candles_that_cannot_be_are_missing_bars_and_no_reason_to_die(
    stocked: Connection, tmp_path: Path
) -> None:
    candles = stocked.client[stocked.names.of("crypto_market_1m")]["crypto_market_1m"]
    newest = CLOSED - MINUTE.delta
    where = {"symbol": "BINANCE:BTCUSDT", "datetime": newest}
    nonsense = {"$set": {"close": float("nan"), "low": -1.0}}
    assert candles.update_one(where, nonsense, bypass_document_validation=True).modified_count == 1
    assert Desk(stocked, tmp_path).loop.run() == 1
    assert {row.signal.pair for row in rows(stocked)} == {"ETH/USDT"}
    [run] = SignalReader(stocked).runs("demo", MINUTE, START, CLOSED)
    assert run.degraded == "BTC/USDT: the bar is missing"


@pytest.mark.timeout(120)
def test_two_workers_at_once_lead_to_the_rows_of_one(stocked: Connection, tmp_path: Path) -> None:
    both = threading.Barrier(2)

    def work(number: int) -> None:
        with closing(connect(stocked.settings, app=f"worker-{number}", timeout_seconds=20)) as own:
            desk = Desk(own, tmp_path / "home")
            both.wait(20)
            assert desk.loop.run() == 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    found = rows(stocked)
    assert [(row.signal.pair, row.version) for row in found] == [("BTC/USDT", 1), ("ETH/USDT", 1)]
    assert len(SignalReader(stocked).runs("demo", MINUTE, START, CLOSED)) == 1
    alone = Desk(stocked, tmp_path / "another")
    alone.loop.run()
    assert rows(stocked) == found


def test_an_own_clock_that_is_wrong_by_hours_does_not_matter(connection: Connection) -> None:
    own = FrozenClock(connection.server_now() - timedelta(hours=3))
    clock = BusClock(connection.server_now, own=own)
    assert clock.set()
    assert abs(clock.now() - connection.server_now()) < timedelta(seconds=2)
    assert clock.ahead > timedelta(hours=2)
    time.sleep(0.05)
    own.advance(timedelta(days=1))
    assert abs(clock.now() - connection.server_now()) < timedelta(seconds=2)
