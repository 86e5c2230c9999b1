"""Documents written past the validators: none is traded, none is in another pair's way, and each is told of."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.controls import ControlStore
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.signal_sweep import SignalSweeper
from quantbus_contracts.policy import TradingRules
from quantbus_contracts.ports import SweepPlace
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Control, ControlKind, Signal, Strategy
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.assembly import build_follower
from quantbus_executor.follower import SignalFollower
from quantbus_executor.settings import ExecutorSettings
from tests.fixtures.poison import HIDDEN, POISONS, as_sent, poisoned, sound_row, write_past_validators
from tests.unit.executor.rig import FakeBook, FakeOrder, FakeTrade

pytestmark = pytest.mark.integration

ONE_MINUTE = Timeframe.parse("1m")
NAMES = [*POISONS, *HIDDEN]
SPOILT = {name: f"BAD{number:02}/USDT" for number, name in enumerate(NAMES)}
GOOD = "ETH/USDT"
PAIRS = [GOOD, *SPOILT.values()]


@pytest.fixture
def book() -> FakeBook:
    return FakeBook()


@pytest.fixture
def follower(connection: Connection, mongo_settings: MongoSettings, book: FakeBook) -> SignalFollower:
    return build_follower(settings_of(mongo_settings), connection, book, SystemClock())


def settings_of(mongo: MongoSettings) -> ExecutorSettings:
    return ExecutorSettings(
        strategy_id="test",
        consumer_id="bot",
        timeframe=ONE_MINUTE,
        mongo=mongo,
        collection="crypto_signals",
        query_timeout=timedelta(milliseconds=300),
        max_answer_age=timedelta(seconds=30),
        rules=TradingRules(),
    )


@pytest.fixture(autouse=True)
def room_in_the_bar() -> None:
    """Begin early in a bar, so that all rows are about the same one."""
    while datetime.now(UTC).second > 45:
        time.sleep(0.1)


def signal_of(pair: str, action: str = "enter_long") -> Signal:
    return make_signal(pair=pair, action=action, ts=ONE_MINUTE.last_closed(datetime.now(UTC)))


def publish(connection: Connection, pair: str, action: str = "enter_long", *, bars_back: int = 0) -> Signal:
    ts = ONE_MINUTE.last_closed(datetime.now(UTC)) - bars_back * ONE_MINUTE.delta
    signal = make_signal(pair=pair, action=action, ts=ts)
    bus = SignalBus(connection, publisher="test")
    bus.declare(Strategy(strategy_id="test", venue="BINANCE", timeframe="1m", pairs=PAIRS, cadence_bars=None))
    assert bus.publish([signal]).ok
    return signal


def may_enter(follower: SignalFollower, signal: Signal) -> bool:
    return follower.entries.confirm(signal.pair, signal.signal_id, "long")


def test_a_row_without_a_flaw_is_traded_however_it_was_written(
    connection: Connection, follower: SignalFollower
) -> None:
    sound = signal_of(SPOILT["no opinion"])
    row = sound_row(sound, connection.server_now())
    write_past_validators(connection, [as_sent(row)])
    follower.on_loop(PAIRS)
    assert may_enter(follower, sound)


def test_no_poison_is_traded_and_none_is_in_the_way_of_another_pair(
    connection: Connection, follower: SignalFollower
) -> None:
    assert len(POISONS) + len(HIDDEN) >= 90
    good = publish(connection, GOOD)
    now = connection.server_now()
    signals = {name: signal_of(pair) for name, pair in SPOILT.items()}
    write_past_validators(
        connection, [poisoned(name, sound_row(signal, now)) for name, signal in signals.items()]
    )
    follower.on_loop(PAIRS)
    begun = time.monotonic()
    follower.on_loop(PAIRS)
    took = time.monotonic() - begun
    assert may_enter(follower, good)
    assert took < 0.5, f"a loop took {took:.2f} s"
    assert [name for name, signal in signals.items() if may_enter(follower, signal)] == []
    (beat,) = HeartbeatStore(connection).all()
    assert isinstance(beat.detail["unreadable_rows"], int)
    assert beat.detail["unreadable_rows"] > 60


def test_a_sweep_goes_past_poison_to_what_came_after_it(connection: Connection) -> None:
    now = connection.server_now()
    before = publish(connection, GOOD, bars_back=1)
    rows = [
        poisoned(name, sound_row(signal_of(pair), now))
        for name, pair in SPOILT.items()
        if not name.startswith(
            ("available", "origin: b", "valid until: before")
        )  # those are signals, of no use
    ]
    write_past_validators(connection, rows)
    after = publish(connection, GOOD)
    sweeper, swept = SignalSweeper(connection), list[str]()
    place: SweepPlace | None = SweepPlace(now - timedelta(minutes=1))
    began = time.monotonic()
    while place is not None:
        page = sweeper.page("test", ONE_MINUTE, place, limit=10)
        swept += [signal.signal_id for signal in page.signals]
        place = page.after
    names = {signal_of(pair).signal_id: name for name, pair in SPOILT.items()}
    found = [names.get(signal_id, signal_id) for signal_id in swept]
    assert found == [before.signal_id, after.signal_id]
    assert time.monotonic() - began < 2


def test_poison_hides_no_exit_that_was_heard_before_it(
    connection: Connection, follower: SignalFollower, book: FakeBook
) -> None:
    entry = publish(connection, GOOD, bars_back=2)
    follower.on_loop(PAIRS)
    now = datetime.now(UTC)
    order = FakeOrder("order-1", "buy", entry.signal_id, now, order_filled_utc=now)
    trade = FakeTrade(1, GOOD, entry.signal_id, now, orders=[order])
    book.trades.append(trade)
    follower.on_fill(trade, order)
    leave = publish(connection, GOOD, "exit_long", bars_back=1)
    follower.on_loop(PAIRS)
    row = sound_row(signal_of(GOOD), connection.server_now())
    write_past_validators(connection, [poisoned("score: not a number", row)])
    follower.on_loop(PAIRS)
    assert follower.exits.reason(trade) == f"exit_signal:{leave.signal_id}"


@pytest.mark.parametrize("name", ["note: no text at all", "note: a giant", "version: a text", "no opinion"])
def test_a_traded_signal_that_became_poison_is_in_nobodys_way(
    connection: Connection, mongo_settings: MongoSettings, book: FakeBook, name: str
) -> None:
    """A bot that starts anew asks for the signals of its trades: the first cannot be read, the second can."""
    now = datetime.now(UTC)
    spoilt, sound = signal_of(SPOILT["no opinion"]), publish(connection, SPOILT["stop: zero"])
    write_past_validators(connection, [poisoned(name, sound_row(spoilt, connection.server_now()))])
    for number, signal in enumerate((sound, spoilt), 1):  # the newest is asked for first
        order = FakeOrder(f"order-{number}", "buy", signal.signal_id, now, order_filled_utc=now)
        book.trades.append(FakeTrade(number, signal.pair, signal.signal_id, now, orders=[order]))
    good = publish(connection, GOOD)
    reborn = build_follower(settings_of(mongo_settings), connection, book, SystemClock())
    for _ in range(2):
        reborn.on_loop(PAIRS)
    assert may_enter(reborn, good)
    (row,) = ExecutionReader(connection).of_signal(sound.signal_id)
    assert row.state.value == "filled"


def test_poison_in_the_past_of_a_traded_signal_stops_no_loop(
    connection: Connection, mongo_settings: MongoSettings, follower: SignalFollower, book: FakeBook
) -> None:
    traded = publish(connection, SPOILT["no opinion"], bars_back=1)
    now = datetime.now(UTC)
    order = FakeOrder("order-1", "buy", traded.signal_id, now, order_filled_utc=now)
    book.trades.append(FakeTrade(1, traded.pair, traded.signal_id, now, orders=[order]))
    database = connection.client[connection.names.of("crypto_signals")]
    database.command("collMod", "crypto_signals", validationLevel="off")
    try:
        for history in ("none", [{"version": 1}], [None], [{"note": "x"}] * 3):
            database["crypto_signals"].update_one(
                {"_id": traded.signal_id}, {"$set": {"history": history, "version": 2}}
            )
            good = publish(connection, GOOD)
            reborn = build_follower(settings_of(mongo_settings), connection, book, SystemClock())
            reborn.on_loop(PAIRS)
            reborn.on_loop(PAIRS)
            assert may_enter(reborn, good), history
            database["executions"].delete_many({})
    finally:
        database.command("collMod", "crypto_signals", validationLevel="strict")


@pytest.mark.parametrize(
    "flaw",
    [
        {"kind": "stop everything"},
        {"kind": 7},
        {"scope": "everywhere"},
        {"expires_at": "tomorrow"},
        {"reason": "x" * 10_000_000},
        {"by": None},
        {"unknown": 1},
    ],
    ids=lambda flaw: str(flaw)[:40],
)
def test_a_control_that_cannot_be_read_may_be_any_order_so_nothing_is_entered(
    connection: Connection, follower: SignalFollower, flaw: dict[str, object]
) -> None:
    good = publish(connection, GOOD)
    sound = {
        "_id": "all|me",
        "scope": "all",
        "source": "me",
        "kind": "block",
        "reason": "a test",
        "at": connection.server_now(),
        "by": "me",
    }
    controls = connection.client[connection.names.of("controls")]["controls"]
    controls.insert_one(sound | flaw, bypass_document_validation=True)
    follower.on_loop(PAIRS)
    assert not may_enter(follower, good)
    controls.delete_one({"_id": "all|me"})
    follower.on_loop(PAIRS)
    assert may_enter(follower, good)


def test_a_control_beside_one_that_cannot_be_read_is_obeyed(
    connection: Connection, follower: SignalFollower, book: FakeBook
) -> None:
    now = connection.server_now()
    said = {"reason": "a test", "at": now, "by": "me", "source": "me"}
    ControlStore(connection).put(Control(scope=f"pair:{GOOD}", kind=ControlKind.FLATTEN, **said))
    controls = connection.client[connection.names.of("controls")]["controls"]
    controls.insert_one({"_id": "bad", "kind": b"\xff"}, bypass_document_validation=True)
    trade = FakeTrade(1, GOOD, None, datetime.now(UTC))
    book.trades.append(trade)
    follower.on_loop(PAIRS)
    assert follower.exits.reason(trade) == "flatten"
