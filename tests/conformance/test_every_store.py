"""The laws of the stores; the in-memory fake and the real store run the same class."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quantbus_contracts.bus import SignalBus
from quantbus_contracts.clock import truncate_to_milliseconds
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.mongo.strategies import StrategyStore
from quantbus_contracts.schema import ExecutionState, Heartbeat, PublishRun, Strategy
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import (
    FakeCandleStore,
    FakeExecutionStore,
    FakeHeartbeatStore,
    FakeInstrumentStore,
    FakeSignalStore,
    FakeStrategyStore,
    make_candle,
    make_candles,
    make_execution,
    make_signal,
)
from quantbus_contracts.timeframe import Timeframe

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE = Timeframe.parse("1m")
DAY = Timeframe.parse("1d")
FAR = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class Stores:
    """Every store over one backend."""

    def __init__(self, connection: Connection | None) -> None:
        candles, signals, ledger = FakeCandleStore(), FakeSignalStore(), FakeExecutionStore()
        self.candle_reader: Any = CandleReader(connection) if connection else candles
        self.candle_writer: Any = CandleWriter(connection) if connection else candles
        self.signal_reader: Any = SignalReader(connection) if connection else signals
        self.bus: Any = SignalBus(connection, publisher="tester") if connection else signals
        self.execution_reader: Any = ExecutionReader(connection) if connection else ledger
        self.execution_writer: Any = ExecutionWriter(connection) if connection else ledger
        self.heartbeats: Any = HeartbeatStore(connection) if connection else FakeHeartbeatStore()
        self.strategies: Any = StrategyStore(connection) if connection else FakeStrategyStore()
        self.instruments: Any = InstrumentStore(connection) if connection else FakeInstrumentStore()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.integration)])
def stores(request: pytest.FixtureRequest) -> Stores:
    return Stores(request.getfixturevalue("connection") if request.param == "real" else None)


class TestCandles:
    def test_writing_twice_equals_writing_once(self, stores: Stores) -> None:
        candles = make_candles(5)
        assert stores.candle_writer.write(candles).as_dict() == {
            "inserted": 5,
            "updated": 0,
            "unchanged": 0,
            "rejected": 0,
        }
        assert stores.candle_writer.write(candles).as_dict() == {
            "inserted": 0,
            "updated": 0,
            "unchanged": 5,
            "rejected": 0,
        }
        assert stores.candle_reader.candles("BINANCE:BTCUSDT", MINUTE, *FAR) == candles

    def test_a_corrected_value_replaces_the_former(self, stores: Stores) -> None:
        stores.candle_writer.write(make_candles(3))
        corrected = make_candle(open_time=NOON + timedelta(minutes=1), close=101.5)
        assert stores.candle_writer.write([corrected]).updated == 1
        assert stores.candle_reader.candles("BINANCE:BTCUSDT", MINUTE, *FAR)[1].close == 101.5

    def test_old_and_new_bars_in_one_batch_are_told_apart(self, stores: Stores) -> None:
        stores.candle_writer.write(make_candles(3))
        report = stores.candle_writer.write(make_candles(5))
        assert (report.inserted, report.unchanged) == (2, 3)

    def test_a_range_includes_its_start_and_excludes_its_end(self, stores: Stores) -> None:
        stores.candle_writer.write(make_candles(5))
        found = stores.candle_reader.open_times(
            "BINANCE:BTCUSDT", MINUTE, NOON + timedelta(minutes=1), NOON + timedelta(minutes=3)
        )
        assert found == [NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)]

    def test_a_limit_takes_the_newest_oldest_first(self, stores: Stores) -> None:
        candles = make_candles(5)
        stores.candle_writer.write(candles)
        assert stores.candle_reader.candles("BINANCE:BTCUSDT", MINUTE, *FAR, limit=2) == candles[-2:]

    def test_daily_bars_are_days(self, stores: Stores) -> None:
        midnight = datetime(2026, 1, 5, tzinfo=UTC)
        candles = make_candles(3, start=midnight, timeframe="1d")
        stores.candle_writer.write(candles)
        assert stores.candle_reader.candles("BINANCE:BTCUSDT", DAY, *FAR) == candles
        inside_a_day = midnight + timedelta(hours=5)
        found = stores.candle_reader.open_times("BINANCE:BTCUSDT", DAY, inside_a_day, FAR[1])
        assert found == [candle.open_time for candle in candles[1:]]

    def test_the_newest_open_time_is_found_per_symbol(self, stores: Stores) -> None:
        assert stores.candle_reader.last_open_time("BINANCE:BTCUSDT", MINUTE) is None
        stores.candle_writer.write(make_candles(3) + make_candles(2, symbol="BINANCE:ETHUSDT"))
        assert stores.candle_reader.last_open_time("BINANCE:BTCUSDT", MINUTE) == NOON + timedelta(minutes=2)
        assert stores.candle_reader.last_open_times(MINUTE) == {
            "BINANCE:BTCUSDT": NOON + timedelta(minutes=2),
            "BINANCE:ETHUSDT": NOON + timedelta(minutes=1),
        }

    def test_nothing_stored_reads_as_nothing(self, stores: Stores) -> None:
        assert stores.candle_reader.candles("BINANCE:BTCUSDT", MINUTE, *FAR) == []
        assert stores.candle_writer.write([]).total == 0


class TestSignals:
    def test_the_same_content_again_is_unchanged(self, stores: Stores) -> None:
        signal = make_signal(score=0.25)
        assert stores.bus.publish([signal]).inserted == 1
        report = stores.bus.publish([make_signal(score=0.25, note="another note")])
        assert (report.inserted, report.revised, report.unchanged) == (0, 0, 1)
        assert stores.signal_reader.get(signal.signal_id).version == 1

    def test_other_content_is_the_next_version_and_keeps_the_former(self, stores: Stores) -> None:
        first, second, third = make_signal(score=0.1), make_signal(score=0.2), make_signal(action="exit_long")
        for signal in (first, second, third):
            stores.bus.publish([signal])
        found = stores.signal_reader.get(first.signal_id)
        assert (found.version, found.signal.action, found.signal.score) == (3, "exit_long", None)
        assert [(item.version, item.signal.score) for item in found.history] == [(1, 0.1), (2, 0.2)]
        moments = [*(item.available_at for item in found.history), found.available_at]
        assert moments == sorted(moments)

    def test_twins_in_one_batch_are_published_in_order(self, stores: Stores) -> None:
        report = stores.bus.publish([make_signal(score=0.1), make_signal(score=0.2), make_signal(score=0.2)])
        assert (report.inserted, report.revised, report.unchanged) == (1, 1, 1)

    def test_a_failed_expectation_is_stale_and_writes_nothing(self, stores: Stores) -> None:
        signal = make_signal(score=0.1)
        stores.bus.publish([signal])
        stores.bus.publish([make_signal(score=0.2)])
        report = stores.bus.publish([make_signal(score=0.3)], expected_versions={signal.signal_id: 1})
        assert (report.stale, report.revised) == (1, 0)
        assert stores.signal_reader.get(signal.signal_id).signal.score == 0.2

    def test_an_end_is_set_where_none_was_given(self, stores: Stores) -> None:
        given, defaulted = NOON + timedelta(minutes=2), NOON + timedelta(minutes=3)
        stores.bus.publish([make_signal(), make_signal(pair="ETH/USDT", valid_until=given)])
        newest = stores.signal_reader.newest("test", MINUTE, ["BTC/USDT", "ETH/USDT"]).signals
        assert newest["BTC/USDT"].valid_until == defaulted
        assert newest["BTC/USDT"].signal.valid_until is None
        assert newest["ETH/USDT"].valid_until == newest["ETH/USDT"].signal.valid_until == given

    def test_the_newest_of_each_pair_comes_with_the_servers_clock(self, stores: Stores) -> None:
        later = NOON + timedelta(minutes=5)
        stores.bus.publish(
            [
                make_signal(),
                make_signal(ts=later, score=0.5),
                make_signal(pair="ETH/USDT"),
                make_signal(pair="X/Y"),
            ]
        )
        snapshot = stores.signal_reader.newest("test", MINUTE, ["BTC/USDT", "ETH/USDT", "SOL/USDT"])
        assert {pair: item.signal.ts for pair, item in snapshot.signals.items()} == {
            "BTC/USDT": later,
            "ETH/USDT": NOON,
        }
        assert snapshot.now.tzinfo is not None
        assert stores.signal_reader.newest("test", MINUTE, ["BTC/USDT"], since=later).signals.keys() == {
            "BTC/USDT"
        }
        assert stores.signal_reader.newest("other", MINUTE, ["BTC/USDT"]).signals == {}

    def test_other_strategies_and_timeframes_are_other_signals(self, stores: Stores) -> None:
        stores.bus.publish([make_signal(), make_signal(strategy_id="b", timeframe="5m")])
        assert len(stores.signal_reader.range("test", MINUTE, "BTC/USDT", *FAR)) == 1
        assert stores.signal_reader.range("b", MINUTE, "BTC/USDT", *FAR) == []

    def test_evaluations_are_kept_and_the_newest_note_wins(self, stores: Stores) -> None:
        run = PublishRun(
            strategy_id="test", timeframe="1m", ts=NOON, evaluated_at=NOON, pairs_evaluated=2, signals=0
        )
        stores.bus.record_run(run)
        stores.bus.record_run(run.model_copy(update={"signals": 1}))
        assert [item.signals for item in stores.signal_reader.runs("test", MINUTE, *FAR)] == [1]


class TestOtherStores:
    def test_a_ledger_row_goes_from_state_to_state(self, stores: Stores) -> None:
        seen = make_execution()
        filled = make_execution(
            state=ExecutionState.FILLED, price=100.5, amount=0.25, order_ids=("7",), trade_id=1
        )
        stores.execution_writer.record([seen])
        stores.execution_writer.record([seen, filled])
        assert stores.execution_reader.of_signal(seen.signal_id) == [filled]
        assert stores.execution_reader.since(NOON, consumer_id="bot") == [filled]
        assert stores.execution_reader.since(NOON, consumer_id="another") == []

    def test_heartbeats_are_one_per_process(self, stores: Stores) -> None:
        now = truncate_to_milliseconds(NOON)
        beat = Heartbeat(
            process="ingestion", instance="a", at=now, started_at=now, version="1", detail={"bars": 3}
        )
        later = beat.model_copy(update={"at": now + timedelta(seconds=5)})
        stores.heartbeats.beat(beat)
        stores.heartbeats.beat(later)
        assert stores.heartbeats.all() == [later]

    def test_a_declaration_replaces_the_former(self, stores: Stores) -> None:
        declared = Strategy(strategy_id="test", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT",))
        stores.strategies.declare(declared)
        stores.strategies.declare(declared.model_copy(update={"pairs": ("ETH/USDT",)}))
        assert [item.pairs for item in stores.strategies.all()] == [("ETH/USDT",)]

    def test_instruments_read_back_as_written(self, stores: Stores) -> None:
        instruments = [
            Instrument.from_pair("BINANCE", pair)
            for pair in ("BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC", "BTC/USDT:USDT-261225")
        ]
        assert stores.instruments.write(instruments) == 4
        assert stores.instruments.write(instruments) == 0
        assert set(stores.instruments.all("BINANCE")) == set(instruments)
        assert stores.instruments.all("OKX") == []
