"""Publishing as people do it: data frames, declarations on the way, dry runs, broken connections."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from quantbus_contracts import BusUnavailable, ContractError, SignalBus, Strategy
from quantbus_contracts.bus import AsyncSignalBus
from quantbus_contracts.bus.audit import verify
from quantbus_contracts.mongo.client import AsyncConnection, Connection, connect
from quantbus_contracts.mongo.steps import Call
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.testing import make_signal

pytestmark = pytest.mark.integration
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def frame_of(scores: list[float | None]) -> Any:
    times = pd.date_range(NOON, periods=len(scores), freq="1h")
    return pd.DataFrame({"pair": "BTC/USDT", "score": scores, "ref_price": 1.5}, index=times)


@pytest.fixture
def bus(connection: Connection) -> SignalBus:
    return SignalBus(connection, publisher="tester")


def test_three_lines_publish_a_frame(mongo_settings: MongoSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mongo_settings.mongo_uri is not None
    monkeypatch.setenv("QUANTBUS_MONGO_URI", mongo_settings.mongo_uri.get_secret_value())
    monkeypatch.setenv("QUANTBUS_SIGNALS_DB", mongo_settings.signals_db)
    bus = SignalBus.from_env()
    report = bus.publish(frame_of([0.1, None, -0.2]), strategy_id="mine", timeframe="1h", venue="BINANCE")
    assert (report.inserted, [item.row for item in report.rejections]) == (2, [1])
    assert report.notes == ("declared by this batch: mine, BINANCE spot, 1h bars, BTC/USDT",)
    again = bus.publish(frame_of([0.1, None, -0.3]), strategy_id="mine")
    assert (again.unchanged, again.revised, again.notes) == (1, 1, ())
    newest = bus.latest("mine").signals["BTC/USDT"]
    assert (newest.signal.score, newest.version) == (-0.3, 2)
    assert [item.version for item in bus.range("mine", start=NOON, end=NOON + timedelta(days=1))] == [1, 2]
    bus.close()


def test_polars_does_the_same(bus: SignalBus) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.from_pandas(frame_of([0.1, None]).reset_index(names="ts"))
    report = bus.publish(frame, strategy_id="mine", timeframe="1h", venue="BINANCE")
    assert (report.inserted, report.rejections[0].field) == (1, "score")


def test_backfilled_history_says_what_it_is(bus: SignalBus) -> None:
    report = bus.publish([make_signal().model_dump(exclude={"origin"}, exclude_none=True)], origin="backfill")
    [identity] = report.signal_ids
    assert identity is not None
    found = bus.get(identity)
    assert found is not None
    assert found.signal.origin == "backfill"


def test_the_hot_path_takes_one_question_for_a_replay_and_a_transaction_for_news(
    bus: SignalBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.publish([make_signal(score=0.1)])
    asked: list[str] = []
    perform = bus.connection._perform

    def count(call: Call, course: Any) -> Any:
        asked.append(f"{call.method} {call.collection}".strip())
        return perform(call, course)

    monkeypatch.setattr(bus.connection, "_perform", count)
    bus.publish([make_signal(score=0.1)])
    assert asked == ["aggregate signals_audit"]
    asked.clear()
    bus.publish([make_signal(score=0.1), make_signal(ts=NOON + timedelta(minutes=1))])
    transaction = ["begin", "insert_many signals_audit", "insert_many crypto_signals", "commit"]
    assert asked == ["aggregate signals_audit", *transaction]


def test_many_rows_are_many_bounded_batches(bus: SignalBus) -> None:
    rows = [make_signal(ts=NOON + timedelta(minutes=n)) for n in range(2_300)]
    assert bus.publish([*rows, *rows]).counts | {"unchanged": 0} == bus.publish([]).counts | {
        "inserted": 2_300
    }
    report = verify(bus.connection)
    assert (report.ok, report.rows, report.revisions) == (True, 4, 2_300), "a declaration and three batches"


def test_two_strategies_in_one_batch_keep_to_their_own_declarations(bus: SignalBus) -> None:
    rows = [
        make_signal(),
        make_signal(strategy_id="b", pair="ETH/USDT", timeframe="5m"),
        make_signal(score=0.5),
    ]
    report = bus.publish(rows)
    assert (report.inserted, report.revised, len(report.notes)) == (2, 1, 2)
    assert report.signal_ids == tuple(row.signal_id for row in rows)
    assert verify(bus.connection).ok


def test_an_unknown_pair_is_refused_with_the_command_that_declares_it(bus: SignalBus) -> None:
    bus.publish([make_signal()])
    [refused] = bus.publish([make_signal(pair="ETH/USDT")]).rejections
    assert "quantbus strategies declare test --add-pair ETH/USDT" in refused.reason
    stands = bus.strategy("test")
    assert stands is not None
    bus.declare(stands.with_pairs("ETH/USDT"))
    assert bus.publish([make_signal(pair="ETH/USDT")]).inserted == 1


def test_a_declaration_passed_along_does_not_redeclare(bus: SignalBus) -> None:
    bus.publish([make_signal()])
    other = Strategy(strategy_id="test", venue="KRAKEN", timeframe="1m", pairs=("BTC/USDT",))
    with pytest.raises(ContractError, match="stands declared otherwise"):
        bus.publish([make_signal()], declaration=other)


def test_stale_rows_say_which_version_stands(bus: SignalBus) -> None:
    signal = make_signal(score=0.1)
    bus.publish([signal])
    report = bus.publish([make_signal(score=0.2)], expected_versions={signal.signal_id: 0})
    assert report.stale == 1
    assert "holds version 1" in report.unsettled[0].reason
    fresh = make_signal(ts=NOON + timedelta(minutes=1))
    assert bus.publish([fresh], expected_versions={fresh.signal_id: 3}).stale == 1


def test_a_dry_run_leaves_the_databases_as_they_were(bus: SignalBus) -> None:
    database = bus.connection.client[bus.connection.names.of("crypto_signals")]
    with database.watch() as stream:
        report = bus.publish([make_signal(), {"nonsense": 1}], dry_run=True)
        assert (report.inserted, report.rejected) == (1, 1)
        assert "would be declared" in report.notes[0]
        bus.publish([make_signal(strategy_id="real")])
        assert next(stream)["documentKey"]["_id"].startswith("real")


class Breaking:
    """Breaks a connection at chosen calls: before they reach the server, or after it has answered."""

    def __init__(self, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        self.breaks: dict[str, list[str]] = {}
        perform = connection._perform

        def broken(call: Call, course: Any) -> Any:
            when = (self.breaks.get(call.method) or [""]).pop(0)
            if when == "before":
                raise BusUnavailable("the wire is cut")
            reply = perform(call, course)
            if when == "after":
                raise BusUnavailable("the answer is lost")
            return reply

        monkeypatch.setattr(connection, "_perform", broken)


@pytest.mark.parametrize("method", ["begin", "insert_many", "bulk_write", "commit"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_rows_after_a_broken_connection_are_read_again_and_told_apart(
    bus: SignalBus, monkeypatch: pytest.MonkeyPatch, method: str, when: str
) -> None:
    bus.publish([make_signal(score=0.1)])
    Breaking(bus.connection, monkeypatch).breaks = {method: [when]}
    report = bus.publish([make_signal(score=0.2), make_signal(ts=NOON + timedelta(minutes=1))])
    assert (report.inserted, report.revised, report.ok) == (1, 1, True), report
    audit = verify(bus.connection)
    assert (audit.ok, audit.rows, audit.revisions) == (True, 3, 3), "once, however often it was sent"


def test_rows_that_are_never_confirmed_are_unknown_and_a_rerun_settles_them(
    bus: SignalBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.publish([make_signal(score=0.1)])
    with monkeypatch.context() as broken:
        breaking = Breaking(bus.connection, broken)
        breaking.breaks = {"commit": ["after"], "aggregate": ["", *["before"] * 9]}
        report = bus.publish([make_signal(score=0.2), make_signal(ts=NOON + timedelta(minutes=1))])
    assert (report.unknown, len(report.unsettled), report.ok) == (2, 2, False)
    again = bus.publish([make_signal(score=0.2), make_signal(ts=NOON + timedelta(minutes=1))])
    assert again.unchanged == 2, "the commit had arrived"


def test_a_bus_that_cannot_be_read_at_all_is_an_error_and_not_a_report(
    bus: SignalBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.publish([make_signal()])
    Breaking(bus.connection, monkeypatch).breaks = {"aggregate": ["before"] * 9}
    with pytest.raises(BusUnavailable):
        bus.publish([make_signal(score=0.2)])


def test_a_dead_publishers_open_transaction_holds_the_next_one_up_for_seconds_only(
    mongo_settings: MongoSettings, bus: SignalBus
) -> None:
    bus.publish([make_signal(score=0.1)])
    dead = connect(mongo_settings, app="dead", timeout_seconds=20)
    session = dead.client.start_session()
    session.start_transaction()
    audit = dead.client[mongo_settings.signals_db]["signals_audit"]
    row = audit.find_one({"seq": 2}, session=session)
    assert row is not None
    audit.insert_one(row | {"_id": "test|3", "seq": 3}, session=session)  # and is never heard of again
    began = time.monotonic()
    report = bus.publish([make_signal(score=0.2)])
    assert (report.revised, report.ok) == (1, True), report
    assert time.monotonic() - began < 8
    assert verify(bus.connection).ok
    dead.close()


async def test_the_asynchronous_bus_does_all_of_it(async_connection: AsyncConnection) -> None:
    bus = AsyncSignalBus(async_connection, publisher="async")
    frame = frame_of([0.1, None])
    told = await bus.publish(frame, strategy_id="mine", timeframe="1h", venue="BINANCE", dry_run=True)
    report = await bus.publish(frame, strategy_id="mine", timeframe="1h", venue="BINANCE")
    assert told.counts == report.counts
    declared = await bus.declaration("mine")
    assert declared is not None
    assert (declared.version, await bus.strategy("mine")) == (1, declared.strategy)
    await bus.declare(declared.strategy.with_pairs("ETH/USDT"))
    snapshot = await bus.latest("mine")
    shown = await bus.as_of(snapshot.now, "mine")
    assert shown.signals == snapshot.signals
    found = await bus.range("mine", start=NOON, end=NOON + timedelta(days=1))
    assert found == [await bus.get(found[0].signal_id)]


async def test_asynchronous_racers_of_one_loop_complete(async_connection: AsyncConnection) -> None:
    buses = [AsyncSignalBus(async_connection, publisher=f"racer{number}") for number in range(6)]
    reports = await asyncio.gather(
        *(bus.publish([make_signal(score=number / 10)]) for number, bus in enumerate(buses))
    )
    assert sum(report.inserted + report.revised for report in reports) == 6


async def test_a_cancelled_publisher_leaves_no_transaction_open(async_connection: AsyncConnection) -> None:
    bus = AsyncSignalBus(async_connection, publisher="cancelled")
    await bus.publish([make_signal(score=0.1)])
    for number in range(12):
        rows = [make_signal(ts=NOON + timedelta(minutes=n), score=number / 100) for n in range(300)]
        task = asyncio.create_task(bus.publish(rows))
        await asyncio.sleep(number * 0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    began = time.monotonic()
    assert (await bus.publish([make_signal(score=0.9)])).ok
    assert time.monotonic() - began < 2, "nothing had to wait for the server to give up on a transaction"
