"""What the monitor asks the real bus: the right answers, and no more questions for more strategies."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quantbus_contracts import PublishRun, SignalBus, Strategy, Timeframe
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.account_books import AccountBooks
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.last_runs import last_runs_pipeline
from quantbus_contracts.schema import Balance
from quantbus_contracts.testing import make_candle, make_execution, make_signal
from quantbus_services.monitor.checks import CHECKS, Limits, Sources
from quantbus_services.monitor.metrics import ChainMetrics, LedgerMetrics, PlatformMetrics
from quantbus_services.monitor.readings import Readings
from quantbus_services.monitor.status import strategies_status
from quantbus_services.monitor.stored_view import StoredView

pytestmark = pytest.mark.integration
MINUTE = Timeframe.parse("1m")
DAY = Timeframe.parse("1d")
PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")


@pytest.fixture
def view(async_connection: AsyncConnection) -> StoredView:
    return StoredView(async_connection, SystemClock())


def populate(connection: Connection, names: list[str], now: datetime) -> datetime:
    """Declare strategies, each with a run, a signal for each pair, and a row of the ledger; return the bar."""
    bar = MINUTE.last_closed(now)
    bus = SignalBus(connection, publisher="tester")
    rows = []
    for name in names:
        bus.declare(Strategy(strategy_id=name, venue="BINANCE", timeframe="1m", pairs=PAIRS))
        signals = [
            make_signal(
                strategy_id=name,
                ts=bar,
                pair=pair,
                symbol=f"BINANCE:{pair.replace('/', '')}",
                computed_at=now,
            )
            for pair in PAIRS
        ]
        assert bus.publish(signals).inserted == len(PAIRS)
        for ts in (bar - MINUTE.delta, bar):
            bus.record_run(
                PublishRun(
                    strategy_id=name,
                    timeframe="1m",
                    ts=ts,
                    evaluated_at=now,
                    pairs_evaluated=len(PAIRS),
                    signals=len(PAIRS),
                )
            )
        rows += [make_execution(signal, available_at=now, seen_at=now) for signal in signals]
    ExecutionWriter(connection).record(rows)
    symbols = [f"BINANCE:{pair.replace('/', '')}" for pair in PAIRS]
    CandleWriter(connection).write([make_candle(symbol=symbol, open_time=bar) for symbol in symbols])
    return bar


class Cycles:
    """Cycles of the whole monitor but for the bot, with the questions of each counted."""

    def __init__(self, connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connection = connection
        self.view = StoredView(connection, SystemClock())
        registry = CollectorRegistry()
        metrics = ChainMetrics(registry), LedgerMetrics(registry), PlatformMetrics(registry)
        self.readings = Readings(self.view, *metrics, Limits())
        self.asked: Counter[str] = Counter()
        perform = AsyncConnection._perform

        async def counted(made: AsyncConnection, call: Any, course: Any) -> Any:
            self.asked[f"{call.collection or 'server'}.{call.method}"] += 1
            return await perform(made, call, course)

        monkeypatch.setattr(AsyncConnection, "_perform", counted)

    async def run(self) -> Counter[str]:
        now = await self.connection.server_now()
        self.asked.clear()
        self.view.begin_cycle(now)
        await self.readings.take(now)
        for make in CHECKS:
            if "bot" not in make.needs:
                await make(Sources(self.view)).check(now)
        await strategies_status(self.view, now, Limits().recent)
        return Counter(self.asked)


async def test_a_cycle_asks_no_more_questions_for_more_strategies_and_pairs(
    connection: Connection, async_connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = connection.server_now()
    cycles = Cycles(async_connection, monkeypatch)
    populate(connection, ["only"], now)
    await cycles.run()
    few = await cycles.run()
    populate(connection, [f"strategy-{number}" for number in range(12)], now)
    first = await cycles.run()
    many = await cycles.run()
    assert many == few
    assert sum(many.values()) <= 25, many
    assert first["crypto_signals.aggregate_undecoded"] == 12  # each new strategy is asked about once


async def test_the_newest_runs_and_signals_of_all_strategies_are_found(
    connection: Connection, view: StoredView
) -> None:
    now = connection.server_now()
    bar = populate(connection, ["one", "two"], now)
    SignalBus(connection).declare(
        Strategy(strategy_id="silent", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT",))
    )
    view.begin_cycle(connection.server_now())
    assert {name: run.ts for name, run in (await view.last_runs()).items()} == {"one": bar, "two": bar}
    assert await view.last_signals() == {"one": bar, "two": bar}


async def test_new_signals_show_in_the_next_cycle_also_as_the_newest(
    connection: Connection, view: StoredView
) -> None:
    now = connection.server_now()
    bar = populate(connection, ["one"], now)
    view.begin_cycle(connection.server_now())
    before = len(await view.live_signals(now - timedelta(minutes=15)))
    assert (await view.last_signals())["one"] == bar
    following = bar + MINUTE.delta
    SignalBus(connection).publish([make_signal(strategy_id="one", ts=following)])
    view.begin_cycle(connection.server_now())
    assert len(await view.live_signals(now - timedelta(minutes=15))) == before + 1
    assert (await view.last_signals())["one"] == following


async def test_a_row_without_an_end_is_followed_for_hours_until_it_has_one(
    connection: Connection, view: StoredView
) -> None:
    now = connection.server_now()
    long_ago = now - timedelta(hours=20)
    seen = {"available_at": long_ago, "seen_at": long_ago}
    writer = ExecutionWriter(connection)
    signals = [make_signal(ts=MINUTE.floor(long_ago) - number * MINUTE.delta) for number in (1, 2)]
    writer.record([make_execution(signal, **seen) for signal in signals])
    view.begin_cycle(now)
    assert len(await view.unsettled()) == 2
    assert await view.executions(now - timedelta(hours=1)) == []
    writer.record([make_execution(signals[0], **seen, state="refused", reason="no_slot")])
    view.begin_cycle(now + timedelta(seconds=3))
    states = [row.state for row in await view.unsettled()]
    assert sorted(states) == ["refused", "seen"]
    view.begin_cycle(now + timedelta(seconds=6))
    assert [row.state for row in await view.unsettled()] == ["seen"]


def test_the_newest_runs_cost_one_step_in_the_index_for_each_strategy(connection: Connection) -> None:
    now = connection.server_now()
    populate(connection, ["one", "two", "three"], now)
    bus = SignalBus(connection)
    for name in ("one", "two", "three"):
        for number in range(50):
            ts = MINUTE.floor(now) - (number + 9) * MINUTE.delta
            bus.record_run(
                PublishRun(
                    strategy_id=name,
                    timeframe="1m",
                    ts=ts,
                    evaluated_at=now,
                    pairs_evaluated=1,
                    signals=0,
                )
            )
    database = connection.client[connection.names.of("strategies")]
    command = {"aggregate": "strategies", "pipeline": last_runs_pipeline(), "cursor": {}}
    told = database.command("explain", command, verbosity="executionStats")
    [joined] = [stage for stage in told["stages"] if "$lookup" in stage]
    assert 0 < joined["totalDocsExamined"] <= 6  # of 156
    assert joined["totalKeysExamined"] <= 6


async def test_the_bus_tells_of_its_member_and_its_disk(view: StoredView) -> None:
    health = await view.health()
    assert [(member.state, member.lag_seconds) for member in health.members] == [("primary", 0.0)]
    assert 0 < health.disk_free_bytes < health.disk_size_bytes
    assert abs(await view.clock_offset()) < 5


async def test_bars_tell_when_they_arrived(connection: Connection, view: StoredView) -> None:
    noon = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    written_at = connection.server_now()
    symbols = ("BINANCE:BTCUSDT", "BINANCE:ETHUSDT")
    CandleWriter(connection).write([make_candle(symbol=symbol, open_time=noon) for symbol in symbols])
    midnight = noon.replace(hour=0)
    CandleWriter(connection).write([make_candle(timeframe="1d", open_time=midnight)])
    wanted = [(symbol, noon) for symbol in (*symbols, "BINANCE:NONE")]
    arrived = await view.arrivals(MINUTE, wanted)
    assert arrived.keys() == {(symbol, noon) for symbol in symbols}
    assert all(timedelta(0) <= at - written_at < timedelta(seconds=30) for at in arrived.values())
    assert (await view.arrivals(DAY, [(symbols[0], midnight)])).keys() == {(symbols[0], midnight)}
    assert await view.arrivals(MINUTE, []) == {}


async def test_balances_are_those_of_every_bot(connection: Connection, view: StoredView) -> None:
    now = connection.server_now()
    books = [
        Balance(consumer_id=bot, currency="USDT", total=10.0, free=5.0, at=now, dry_run=True)
        for bot in ("one", "two")
    ]
    AccountBooks(connection).record(books)
    assert {balance.consumer_id for balance in await view.balances()} == {"one", "two"}
