"""Controls, risk rows and a slow bus, over a real mongod and by the commands of operators; Freqtrade is a fake."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from quantbus_contracts import SignalBus
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.restraints import RestraintReader
from quantbus_contracts.policy import Debounce, TradingRules
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Signal, Strategy
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.follower import SignalFollower
from quantbus_executor.hearing.restraints import RestraintSettings
from quantbus_executor.session import build_follower
from quantbus_executor.settings import ExecutorSettings
from tests.fixtures.command import Run
from tests.fixtures.tcp_proxy import TcpProxy, running_proxy
from tests.unit.executor.rig import FakeBook, FakeTrade

pytestmark = pytest.mark.integration

ONE_MINUTE = Timeframe.parse("1m")
PAIRS = ["BTC/USDT", "ETH/USDT"]


def settings_of(mongo: MongoSettings, rules: TradingRules | None = None) -> ExecutorSettings:
    return ExecutorSettings(
        strategy_id="test",
        consumer_id="bot",
        timeframe=ONE_MINUTE,
        mongo=mongo,
        collection="crypto_signals",
        query_timeout=timedelta(seconds=2),
        max_answer_age=timedelta(seconds=30),
        rules=rules or TradingRules(tolerance_bars=5),
    )


@pytest.fixture
def book() -> FakeBook:
    return FakeBook()


@pytest.fixture
def follower(connection: Connection, mongo_settings: MongoSettings, book: FakeBook) -> SignalFollower:
    return build_follower(settings_of(mongo_settings), connection, book, SystemClock())


def publish(connection: Connection, pair: str, action: str = "enter_long") -> Signal:
    signal = make_signal(pair=pair, action=action, ts=ONE_MINUTE.last_closed(datetime.now(UTC)))
    bus = SignalBus(connection, publisher="test")
    bus.declare(Strategy(strategy_id="test", venue="BINANCE", timeframe="1m", pairs=PAIRS, cadence_bars=None))
    assert bus.publish([signal]).ok
    return signal


def fate(connection: Connection, signal: Signal) -> tuple[str, str | None]:
    (row,) = ExecutionReader(connection).of_signal(signal.signal_id)
    return row.state.value, row.reason


def test_a_risk_row_of_the_command_denies_one_pair_until_it_is_cleared(
    connection: Connection, follower: SignalFollower, quantbus: Run
) -> None:
    row = (
        "risk",
        "set",
        "test",
        "--pair",
        "BTC/USDT",
        "--level",
        "crit",
        "--reason",
        "drift",
        "--evidence",
        "run-17",
    )
    assert quantbus(*row).code == 0
    btc, eth = publish(connection, "BTC/USDT"), publish(connection, "ETH/USDT")
    follower.on_loop(PAIRS)
    assert fate(connection, btc) == ("seen", "denied_by_risk")
    assert not follower.entries.confirm("BTC/USDT", btc.signal_id, "long")
    assert follower.entries.confirm("ETH/USDT", eth.signal_id, "long")
    assert quantbus("risk", "clear", "test", "--pair", "BTC/USDT").code == 0
    follower.on_loop(PAIRS)
    assert fate(connection, btc) == ("seen", None)
    assert follower.entries.confirm("BTC/USDT", btc.signal_id, "long")


def test_the_stake_follows_the_row_of_the_whole_strategy(
    connection: Connection, follower: SignalFollower, quantbus: Run
) -> None:
    row = ("risk", "set", "test", "--level", "warn", "--stake-scale", "0.25", "--reason", "drift")
    assert quantbus(*row, "--for", "1h").code == 0
    signal = publish(connection, "BTC/USDT")
    follower.on_loop(PAIRS)
    assert follower.entries.stake("BTC/USDT", signal.signal_id, 100.0, 1_000.0, 1_000.0, 5.0) == 25.0


def test_a_block_of_the_command_denies_and_a_flatten_leaves(
    connection: Connection, follower: SignalFollower, book: FakeBook, quantbus: Run
) -> None:
    assert quantbus("controls", "block", "--scope", "consumer:bot", "--reason", "maintenance").code == 0
    signal = publish(connection, "BTC/USDT")
    follower.on_loop(PAIRS)
    assert fate(connection, signal) == ("seen", "blocked")
    trade = FakeTrade(1, "ETH/USDT", None, datetime.now(UTC))
    book.trades.append(trade)
    assert follower.exits.reason(trade) is None
    assert quantbus("controls", "flatten", "--scope", "pair:ETH/USDT", "--reason", "delisting").code == 0
    follower.on_loop(PAIRS)
    assert follower.exits.reason(trade) == "flatten"
    assert quantbus("controls", "resume", "--scope", "consumer:bot").code == 0
    follower.on_loop(PAIRS)
    assert follower.entries.confirm("BTC/USDT", signal.signal_id, "long")


def test_every_reason_of_a_restraint_is_taken_by_the_validator_of_the_ledger(
    connection: Connection, mongo_settings: MongoSettings, book: FakeBook
) -> None:
    rules = TradingRules(debounce=Debounce(cool_down=timedelta(hours=1)))
    follower = build_follower(settings_of(mongo_settings, rules), connection, book, SystemClock())
    now = datetime.now(UTC)
    book.trades.append(FakeTrade(1, "BTC/USDT", None, now, is_open=False, close_date_utc=now))
    signal = publish(connection, "BTC/USDT")
    follower.on_loop(PAIRS)
    assert fate(connection, signal) == ("seen", "cool_down")


def test_questions_inside_a_bound_share_its_time(connection: Connection) -> None:
    with connection.bounded(5.0):
        connection.server_now()
    start = time.monotonic()
    with connection.bounded(0.2):
        time.sleep(0.25)
        with pytest.raises(BusUnavailable):
            connection.server_now()
    assert time.monotonic() - start < 1.0
    connection.server_now()


@pytest.fixture
def proxy(connection: Connection) -> Iterator[TcpProxy]:
    address = connection.client.address
    assert address is not None
    with running_proxy(address[1]) as running:
        yield running


def test_on_a_slow_bus_a_loop_takes_no_longer_and_both_are_heard_in_turn(
    connection: Connection, mongo_settings: MongoSettings, book: FakeBook, proxy: TcpProxy, quantbus: Run
) -> None:
    uri = SecretStr(f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true")
    slow = mongo_settings.model_copy(update={"mongo_uri": uri})
    settings = replace(
        settings_of(slow),
        query_timeout=timedelta(seconds=0.5),
        restraints=RestraintSettings(max_age=timedelta(seconds=4)),
    )
    publish(connection, "BTC/USDT")
    with closing(connect(slow, app="slow", timeout_seconds=0.5)) as reading:
        follower = build_follower(settings, reading, book, SystemClock())
        follower.on_loop(PAIRS)  # the connection is made
        trade = FakeTrade(1, "ETH/USDT", None, datetime.now(UTC))
        book.trades.append(trade)
        proxy.to_client.delay_seconds = 0.3  # too long to begin another question in the same loop
        leave = publish(connection, "ETH/USDT", "exit_long")
        assert quantbus("controls", "block", "--scope", "all", "--reason", "slow").code == 0
        longest, deadline = 0.0, time.monotonic() + 20
        heard_exit = heard_block = False
        while not (heard_exit and heard_block):
            assert time.monotonic() < deadline, (heard_exit, heard_block)
            start = time.monotonic()
            follower.on_loop(PAIRS)
            longest = max(longest, time.monotonic() - start)
            heard_exit = heard_exit or (follower.exits.reason(trade) or "").endswith(leave.signal_id)
            heard_block = heard_block or not follower.entries.confirm("BTC/USDT", "force_entry", "long")
        assert longest < 3.0, "4.5 questions at most, and what a busy machine adds"


def test_where_the_collections_were_never_made_nothing_restrains(
    connection: Connection, mongo_settings: MongoSettings
) -> None:
    bare = mongo_settings.model_copy(update={"trading_db": f"{mongo_settings.trading_db}_bare"})
    with closing(connect(bare, app="bare", timeout_seconds=5)) as reading:
        found = RestraintReader(reading).in_force("test")
    assert (found.controls, found.states) == ((), ())
    assert abs(found.now - connection.server_now()) < timedelta(minutes=1)
