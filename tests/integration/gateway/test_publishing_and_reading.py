"""The gateway as people use it: its own process, a real bus, HTTP."""

import json
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts import SignalBus, Strategy
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.testing import make_execution, make_signal
from tests.integration.gateway.running import QUANTBUS, Gateway, environment, running_gateway

pytestmark = pytest.mark.integration


def row(**given: Any) -> dict[str, Any]:
    return {
        "strategy_id": "demo",
        "symbol": "BINANCE:BTCUSDT",
        "pair": "BTC/USDT",
        "timeframe": "1m",
        "ts": "2026-01-05T12:00:00Z",
        "action": "enter_long",
        **given,
    }


def signal_id() -> str:
    return make_signal(strategy_id="demo").signal_id


def test_promtool_finds_nothing_to_complain_about_in_its_metrics(
    gateway: Gateway, promtool_accepts: Callable[[str], None]
) -> None:
    assert gateway.http.get("/v1/signals").status_code == 401
    promtool_accepts(gateway.http.get("/metrics").text)


def test_a_signal_is_published_once_however_often_it_is_sent(
    gateway: Gateway, connection: Connection
) -> None:
    client = gateway.publisher()
    counted = gateway.metric('quantbus_signals_published_total{outcome="unchanged"}')
    first = client.post("/v1/signals", json=[row()])
    again = client.post("/v1/signals", json={"signals": [row()]})
    revised = client.post("/v1/signals", json=[row(action="exit_long")])
    assert (first.status_code, first.json()["inserted"]) == (200, 1)
    assert (again.status_code, again.json()["unchanged"]) == (200, 1)
    assert (revised.status_code, revised.json()["revised"]) == (200, 1)
    stored = SignalReader(connection).get(signal_id())
    assert stored is not None
    assert (stored.version, stored.signal.action) == (2, "exit_long")
    assert gateway.metric('quantbus_signals_published_total{outcome="unchanged"}') == counted + 1


def test_a_signal_names_the_key_that_published_it(gateway: Gateway, connection: Connection) -> None:
    secret = gateway.new_key(name="research-laptop", scopes=("write",))
    gateway.client(secret).post("/v1/signals", json=[row()])
    stored = SignalReader(connection).get(signal_id())
    assert stored is not None
    assert stored.published_by == f"gateway:research-laptop:{secret.split('_')[1]}"


def test_a_bad_row_takes_no_good_row_with_it_and_is_kept(gateway: Gateway, connection: Connection) -> None:
    rows = [row(), row(weight=7.5, pair="ETH/USDT", symbol="BINANCE:ETHUSDT"), "nonsense", row(weight="0.5")]
    answer = gateway.publisher().post("/v1/signals", json=rows)
    assert answer.status_code == 207
    report = answer.json()
    assert (report["inserted"], report["rejected"]) == (1, 3)
    assert [(item["row"], item["field"], item["value"]) for item in report["rejections"]] == [
        (1, "weight", "7.5"),
        (2, "", '"nonsense"'),
        (3, "weight", '"0.5"'),
    ]
    collection = connection.client[connection.names.of("crypto_signals_rejected")]["crypto_signals_rejected"]
    assert sorted(item["field"] or "-" for item in collection.find()) == ["-", "weight", "weight"]


def test_a_batch_of_which_nothing_stands_is_an_error_with_the_report(gateway: Gateway) -> None:
    answer = gateway.publisher().post("/v1/signals", json=[row(pair="BTCUSDT")])
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "nothing_accepted"
    assert error["report"]["rejections"][0]["field"] == "pair"


def test_a_slower_publisher_that_says_what_it_expects_is_stale(gateway: Gateway) -> None:
    client = gateway.publisher()
    other = row(pair="ETH/USDT", symbol="BINANCE:ETHUSDT", ts="2026-01-05T11:59:00Z")
    client.post("/v1/signals", json=[row(), other])
    client.post("/v1/signals", json=[row(action="exit_long")])
    body = {"signals": [row(score=0.1), row(pair="ETH/USDT", symbol="BINANCE:ETHUSDT")]}
    answer = client.post("/v1/signals", json=body | {"expected_versions": {signal_id(): 1}})
    assert answer.status_code == 207, answer.text
    assert (answer.json()["stale"], answer.json()["inserted"]) == (1, 1)
    assert [item["row"] for item in answer.json()["unsettled"]] == [0]


def test_a_dry_run_tells_and_writes_nothing(gateway: Gateway, connection: Connection) -> None:
    answer = gateway.publisher().post("/v1/signals?dry_run=true", json=[row(), row(weight=9)])
    assert (answer.status_code, answer.json()["inserted"], answer.json()["rejected"]) == (207, 1, 1)
    assert answer.json()["dry_run"] is True
    assert answer.json()["signal_ids"] == [signal_id(), None]
    for name in ("crypto_signals", "crypto_signals_rejected", "strategies"):
        assert connection.client[connection.names.of(name)][name].count_documents({}) == 0


def test_the_newest_signal_of_each_pair_is_read_page_by_page(
    gateway: Gateway, connection: Connection
) -> None:
    pairs = [f"C{number:02}/USDT" for number in range(7)]
    older = make_signal(strategy_id="demo").ts
    signals = [make_signal(strategy_id="demo", pair=pair, ts=older) for pair in pairs]
    signals += [
        make_signal(strategy_id="demo", pair=pair, ts=older + timedelta(minutes=1)) for pair in pairs[:3]
    ]
    assert SignalBus(connection).publish(signals).ok
    client = gateway.publisher()
    seen: list[tuple[str, str]] = []
    cursor: dict[str, str] = {}
    for expected in (3, 3, 1):
        page = client.get(
            "/v1/signals", params={"strategy_id": "demo", "timeframe": "1m", "limit": 3, **cursor}
        ).json()
        assert len(page["signals"]) == expected
        seen += [(item["signal"]["pair"], item["signal"]["ts"][11:16]) for item in page["signals"]]
        cursor = {"cursor": page.get("next_cursor", "")}
    assert seen == [(pair, "12:01" if pair in pairs[:3] else "12:00") for pair in pairs]
    assert cursor == {"cursor": ""}


def test_a_range_is_read_to_its_end_by_following_cursors(gateway: Gateway, connection: Connection) -> None:
    start = make_signal().ts
    signals = [
        make_signal(strategy_id="demo", pair=pair, ts=start + timedelta(minutes=minute))
        for pair in ("BTC/USDT", "ETH/USDT")
        for minute in range(5)
    ]
    assert SignalBus(connection).publish(signals).ok
    client = gateway.publisher()
    asked = {"strategy_id": "demo", "timeframe": "1m", "view": "range", "limit": "3"}
    asked |= {"start": "2026-01-05T12:01:00Z", "end": "2026-01-05T12:04:00Z"}
    seen: list[tuple[str, str]] = []
    while True:
        page = client.get("/v1/signals", params=asked).json()
        seen += [(item["signal"]["pair"], item["signal"]["ts"][14:16]) for item in page["signals"]]
        if "next_cursor" not in page:
            break
        asked["cursor"] = page["next_cursor"]
    assert seen == [(pair, minute) for pair in ("BTC/USDT", "ETH/USDT") for minute in ("01", "02", "03")]
    one = client.get("/v1/signals", params={**asked, "cursor": "", "pair": "ETH/USDT"})
    assert one.status_code == 422
    del asked["cursor"]
    one = client.get("/v1/signals", params={**asked, "pair": "ETH/USDT"})
    assert {item["signal"]["pair"] for item in one.json()["signals"]} == {"ETH/USDT"}


def test_the_bus_can_be_read_as_it_stood(gateway: Gateway, connection: Connection) -> None:
    client = gateway.publisher()
    before = connection.server_now() - timedelta(milliseconds=1)
    client.post("/v1/signals", json=[row()])
    stored = SignalReader(connection).get(signal_id())
    assert stored is not None
    client.post("/v1/signals", json=[row(action="exit_long")])
    asked = {"strategy_id": "demo", "timeframe": "1m"}
    then = client.get("/v1/signals", params={**asked, "as_of": stored.available_at.isoformat()}).json()
    now = client.get("/v1/signals", params=asked).json()
    early = client.get("/v1/signals", params={**asked, "as_of": before.isoformat()}).json()
    assert [(item["version"], item["signal"]["action"]) for item in then["signals"]] == [(1, "enter_long")]
    assert [(item["version"], item["signal"]["action"]) for item in now["signals"]] == [(2, "exit_long")]
    assert early["signals"] == []


def test_one_signal_is_shown_with_its_history_and_its_ledger(
    gateway: Gateway, connection: Connection
) -> None:
    client = gateway.publisher()
    client.post("/v1/signals", json=[row()])
    client.post("/v1/signals", json=[row(action="exit_long")])
    ExecutionWriter(connection).record([make_execution(make_signal(strategy_id="demo"))])
    shown = client.get(f"/v1/signals/{signal_id()}").json()
    assert (shown["version"], shown["signal"]["action"]) == (2, "exit_long")
    assert [(item["version"], item["signal"]["action"]) for item in shown["history"]] == [(1, "enter_long")]
    assert [(item["consumer_id"], item["state"]) for item in shown["executions"]] == [("bot", "seen")]


def test_an_unknown_signal_and_one_of_another_strategy_look_the_same(gateway: Gateway) -> None:
    gateway.publisher().post("/v1/signals", json=[row()])
    stranger = gateway.publisher(strategies=("other",))
    unknown = stranger.get(f"/v1/signals/{'0' * 32}")
    foreign = stranger.get(f"/v1/signals/{signal_id()}")
    assert unknown.status_code == foreign.status_code == 404
    assert unknown.json() == foreign.json()


def test_the_process_is_ready_beats_and_stops_quickly(
    mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    with running_gateway(mongo_settings, tmp_path, instance="other") as gateway:
        assert gateway.http.get("/healthz").json() == {"alive": True}
        assert gateway.http.get("/readyz").json() == {"ready": True}
        beats = [beat.key for beat in HeartbeatStore(connection).all()]
        assert ("gateway", "other") in beats
        assert gateway.metric("quantbus_bus_up") == 1
        assert gateway.stop() < 5
        assert gateway.process.returncode == 0
        assert not (tmp_path / "gateway.json").exists()


def test_a_port_that_is_taken_is_one_clear_message(
    gateway: Gateway, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    port = gateway.url.rpartition(":")[2]
    done = subprocess.run(
        [QUANTBUS, "gateway", "serve", "--port", port],
        env=environment(mongo_settings, tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_declaration_contradicts_is_refused_with_the_reason(
    gateway: Gateway, connection: Connection
) -> None:
    SignalBus(connection).declare(
        Strategy(strategy_id="demo", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT",))
    )
    foreign = row(pair="ETH/USDT", symbol="BINANCE:ETHUSDT")
    answer = gateway.publisher().post("/v1/signals", json=[row(), foreign])
    assert answer.status_code == 207
    assert [item["row"] for item in answer.json()["rejections"]] == [1]
    assert "ETH/USDT" in json.dumps(answer.json()["rejections"])
