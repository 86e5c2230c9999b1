"""Each process does its work as its own user, with the real stores; the work of another is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from quantbus_contracts import Heartbeat, SignalBus
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.block_sealer import BlockSealer
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.candle_revisions import RevisionReader
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.controls import ControlStore
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.gaps import GapStore
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.holes import HoleFinder
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.layout import initialise, missing_parts
from quantbus_contracts.mongo.listings import ListingStore
from quantbus_contracts.mongo.observations import ObservationStore
from quantbus_contracts.mongo.roles import Role
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.mongo.strategies import StrategyStore
from quantbus_contracts.mongo.turnover import TurnoverReader
from quantbus_contracts.mongo.universes import UniverseStore
from quantbus_contracts.schema import (
    Control,
    ControlKind,
    Disagreement,
    DisagreementKind,
    FundingRate,
    Gap,
    Listing,
    MarketChange,
    MarkPrice,
    OpenInterest,
    PublishRun,
    Universe,
    UniverseMember,
)
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import make_candles, make_execution, make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.session import build_follower
from quantbus_executor.settings import ExecutorSettings
from quantbus_services.gateway.app import create_app
from quantbus_services.gateway.main import assembled
from quantbus_services.gateway.settings import GatewaySettings
from quantbus_services.monitor.main import check_once
from quantbus_services.monitor.settings import MonitorSettings
from tests.integration.security.conftest import Guarded
from tests.unit.executor.rig import FakeBook
from tests.unit.research.panels import make_panel
from tests.unit.research.sessions import candles_of

pytestmark = pytest.mark.integration
QUANTBUS = Path(sys.executable).parent / "quantbus"
MINUTE = Timeframe.parse("1m")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
BEATING: tuple[Role, ...] = ("ingest", "research", "gateway", "executor", "account", "monitor")


def quantbus(guarded: Guarded, role: Role, *arguments: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTBUS_")}
    return subprocess.run(
        [QUANTBUS, *arguments],
        env=kept | guarded.environment(role),
        cwd=guarded.home,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.parametrize("role", BEATING)
def test_every_process_gives_its_sign_of_life(guarded: Guarded, role: Role) -> None:
    connection = guarded.connection(role)
    now = connection.server_now()
    beat = Heartbeat(process=role, instance="smoke", at=now, started_at=now, version="1")
    HeartbeatStore(connection).beat(beat)
    HeartbeatStore(connection).beat(beat)
    assert role in {found.process for found in HeartbeatStore(guarded.connection("monitor")).all()}


def test_ingestion_writes_corrects_and_reads_candles_and_markets(guarded: Guarded) -> None:
    connection = guarded.connection("ingest")
    candles = make_candles(5, symbol="BINANCE:SOLUSDT")
    assert CandleWriter(connection).write(candles).inserted == 5
    assert CandleWriter(connection).write([candles[0].model_copy(update={"close": 100.5})]).updated == 1
    days = make_candles(2, symbol="BINANCE:SOLUSDT", timeframe="1d", start=NOON.replace(hour=0))
    assert CandleWriter(connection).write(days).inserted == 2
    assert InstrumentStore(connection).write([Instrument.from_pair("BINANCE", "SOL/USDT")]) == 1
    assert CandleReader(connection).last_open_times(MINUTE)["BINANCE:SOLUSDT"] == candles[-1].open_time


def test_ingestion_keeps_its_ledgers_observations_lists_and_blocks(guarded: Guarded) -> None:
    connection, symbol = guarded.connection("ingest"), "BINANCE:BNBUSDT"
    bars = [
        bar for bar in make_candles(1440, symbol=symbol, start=NOON.replace(hour=0)) if bar.open_time != NOON
    ]
    CandleWriter(connection).write(bars)
    hole = HoleFinder(connection).holes(symbol, MINUTE, NOON - timedelta(days=1), NOON + timedelta(days=1))
    assert [(found.start, found.end) for found in hole] == [(NOON, NOON + timedelta(minutes=1))]

    gaps = GapStore(connection)
    gap = Gap(symbol=symbol, timeframe="1m", start=NOON, end=hole[0].end, first_seen=NOON, source="test")
    assert (gaps.put([gap]), gaps.put([gap])) == (1, 0)
    assert gaps.find(symbol) == [gap]
    differing = Disagreement(
        symbol=symbol,
        timeframe="1m",
        open_time=NOON,
        kind=DisagreementKind.CLOSE,
        source="binance",
        other_source="fallback:OKX:BNBUSDT",
        close=1.0,
        other_close=2.0,
        volume=1.0,
        other_volume=1.0,
        seen_at=NOON,
    )
    assert (gaps.record([differing]), gaps.disagreements(symbol)) == (1, [differing])

    assert [BlockSealer(connection).seal(symbol, MINUTE, check=True).sealed for _ in range(2)] == [1, 0]
    assert CandleWriter(connection).write([bars[0].model_copy(update={"close": 100.5})]).updated == 1
    assert BlockSealer(connection).seal(symbol, MINUTE).sealed == 1
    corrected = RevisionReader(guarded.connection("monitor")).revisions(
        symbol, MINUTE, NOON - timedelta(days=1), NOON
    )
    assert [found.open_time for found in corrected] == [bars[0].open_time]

    rate = FundingRate(symbol="BINANCE:BNBUSDT.P", at=NOON, source="test", rate=0.0001)
    mark = MarkPrice(symbol="BINANCE:BNBUSDT.P", at=NOON, source="test", mark=600.0)
    held = OpenInterest(symbol="BINANCE:BNBUSDT.P", at=NOON, source="test", amount=5.0)
    store = ObservationStore(connection)
    assert store.write([rate, mark, held]).inserted == 3
    assert store.write([rate.model_copy(update={"rate": 0.0002})]).updated == 1
    assert store.last(MarkPrice, "BINANCE:BNBUSDT.P") == mark

    listing = Listing(
        instrument=Instrument.from_pair("BINANCE", "BNB/USDT"), status="trading", venue_symbol="BNBUSDT"
    )
    change = MarketChange(symbol=symbol, at=NOON, field="status", old="trading", new="halted")
    listings = ListingStore(connection)
    listings.record([listing])
    listings.record([listing.model_copy(update={"status": "halted"})], [change])
    assert listings.changes(symbol=symbol) == [change]

    universe = Universe(
        name="smoke", as_of=NOON, method="file", members=(UniverseMember(symbol=symbol),), venue="BINANCE"
    )
    universes = UniverseStore(connection)
    assert [universes.put(universe), universes.put(universe)] == [True, False]
    assert universes.put(universe.model_copy(update={"note": "again"}), replace=True)
    assert TurnoverReader(connection).turnover([symbol], MINUTE, NOON - timedelta(hours=1), NOON)


@pytest.mark.parametrize("role", ["research", "gateway", "operator"])
def test_publishers_declare_publish_revise_refuse_and_record(guarded: Guarded, role: Role) -> None:
    connection = guarded.connection(role)
    bus = SignalBus(connection, publisher=role)
    signal = make_signal(strategy_id=f"by-{role}")
    assert bus.publish([signal]).inserted == 1
    assert bus.publish([signal]).unchanged == 1
    assert bus.publish([signal.model_copy(update={"action": "exit_long"})]).revised == 1
    assert bus.publish([{"strategy_id": f"by-{role}"}]).rejected == 1
    bus.record_run(
        PublishRun(
            strategy_id=f"by-{role}",
            timeframe="1m",
            ts=NOON,
            evaluated_at=connection.server_now(),
            pairs_evaluated=1,
            signals=1,
        )
    )
    found = SignalReader(connection).get(signal.signal_id)
    assert found is not None
    assert found.version == 2
    assert f"by-{role}" in {item.strategy_id for item in StrategyStore(connection).all()}
    audited = guarded.connection("monitor").client["quantbus_signals"]["signals_audit"]
    assert audited.count_documents({"strategy_id": f"by-{role}"}) >= 2


def test_research_runs_a_recipe_from_candles_to_signals(guarded: Guarded) -> None:
    CandleWriter(guarded.connection("ingest")).write(candles_of(make_panel(300)))
    last = CandleReader(guarded.connection("research")).last_open_times(MINUTE)["BINANCE:BTCUSDT"]
    as_of = (last + timedelta(minutes=1)).isoformat()
    done = quantbus(guarded, "research", "research", "run", "demo", "--once", "--as-of", as_of, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_the_bot_reads_signals_and_controls_and_writes_its_ledger(guarded: Guarded) -> None:
    connection = guarded.connection("executor")
    row = make_execution(make_signal(strategy_id="by-hand"), consumer_id="smoke")
    ExecutionWriter(connection).record([row])
    ExecutionWriter(connection).record([row.model_copy(update={"version": 2})])
    assert [found.version for found in ExecutionReader(connection).of_signal(row.signal_id)] == [2]
    assert SignalReader(connection).newest("by-hand", MINUTE, ["BTC/USDT"]).signals == {}
    assert ControlStore(connection).snapshot().now >= NOON
    settings = ExecutorSettings.load(
        {"timeframe": "1m", "external_signal": {"strategy_id": "by-hand", "consumer_id": "smoke"}}, {}
    )
    follower = build_follower(settings, connection, FakeBook(), SystemClock())
    ts = MINUTE.last_closed(connection.server_now())
    signal = make_signal(strategy_id="by-hand", ts=ts)
    assert SignalBus(guarded.connection("research")).publish([signal]).inserted == 1
    follower.on_loop(["BTC/USDT"])
    assert [found.consumer_id for found in ExecutionReader(connection).of_signal(signal.signal_id)] == [
        "smoke"
    ]


async def test_the_monitor_looks_at_everything(guarded: Guarded) -> None:
    status = await check_once(MonitorSettings(), guarded.settings("monitor"))
    assert status.bus_up
    assert status.bus_error is None
    assert [check for check in status.checks if check.outcome == "unknown"] == []
    server = guarded.client("monitor").admin.command("serverStatus")
    assert server["ok"] == 1.0


async def test_the_gateway_takes_and_gives_signals(guarded: Guarded) -> None:
    made = quantbus(
        guarded, "operator", "keys", "create", "--name=smoke", "--scope=read", "--scope=write", "--json"
    )
    assert made.returncode == 0, made.stderr
    secret = json.loads(made.stdout)["secret"]
    signal = make_signal(strategy_id="over-http").model_dump(mode="json", exclude_none=True)
    async with assembled(GatewaySettings(), guarded.settings("gateway")) as parts:
        transport = httpx.ASGITransport(create_app(parts, version="test"))
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway", headers=headers
        ) as client:
            posted = await client.post("/v1/signals", json={"signals": [signal]})
            assert posted.status_code < 300, posted.text
            read = await client.get("/v1/signals", params={"strategy_id": "over-http", "timeframe": "1m"})
            assert read.status_code == 200, read.text
            assert "BTC/USDT" in read.text


def test_the_operator_sets_and_lifts_a_control(guarded: Guarded) -> None:
    connection = guarded.connection("operator")
    now = connection.server_now()
    control = Control(
        scope="all", source="operator", kind=ControlKind.HALT, reason="smoke", at=now, by="test"
    )
    ControlStore(connection).put(control)
    assert ControlStore(connection).lift("all", "operator", by="test")
    assert quantbus(guarded, "operator", "bus", "status").returncode == 0


def test_who_may_not_see_whether_the_bus_is_prepared_is_not_told_that_it_is(guarded: Guarded) -> None:
    shown = quantbus(guarded, "executor", "bus", "status")
    assert (shown.returncode, "whether it is prepared is not known" in shown.stdout) == (1, True)


def test_migrations_make_what_is_missing_and_read_nothing(guarded: Guarded) -> None:
    guarded.admin.client["quantbus_market"].drop_collection("crypto_market_12h")
    connection = guarded.connection("migrate")
    assert any("crypto_market_12h" in part for part in missing_parts(connection))
    assert initialise(connection).collections_created == 1
    assert missing_parts(connection) == []
    with pytest.raises(ConfigError, match="refused this user"):
        StrategyStore(connection).all()


def _publish(connection: Connection) -> object:
    return SignalBus(connection).publish([make_signal(strategy_id="foreign")])


def _write_candles(connection: Connection) -> object:
    return CandleWriter(connection).write(make_candles(1))


def _write_ledger(connection: Connection) -> object:
    ExecutionWriter(connection).record([make_execution()])
    return None


@pytest.mark.parametrize(
    ("work", "roles"),
    [
        (_publish, ("ingest", "executor", "account", "monitor", "migrate")),
        (_write_candles, ("research", "gateway", "executor", "account", "monitor", "operator", "migrate")),
        (_write_ledger, ("ingest", "research", "gateway", "account", "monitor", "operator", "migrate")),
    ],
)
def test_the_work_of_another_process_is_refused(
    guarded: Guarded, work: Callable[[Connection], object], roles: tuple[Role, ...]
) -> None:
    for role in roles:
        with pytest.raises(ConfigError, match="refused this user"):
            work(guarded.connection(role))


def test_a_process_without_its_role_says_so_and_exits_with_2(guarded: Guarded) -> None:
    refused = quantbus(guarded, "ingest", "research", "run", "demo")
    assert refused.returncode != 0
    wrong = quantbus(guarded, "account", "keys", "list")
    assert wrong.returncode == 2
    assert "the bus refused this user" in wrong.stderr
