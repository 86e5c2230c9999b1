"""The follower over a real mongod; only Freqtrade is a fake here."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from quantbus_contracts import SignalBus
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.embedded import EmbeddedServer, start_server, stop_server
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.policy import TradingRules
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Execution, Signal, Strategy
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.follower import SignalFollower
from quantbus_executor.session import Session, build_follower
from quantbus_executor.settings import ExecutorSettings
from tests.unit.executor.rig import FakeBook, FakeOrder, FakeTrade

pytestmark = pytest.mark.integration

ONE_MINUTE = Timeframe.parse("1m")
PAIRS = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]


def settings_of(mongo: MongoSettings, collection: str = "crypto_signals") -> ExecutorSettings:
    return ExecutorSettings(
        strategy_id="test",
        consumer_id="bot",
        timeframe=ONE_MINUTE,
        mongo=mongo,
        collection=collection,
        query_timeout=timedelta(milliseconds=300),
        max_answer_age=timedelta(seconds=30),
        rules=TradingRules(),
    )


@pytest.fixture
def book() -> FakeBook:
    return FakeBook()


@pytest.fixture
def follower(connection: Connection, mongo_settings: MongoSettings, book: FakeBook) -> SignalFollower:
    return build_follower(settings_of(mongo_settings), connection, book, SystemClock())


def publish(connection: Connection, pair: str, action: str, *, bars_back: int = 0) -> Signal:
    ts = ONE_MINUTE.last_closed(datetime.now(UTC)) - bars_back * ONE_MINUTE.delta
    published = make_signal(pair=pair, action=action, ts=ts, ref_price=100.0)
    bus = SignalBus(connection, publisher="test")
    bus.declare(Strategy(strategy_id="test", venue="BINANCE", timeframe="1m", pairs=PAIRS, cadence_bars=None))
    assert bus.publish([published]).ok
    return published


def row_of(connection: Connection, of: Signal) -> Execution:
    (row,) = ExecutionReader(connection).of_signal(of.signal_id)
    return row


def open_trade(follower: SignalFollower, book: FakeBook, of: Signal) -> FakeTrade:
    now = datetime.now(UTC)
    assert follower.entries.confirm(of.pair, of.signal_id, "long")
    order = FakeOrder("order-1", "buy", of.signal_id, now, safe_price=101.0, order_filled_utc=now)
    trade = FakeTrade(1, of.pair, of.signal_id, now, orders=[order])
    book.trades.append(trade)
    follower.on_fill(trade, order)
    return trade


def test_a_round_trip_stands_in_the_ledger_of_the_real_bus(
    connection: Connection, follower: SignalFollower, book: FakeBook
) -> None:
    entry = publish(connection, "BTC/USDT", "enter_long", bars_back=1)
    follower.on_loop(PAIRS)
    assert row_of(connection, entry).state == "seen"
    trade = open_trade(follower, book, entry)
    follower.on_loop(PAIRS)
    row = row_of(connection, entry)
    assert (row.state.value, row.price, row.trade_id) == ("filled", 101.0, 1)
    assert row.slippage == pytest.approx(0.01)

    leave = publish(connection, "BTC/USDT", "exit_long")
    follower.on_loop(PAIRS)
    tag = follower.exits.reason(trade)
    assert tag == f"exit_signal:{leave.signal_id}"
    follower.on_loop(PAIRS)
    assert row_of(connection, leave).state == "accepted"
    now = datetime.now(UTC)
    order = FakeOrder("order-2", "sell", tag, now, safe_price=99.0, order_filled_utc=now)
    trade.orders.append(order)
    trade.is_open = False
    follower.on_fill(trade, order)
    follower.on_loop(PAIRS)
    row = row_of(connection, leave)
    assert (row.state.value, row.side) == ("filled", "exit_long")
    assert row.slippage == pytest.approx(0.01)


def test_every_way_to_be_refused_is_taken_by_the_validator(
    connection: Connection, follower: SignalFollower
) -> None:
    short = publish(connection, "BTC/USDT", "enter_short")
    old = publish(connection, "ETH/USDT", "enter_long", bars_back=5)
    nothing = publish(connection, "SOL/USDT", "exit_long")
    follower.on_loop(PAIRS)
    fates = {
        of.pair: (row_of(connection, of).state, row_of(connection, of).reason) for of in (short, old, nothing)
    }
    assert fates == {
        "BTC/USDT": ("refused", "spot_short"),
        "ETH/USDT": ("refused", "expired"),
        "SOL/USDT": ("refused", "nothing_to_exit"),
    }


def test_a_new_process_takes_its_own_rows_over_and_opens_nothing_twice(
    connection: Connection, mongo_settings: MongoSettings, follower: SignalFollower, book: FakeBook
) -> None:
    entry = publish(connection, "BTC/USDT", "enter_long")
    follower.on_loop(PAIRS)
    open_trade(follower, book, entry)
    book.trades[0].is_open = False
    reborn = build_follower(settings_of(mongo_settings), connection, book, SystemClock())
    reborn.on_loop(PAIRS)
    assert not reborn.entries.confirm(entry.pair, entry.signal_id, "long")
    assert row_of(connection, entry).state == "filled"


@pytest.mark.parametrize(
    "poison",
    [
        {"ts": "yesterday"},
        {"action": {"$gt": ""}},
        {"score": float("nan")},
        {"version": "one"},
        {"available_at": None},
        {"symbol": "BINANCE:OTHER"},
        {"valid_until_defaulted": None, "valid_until": "never"},
        {"ts": datetime(9999, 12, 31, 23, 59, tzinfo=UTC)},
    ],
    ids=str,
)
def test_a_malformed_row_trades_not_and_hides_no_other_pair(
    connection: Connection, follower: SignalFollower, poison: dict[str, object]
) -> None:
    publish(connection, "BTC/USDT", "enter_long")
    good = publish(connection, "ETH/USDT", "enter_long")
    database = connection.client[connection.names.of("crypto_signals")]
    database.command("collMod", "crypto_signals", validationLevel="off")
    row = database["crypto_signals"].find_one({"pair": "BTC/USDT"})
    assert row is not None
    database["crypto_signals"].delete_one({"_id": row["_id"]})
    database["crypto_signals"].insert_one({**row, "_id": "poison", **poison})
    follower.on_loop(PAIRS)
    assert follower.entries.confirm("ETH/USDT", good.signal_id, "long")
    for tag in (row["_id"], "poison"):
        assert not follower.entries.confirm("BTC/USDT", tag, "long")


def test_signals_are_read_from_the_collection_that_the_settings_name(
    connection: Connection, mongo_settings: MongoSettings, book: FakeBook
) -> None:
    theirs = publish(connection, "BTC/USDT", "enter_long")
    database = connection.client[connection.names.of("crypto_signals")]
    database["crypto_signals"].rename("signals_of_theirs")
    reading = connect(
        mongo_settings, app="renamed", timeout_seconds=5, renamed={"crypto_signals": "signals_of_theirs"}
    )
    follower = build_follower(settings_of(mongo_settings, "signals_of_theirs"), reading, book, SystemClock())
    follower.on_loop(PAIRS)
    assert follower.entries.confirm("BTC/USDT", theirs.signal_id, "long")
    reading.close()


def _connections(connection: Connection, app: str) -> int:
    operations = connection.client.admin.aggregate(
        [{"$currentOp": {"allUsers": True, "idleConnections": True}}, {"$match": {"appName": app}}]
    )
    return len(list(operations))


@pytest.fixture
def config(
    mongo_settings: MongoSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, object]:
    """Freqtrade's config of a bot on the bus of this test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUANTBUS_TRADING_DB", mongo_settings.trading_db)
    assert mongo_settings.mongo_uri is not None
    block = {
        "strategy_id": "test",
        "consumer_id": "reloaded",
        "mongo_uri": mongo_settings.mongo_uri.get_secret_value(),
    }
    return {"timeframe": "1m", "external_signal": {**block, "db": mongo_settings.signals_db}}


def test_a_reload_closes_the_sockets_of_the_former_start(
    connection: Connection, config: dict[str, object]
) -> None:
    session = Session()
    for _ in range(4):
        session.start(config, FakeBook(), "dry_run")
        session.follower.on_loop(PAIRS)
    of_one_client = 4  # two that watch the server, and a pool of one or two
    _await_connections(connection, "quantbus-executor-reloaded", at_most=of_one_client)
    assert _connections(connection, "quantbus-executor-reloaded") > 0
    session.stop()
    _await_connections(connection, "quantbus-executor-reloaded", at_most=0)


def test_a_reload_loses_no_row_of_the_ledger(
    connection: Connection, config: dict[str, object], book: FakeBook
) -> None:
    session = Session()
    session.start(config, book, "dry_run")
    entry = publish(connection, "BTC/USDT", "enter_long")
    session.follower.on_loop(PAIRS)
    open_trade(session.follower, book, entry)
    session.start(config, book, "dry_run")
    row = row_of(connection, entry)
    assert (row.state.value, row.accepted_at is not None) == ("filled", True)
    session.stop()


def _await_connections(connection: Connection, app: str, *, at_most: int) -> None:
    """The server notices closed sockets a moment later."""
    deadline = time.monotonic() + 10
    while (found := _connections(connection, app)) > at_most:
        assert time.monotonic() < deadline, f"expected at most {at_most} connections, found {found}"
        time.sleep(0.05)


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A mongod that may be hung without hanging every other test."""
    home = tmp_path_factory.mktemp("own-bus")
    server = start_server(home)
    yield server
    os.kill(server.pid, signal.SIGCONT)
    stop_server(home)


@pytest.fixture
def own_mongo(own_server: EmbeddedServer) -> MongoSettings:
    return MongoSettings(mongo_uri=SecretStr(own_server.uri))


@pytest.fixture
def patient(own_mongo: MongoSettings) -> Iterator[Connection]:
    with closing(connect(own_mongo, app="patient", timeout_seconds=20)) as made:
        initialise(made)
        yield made


@pytest.fixture
def quick(own_mongo: MongoSettings) -> Iterator[Connection]:
    with closing(connect(own_mongo, app="quick", timeout_seconds=0.3)) as made:
        yield made


def test_a_bus_that_hangs_holds_the_loop_up_for_one_time_out_only(
    own_server: EmbeddedServer,
    own_mongo: MongoSettings,
    patient: Connection,
    quick: Connection,
    book: FakeBook,
) -> None:
    held = publish(patient, "ETH/USDT", "enter_long")
    follower = build_follower(settings_of(own_mongo), quick, book, SystemClock())
    follower.on_loop(PAIRS)
    trade = open_trade(follower, book, held)
    leave = publish(patient, "ETH/USDT", "exit_long")
    wanted = publish(patient, "BTC/USDT", "enter_long")
    follower.on_loop(PAIRS)
    os.kill(own_server.pid, signal.SIGSTOP)
    durations = []
    for _ in range(3):
        start = time.monotonic()
        follower.on_loop(PAIRS)
        assert not follower.entries.confirm("BTC/USDT", wanted.signal_id, "long")
        assert (follower.exits.reason(trade) or "").endswith(leave.signal_id)
        durations.append(time.monotonic() - start)
    assert max(durations) < 1.0
    os.kill(own_server.pid, signal.SIGCONT)
    deadline = time.monotonic() + 20
    follower.on_loop(PAIRS)
    while not follower.entries.confirm("BTC/USDT", wanted.signal_id, "long"):
        assert time.monotonic() < deadline
        follower.on_loop(PAIRS)
