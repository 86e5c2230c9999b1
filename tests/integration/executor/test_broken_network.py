"""How long one loop of a bot waits for its bus, whatever the network does; only Freqtrade is a fake here."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from quantbus_contracts import SignalBus
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.embedded import EmbeddedServer
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.policy import TradingRules
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Signal
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.assembly import build_follower
from quantbus_executor.follower import SignalFollower
from quantbus_executor.settings import ExecutorSettings
from tests.fixtures.tcp_proxy import Fault, TcpProxy, running_proxy
from tests.unit.executor.rig import FakeBook

pytestmark = pytest.mark.integration

PAIRS = ["BTC/USDT", "ETH/USDT"]
LONGEST = 1.6
"""Seconds: what is asked is bound to 0.45, what is told to 0.9, and a busy machine has the rest."""
FAULTS = {
    "slow": Fault(delay_seconds=0.1),
    "too slow": Fault(delay_seconds=0.25),
    "far too slow": Fault(delay_seconds=2.0),
    "answers lost": Fault(black_hole=True),
    "answers held back": Fault(hold=True),
    "closed": Fault(close_after=0),
    "reset": Fault(reset_after=0),
    "closed in the middle": Fault(close_after=100),
    "reset in the middle": Fault(reset_after=100),
}


@pytest.fixture
def network(mongo_server: EmbeddedServer) -> Iterator[TcpProxy]:
    port = int(mongo_server.uri.partition("127.0.0.1:")[2].partition("/")[0].partition("?")[0])
    with running_proxy(port) as proxy:
        yield proxy


@pytest.fixture
def far(network: TcpProxy, mongo_settings: MongoSettings) -> Iterator[Connection]:
    uri = f"mongodb://127.0.0.1:{network.port}/?directConnection=true"
    settings = mongo_settings.model_copy(update={"mongo_uri": SecretStr(uri)})
    with closing(connect(settings, app="far", timeout_seconds=0.3)) as made:
        yield made


def follower_over(connection: Connection) -> SignalFollower:
    settings = ExecutorSettings(
        strategy_id="test",
        consumer_id="bot",
        timeframe=Timeframe.parse("1m"),
        mongo=connection.settings,
        collection="crypto_signals",
        query_timeout=timedelta(milliseconds=300),
        max_answer_age=timedelta(seconds=30),
        rules=TradingRules(),
    )
    return build_follower(settings, connection, FakeBook(), SystemClock())


def publish(connection: Connection) -> Signal:
    signal = make_signal(ts=Timeframe.parse("1m").last_closed(datetime.now(UTC)))
    assert SignalBus(connection, publisher="test").publish([signal]).ok
    return signal


@pytest.mark.parametrize("name", FAULTS)
def test_a_loop_waits_for_no_network(
    connection: Connection, far: Connection, network: TcpProxy, name: str
) -> None:
    follower = follower_over(far)
    follower.on_loop(PAIRS)
    waits = []
    for _ in range(3):
        network.to_client = replace(FAULTS[name])
        begun = time.monotonic()
        follower.on_loop(PAIRS)
        waits.append(time.monotonic() - begun)
    assert max(waits) < LONGEST, waits
    network.to_client = Fault()
    signal = publish(connection)
    deadline = time.monotonic() + 10
    follower.on_loop(PAIRS)
    while not follower.entries.confirm(signal.pair, signal.signal_id, "long"):
        assert time.monotonic() < deadline, "the bus was not heard again"
        time.sleep(0.1)
        follower.on_loop(PAIRS)


def test_a_reset_costs_no_more_than_the_loop_it_happens_in(
    connection: Connection, far: Connection, network: TcpProxy
) -> None:
    follower = follower_over(far)
    signal = publish(connection)
    network.to_client.reset_after = 0
    follower.on_loop(PAIRS)
    follower.on_loop(PAIRS)
    assert follower.entries.confirm(signal.pair, signal.signal_id, "long")
