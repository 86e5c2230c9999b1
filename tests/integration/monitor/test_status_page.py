"""The status page over a real bus: what it reads, how it reads it, and what an admin changes."""

from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from quantbus_contracts import Heartbeat, PublishedSignal, Timeframe
from quantbus_contracts.bus import SignalBus
from quantbus_contracts.mongo.account_books import AccountBooks
from quantbus_contracts.mongo.api_keys import ApiKeyStore
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.controls import ControlStore
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.findings import FindingStore
from quantbus_contracts.mongo.glances import PairSpan
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.policy import hops_of
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import ControlKind, ExecutionState, Fill, Holding, Sighting, Strategy
from quantbus_contracts.schema.api_key import ApiKey
from quantbus_contracts.schema.tokens import Token
from quantbus_contracts.testing import make_candles, make_execution, make_signal
from quantbus_services.monitor.pages import StoredReads
from tests.fixtures.stored_signals import as_published, store_signals
from tests.integration.monitor.running import environment, running_monitor, wait_for

pytestmark = pytest.mark.integration
MINUTE = Timeframe.parse("1m")
BARS = 20
DEMO = Strategy(
    strategy_id="demo", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT", "ETH/USDT"), note="<b>mine</b>"
)


@pytest.fixture
def last_bar(connection: Connection) -> datetime:
    return MINUTE.last_closed(connection.server_now())


@pytest.fixture
def signals(connection: Connection, last_bar: datetime) -> list[PublishedSignal]:
    """A bus on which one strategy spoke at each of the last bars, its bot traded every other signal."""
    SignalBus(connection).declare(DEMO)
    start = last_bar - (BARS - 1) * MINUTE.delta
    CandleWriter(connection).write(make_candles(BARS, start=start))
    made = []
    for index in range(BARS):
        signal = make_signal(strategy_id="demo", ts=start + index * MINUTE.delta)
        earlier = signal.model_copy(update={"action": "exit_long"})
        first = signal.closes_at + timedelta(milliseconds=100)
        made.append(as_published((earlier, first), (signal, first + timedelta(milliseconds=200))))
    store_signals(connection, made)
    for index, item in enumerate(made[:-1]):
        traded = index % 2 == 0
        row = make_execution(
            item.signal,
            state=ExecutionState.FILLED if traded else ExecutionState.REFUSED,
            reason=None if traded else "no_slot",
            available_at=item.available_at,
            seen_at=item.available_at + timedelta(milliseconds=300),
            filled_at=item.available_at + timedelta(seconds=1) if traded else None,
        )
        ExecutionWriter(connection).record([row])
        if traded:
            _fill(connection, item)
    return made


def _fill(connection: Connection, item: PublishedSignal) -> None:
    told = {"consumer_id": "bot", "strategy_id": "demo", "pair": "BTC/USDT", "trade_id": 1, "dry_run": True}
    filled_at = item.available_at + timedelta(seconds=1)
    AccountBooks(connection).record(
        [
            Fill(
                order_id=f"order-{item.signal.ts:%H%M}",
                signal_id=item.signal_id,
                side="buy",
                purpose="entry",
                amount=0.5,
                price=101.0,
                ordered_at=item.available_at,
                filled_at=filled_at,
                **told,
            ),
            Holding(side="long", amount=0.5, at=filled_at, signal_id=item.signal_id, **told),
        ]
    )


async def test_it_reads_the_newest_few(
    signals: list[PublishedSignal], async_connection: AsyncConnection, last_bar: datetime
) -> None:
    reads = StoredReads(async_connection)
    newest = [item.signal_id for item in reversed(signals)]
    assert [item.signal_id for item in await reads.latest_signals(5)] == newest[:5]
    assert [item.signal_id for item in await reads.signals_of(DEMO, 7)] == newest[:7]
    assert await reads.signals_of(DEMO.model_copy(update={"strategy_id": "other"}), 7) == ()
    [first] = (await reads.latest_signals(1))[0].history
    assert first.signal.action == "exit_long"  # so that delays are counted from the first revision
    span = PairSpan(["demo", "other"], "BTC/USDT", MINUTE, last_bar - 4 * MINUTE.delta, last_bar)
    assert [item.signal_id for item in await reads.signals_of_pair(span, 3)] == newest[1:4][::-1]
    rows = await reads.ledger_of(newest[:3], 10)
    assert {row.signal_id for row in rows} == set(newest[1:3])
    assert await reads.ledger_of([], 10) == ()
    fills = await reads.fills(last_bar - 60 * MINUTE.delta, last_bar + 9 * MINUTE.delta, 4, pair="BTC/USDT")
    assert [fill.filled_at for fill in fills] == sorted((fill.filled_at for fill in fills), reverse=True)
    assert len(fills) == 4
    assert [holding.pair for holding in await reads.holdings()] == ["BTC/USDT"]


async def test_a_signals_life_is_whole(
    signals: list[PublishedSignal], async_connection: AsyncConnection
) -> None:
    reads = StoredReads(async_connection)
    life = await reads.life_of(signals[0].signal_id)
    assert life is not None
    assert life.newer is not None
    assert life.newer.signal_id == signals[1].signal_id
    assert [fill.signal_id for fill in life.fills] == [signals[0].signal_id]
    assert len(life.published.history) == 1
    hops = {
        hop.name: hop.at for hop in hops_of(life.published, life.executions[0], ingested_at=life.ingested_at)
    }
    assert hops["ingested"] is not None
    assert hops["filled"] == signals[0].available_at + timedelta(seconds=1)
    assert await reads.life_of("0" * 32) is None


def test_what_is_asked_every_few_seconds_reads_no_more_than_it_shows(
    signals: list[PublishedSignal], connection: Connection
) -> None:
    collection = connection.client[connection.names.of("crypto_signals")]["crypto_signals"]
    plan = collection.find({}, sort=[("available_at", -1)], limit=5).explain()["executionStats"]
    assert plan["totalDocsExamined"] == 5


@pytest.fixture
def admin(connection: Connection) -> str:
    token = Token.fresh("api")
    key = ApiKey(
        key_id=token.key_id,
        name="ops",
        secret_hash=token.secret_hash,
        scopes=("admin",),
        created_at=connection.server_now(),
    )
    ApiKeyStore(connection).add(key)
    return token.text


def token_in(page: str) -> str:
    return page.split('name="token" value="', 1)[1].split('"', 1)[0]


def test_the_monitors_own_process_serves_every_page_and_obeys_an_admin(
    signals: list[PublishedSignal],
    connection: Connection,
    mongo_settings: MongoSettings,
    admin: str,
    tmp_path: Path,
) -> None:
    now = connection.server_now()
    HeartbeatStore(connection).beat(
        Heartbeat(process="executor", instance="bot", at=now, started_at=now, version="0")
    )
    seen = Sighting(
        check="candle_stale", kind="candle_stale", subject="x", severity="warning", message="m", action="a"
    )
    FindingStore(connection).record([seen], judged_at=now)
    FindingStore(connection).record([], [seen.key], judged_at=connection.server_now())
    with (
        running_monitor(tmp_path, environment(mongo_settings, tmp_path)) as monitor,
        httpx.Client(base_url=monitor.url, timeout=10, trust_env=False) as http,
    ):
        wait_for(lambda: "demo" in http.get("/strategies").text, what="a first look at the strategies")
        pages = {
            "/": "Latest signals",
            "/strategies/demo": "&lt;b&gt;mine&lt;/b&gt;",
            f"/signals/{signals[1].signal_id}": "Raise max_open_trades",
            "/candles": "The last 20 bars",
            "/positions": "What bots hold",
            "/data": "BINANCE:ETHUSDT",
            "/findings": "Over, in the last two days",
            "/controls": "Bots trade as their rules say",
        }
        for path, told in pages.items():
            answer = http.get(path)
            assert answer.status_code == 200, path
            assert told in answer.text, path
        assert len(http.get("/candles.json").json()["candles"]) == BARS
        assert len(http.get("/strategies/demo/delays.json").json()["times"]) == BARS
        assert http.post("/session", data={"key": admin}).status_code == 303
        token = token_in(http.get("/controls").text)
        form = {"kind": "halt", "about": "strategy", "name": "demo", "reason": "model under review"}
        assert http.post("/controls", data={**form, "token": token}).status_code == 303
        [control] = ControlStore(connection).snapshot().controls
        assert (control.kind, control.scope, control.source) == (
            ControlKind.HALT,
            "strategy:demo",
            "operator",
        )
        assert http.post("/controls/lift", data={"scope": "strategy:demo", "token": token}).status_code == 303
        snapshot = ControlStore(connection).snapshot()
        assert not snapshot.controls[0].is_active(snapshot.now)
        ApiKeyStore(connection).revoke(admin.split("_")[1])
        assert http.post("/controls", data={**form, "token": token}).status_code == 401
        assert admin not in monitor.log.read_text()
        assert "Traceback" not in monitor.log.read_text()
