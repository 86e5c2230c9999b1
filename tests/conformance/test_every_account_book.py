"""The laws of fills, positions, balances and of the sweep over signals; fakes and real stores run the same tests."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import WriteError

from quantbus_contracts.bus import SignalBus
from quantbus_contracts.mongo.account_books import AccountBooks
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.signal_sweep import SignalSweeper
from quantbus_contracts.ports import SweepPlace
from quantbus_contracts.schema import Balance, Fill, Holding
from quantbus_contracts.testing import (
    FakeAccountBooks,
    FakeExecutionStore,
    FakeSignalStore,
    FrozenClock,
    make_execution,
    make_signal,
)
from quantbus_contracts.timeframe import Timeframe

MINUTE = Timeframe.parse("1m")
NOON = make_signal().ts
BOTH = pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.integration)])


def make_fill(**given: Any) -> Fill:
    fields = {
        "consumer_id": "bot",
        "strategy_id": "demo",
        "pair": "BTC/USDT",
        "order_id": "dry_run_buy_BTC/USDT_1",
        "trade_id": 1,
        "signal_id": "a" * 32,
        "side": "buy",
        "purpose": "entry",
        "amount": 0.5,
        "price": 100.0,
        "ordered_at": NOON,
        "filled_at": NOON + timedelta(seconds=1),
        "dry_run": True,
    }
    return Fill(**{**fields, **given})


def make_holding(**given: Any) -> Holding:
    fields = {
        "consumer_id": "bot",
        "strategy_id": "demo",
        "pair": "BTC/USDT",
        "side": "long",
        "amount": 0.5,
        "stake": 50.0,
        "entry_price": 100.0,
        "at": NOON,
        "dry_run": True,
    }
    return Holding(**{**fields, **given})


def make_balance(**given: Any) -> Balance:
    fields = {"consumer_id": "bot", "currency": "USDT", "total": 1_000.0, "free": 950.0}
    return Balance(**{**fields, "at": NOON, "dry_run": True, **given})


@pytest.fixture
def connection_or_none(request: pytest.FixtureRequest, real: bool) -> Connection | None:
    return request.getfixturevalue("connection") if real else None


@pytest.fixture
def books(connection_or_none: Connection | None) -> Any:
    return AccountBooks(connection_or_none) if connection_or_none else FakeAccountBooks()


@BOTH
def test_each_kind_reads_back_and_the_newest_state_counts(books: Any) -> None:
    partly, whole = make_fill(amount=0.2), make_fill()
    other = make_fill(
        order_id="2", signal_id=None, tag="stop_loss", side="sell", purpose="stop", consumer_id="b2"
    )
    flat = make_holding(side="flat", amount=0.0, stake=0.0, entry_price=None)
    books.record([partly, make_holding(), make_balance()])
    books.record([whole, other, flat, make_balance(free=900.0), make_balance(currency="BNB")])
    books.record([whole])
    assert books.fills(signal_id="a" * 32) == [whole]
    assert books.fills(consumer_id="b2") == [other]
    assert books.positions() == [flat]
    assert [(row.currency, row.free) for row in books.balances(consumer_id="bot")] == [
        ("BNB", 950.0),
        ("USDT", 900.0),
    ]
    assert books.positions(consumer_id="nobody") == []


@pytest.mark.integration
@pytest.mark.parametrize(
    ("collection", "bad"),
    [
        ("fills", {"amount": float("nan")}),
        ("fills", {"price": -1.0}),
        ("positions", {"side": "sideways"}),
        ("balances", {"total": "lots"}),
        ("balances", {"surprise": 1}),
    ],
)
def test_the_database_refuses_what_the_model_would(
    connection: Connection, collection: str, bad: dict[str, Any]
) -> None:
    entries: dict[str, Any] = {"fills": make_fill(), "positions": make_holding(), "balances": make_balance()}
    AccountBooks(connection).record([entries[collection]])
    with pytest.raises(WriteError):
        connection.collection(collection).update_one({}, {"$set": bad})


@pytest.fixture
def signals(connection_or_none: Connection | None) -> Any:
    if connection_or_none is None:
        clock = FrozenClock()
        store = FakeSignalStore(clock=clock)
        return store, store, lambda: clock.advance(timedelta(seconds=1))
    bus = SignalBus(connection_or_none, publisher="tester")
    return bus, SignalSweeper(connection_or_none), lambda: connection_or_none.server_now()


@BOTH
def test_a_sweep_meets_every_signal_once_in_the_order_of_its_arrival(signals: Any) -> None:
    bus, sweeper, tick = signals
    begin = tick()
    rows = [make_signal(ts=NOON + number * timedelta(minutes=1)) for number in (4, 2, 3, 1, 0)]
    bus.publish(rows[:3])
    tick()
    bus.publish(rows[3:])
    bus.publish([make_signal(strategy_id="other")])
    bus.publish([make_signal(ts=NOON - timedelta(minutes=1), origin="backfill")])
    met: list[str] = []
    place: SweepPlace | None = SweepPlace(begin)
    while place is not None:
        page = sweeper.page("test", MINUTE, place, limit=2)
        met += [item.signal_id for item in page.signals]
        place = page.after
    assert len(met) == 5
    assert set(met[:3]) == {row.signal_id for row in rows[:3]}
    assert set(met[3:]) == {row.signal_id for row in rows[3:]}
    assert page.now >= begin


@BOTH
def test_a_revision_comes_by_again(signals: Any) -> None:
    bus, sweeper, tick = signals
    begin = tick()
    bus.publish([make_signal()])
    behind = sweeper.page("test", MINUTE, SweepPlace(begin), limit=1).after
    assert sweeper.page("test", MINUTE, behind, limit=1).signals == ()
    tick()
    bus.publish([make_signal(action="exit_long")])
    (again,) = sweeper.page("test", MINUTE, behind, limit=5).signals
    assert again.version == 2
    assert again.history == ()


@BOTH
def test_the_ledger_is_read_for_many_signals_of_one_consumer(connection_or_none: Connection | None) -> None:
    fake = FakeExecutionStore()
    writer: Any = ExecutionWriter(connection_or_none) if connection_or_none else fake
    reader: Any = ExecutionReader(connection_or_none) if connection_or_none else fake
    mine = [make_execution(make_signal(pair=pair)) for pair in ("BTC/USDT", "ETH/USDT")]
    writer.record([*mine, make_execution(consumer_id="another")])
    asked = [row.signal_id for row in mine]
    assert {row.signal_id for row in reader.of_consumer("bot", [*asked, "none"])} == set(asked)
    assert {row.consumer_id for row in reader.of_consumer("bot", asked)} == {"bot"}
    assert reader.of_consumer("bot", []) == []
