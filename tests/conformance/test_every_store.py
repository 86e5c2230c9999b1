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
    FrozenClock,
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
        candles, ledger, strategies = FakeCandleStore(), FakeExecutionStore(), FakeStrategyStore()
        self.clock = FrozenClock()
        signals = FakeSignalStore(strategies=strategies, clock=self.clock)
        self._connection = connection
        self.candle_reader: Any = CandleReader(connection) if connection else candles
        self.candle_writer: Any = CandleWriter(connection) if connection else candles
        self.signal_reader: Any = SignalReader(connection) if connection else signals
        self.bus: Any = SignalBus(connection, publisher="tester") if connection else signals
        self.execution_reader: Any = ExecutionReader(connection) if connection else ledger
        self.execution_writer: Any = ExecutionWriter(connection) if connection else ledger
        self.heartbeats: Any = HeartbeatStore(connection) if connection else FakeHeartbeatStore()
        self.strategies: Any = StrategyStore(connection) if connection else strategies
        self.instruments: Any = InstrumentStore(connection) if connection else FakeInstrumentStore()

    def moment(self) -> datetime:
        """Return a moment that lies strictly between what was and what will be written."""
        if self._connection is None:
            self.clock.advance(timedelta(seconds=1))
            return self.clock.advance(timedelta(seconds=1)) - timedelta(seconds=1)
        between = self._connection.server_now() + timedelta(milliseconds=1)
        while self._connection.server_now() <= between:
            pass
        return between


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


class TestReadingAsOf:
    def test_the_bus_is_read_as_it_stood(self, stores: Stores) -> None:
        before = stores.moment()
        stores.bus.publish([make_signal(score=0.1), make_signal(pair="ETH/USDT", score=0.5)])
        first = stores.moment()
        stores.bus.publish([make_signal(score=0.2)])
        second = stores.moment()
        stores.bus.publish([make_signal(ts=NOON + timedelta(minutes=1), score=0.3), make_signal(score=0.4)])
        last = stores.moment()

        def shown(moment: datetime, pairs: list[str] | None = None) -> dict[str, Any]:
            found = stores.bus.as_of(moment, "test", "1m", pairs)
            assert found.now == moment
            return {
                pair: (item.signal.ts, item.signal.score, item.version)
                for pair, item in found.signals.items()
            }

        ethereum = {"ETH/USDT": (NOON, 0.5, 1)}
        assert shown(before) == {}
        assert shown(first) == {"BTC/USDT": (NOON, 0.1, 1)} | ethereum
        assert shown(second) == {"BTC/USDT": (NOON, 0.2, 2)} | ethereum
        assert shown(last) == {"BTC/USDT": (NOON + timedelta(minutes=1), 0.3, 1)} | ethereum
        assert shown(last, ["ETH/USDT"]) == ethereum

    def test_backfilled_history_is_not_shown_before_it_came(self, stores: Stores) -> None:
        stores.bus.publish([make_signal(ts=NOON - timedelta(minutes=1), score=0.1)])
        earlier = stores.moment()
        stores.bus.publish([make_signal(score=0.2, origin="backfill")])
        assert stores.bus.as_of(earlier, "test", "1m").signals["BTC/USDT"].signal.score == 0.1
        assert stores.bus.latest("test", "1m").signals["BTC/USDT"].signal.origin == "backfill"

    def test_the_latest_of_all_pairs_needs_no_list_of_them(self, stores: Stores) -> None:
        stores.bus.publish([make_signal(), make_signal(pair="ETH/USDT")])
        assert stores.bus.latest("test", "1m").signals.keys() == {"BTC/USDT", "ETH/USDT"}
        assert stores.bus.latest("test", "1m", ["ETH/USDT"]).signals.keys() == {"ETH/USDT"}


class TestDeclarations:
    def test_the_first_batch_declares_its_strategy_without_promising_more(self, stores: Stores) -> None:
        stores.bus.publish([make_signal(), make_signal(pair="ETH/USDT")])
        declared = stores.strategies.get("test")
        assert (declared.version, declared.strategy.pairs) == (1, ("BTC/USDT", "ETH/USDT"))
        assert (declared.strategy.venue, declared.strategy.market_type) == ("BINANCE", "spot")
        assert declared.strategy.cadence_bars is None
        assert stores.strategies.get("other") is None

    def test_a_declaration_that_is_passed_goes_before_what_the_rows_say(self, stores: Stores) -> None:
        wanted = Strategy(strategy_id="test", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT", "X/Y"))
        assert stores.bus.publish([make_signal()], declaration=wanted).ok
        assert stores.strategies.get("test").strategy == wanted

    @pytest.mark.parametrize(
        ("field", "given"),
        [
            ("symbol", {"symbol": "KRAKEN:BTCUSDT"}),
            ("timeframe", {"timeframe": "5m"}),
            ("pair", {"pair": "SOL/USDT"}),
            ("pair", {"pair": "BTC/USDT:USDT"}),
            ("weight", {"weight": -0.6}),
            ("leverage", {"leverage": 3.0}),
        ],
    )
    def test_a_row_that_contradicts_the_declaration_is_refused_and_takes_no_other_with_it(
        self, stores: Stores, field: str, given: dict[str, Any]
    ) -> None:
        stores.strategies.declare(
            Strategy(
                strategy_id="test",
                venue="BINANCE",
                timeframe="1m",
                pairs=("BTC/USDT",),
                max_weight=0.5,
                max_leverage=2,
            )
        )
        good = make_signal(ts=NOON + timedelta(minutes=5), weight=0.5, leverage=2.0)
        report = stores.bus.publish([make_signal(**given), good])
        assert (report.inserted, [(item.row, item.field) for item in report.rejections]) == (1, [(0, field)])
        assert "test" in report.rejections[0].reason

    def test_rows_that_do_not_agree_declare_nothing(self, stores: Stores) -> None:
        report = stores.bus.publish([make_signal(), make_signal(timeframe="5m")])
        assert (report.inserted, report.rejected) == (0, 2)
        assert stores.strategies.all() == []

    def test_redeclaring_lets_other_rows_in_and_counts_its_versions(self, stores: Stores) -> None:
        stores.bus.publish([make_signal()])
        assert stores.bus.publish([make_signal(pair="ETH/USDT")]).rejected == 1
        wider = stores.strategies.get("test").strategy.with_pairs("ETH/USDT")
        stores.strategies.declare(wider)
        stores.strategies.declare(wider)
        assert stores.strategies.get("test").version == 2
        assert stores.bus.publish([make_signal(pair="ETH/USDT")]).inserted == 1

    def test_no_more_signals_a_bar_than_declared(self, stores: Stores) -> None:
        pairs = ("A/USDT", "B/USDT", "C/USDT")
        stores.strategies.declare(
            Strategy(strategy_id="test", venue="BINANCE", timeframe="1m", pairs=pairs, max_signals_per_bar=2)
        )
        report = stores.bus.publish([make_signal(pair=pair) for pair in pairs])
        assert (report.inserted, [item.row for item in report.rejections]) == (2, [2])
        assert stores.bus.publish([make_signal(pair="A/USDT", score=0.1)]).revised == 1
        assert stores.bus.publish([make_signal(pair="C/USDT")]).rejected == 1
        assert stores.bus.publish([make_signal(pair="C/USDT", ts=NOON + timedelta(minutes=1))]).inserted == 1

    def test_a_dry_run_tells_and_writes_nothing(self, stores: Stores) -> None:
        rows = [make_signal(score=0.1), make_signal(score=0.2), make_signal(score=0.2)]
        told = stores.bus.publish(rows, dry_run=True)
        assert (told.inserted, told.revised, told.unchanged, told.dry_run) == (1, 1, 1, True)
        assert stores.signal_reader.get(rows[0].signal_id) is None
        assert stores.strategies.all() == []
        done = stores.bus.publish(rows)
        assert (done.counts, done.dry_run) == (told.counts, False)
        assert stores.bus.publish([make_signal(pair="ETH/USDT")], dry_run=True).rejected == 1


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
