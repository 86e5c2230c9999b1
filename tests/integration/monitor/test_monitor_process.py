"""The monitor as people run it: its own process, a real bus, HTTP."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from quantbus_contracts import Heartbeat, PublishRun, SignalBus, Strategy, Timeframe
from quantbus_contracts.embedded import find_mongod, start_server
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import ExecutionState
from quantbus_contracts.testing import make_candle, make_execution, make_signal
from tests.integration.monitor.running import (
    QUANTBUS,
    environment,
    freqtrade_stand_in,
    running_monitor,
    wait_for,
)

pytestmark = pytest.mark.integration
MINUTE = Timeframe.parse("1m")
STREAM = '{symbol="BINANCE:BTCUSDT",timeframe="1m"}'


def declare(connection: Connection) -> Strategy:
    strategy = Strategy(strategy_id="demo", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT",))
    SignalBus(connection).declare(strategy)
    return strategy


def evaluated(connection: Connection, ts: datetime, *, signals: int = 0) -> None:
    SignalBus(connection).record_run(
        PublishRun(
            strategy_id="demo",
            timeframe="1m",
            ts=ts,
            evaluated_at=connection.server_now(),
            pairs_evaluated=1,
            signals=signals,
        )
    )


def check(mongo: MongoSettings, folder: Path, **more: str) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [QUANTBUS, "monitor", "check", "--json"],
        env=environment(mongo, folder, **more),
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return done.returncode, answer


def kinds(answer: dict[str, object]) -> list[str]:
    findings = answer["findings"]
    assert isinstance(findings, list)
    return [finding["kind"] for finding in findings]


def test_metrics_tell_what_was_written_through_the_stores(
    connection: Connection,
    mongo_settings: MongoSettings,
    tmp_path: Path,
    promtool_accepts: Callable[[str], None],
) -> None:
    with running_monitor(tmp_path, environment(mongo_settings, tmp_path)) as monitor:
        now = connection.server_now()
        bar = MINUTE.last_closed(now)
        declare(connection)
        CandleWriter(connection).write([make_candle(open_time=bar)])
        signal_ = make_signal(strategy_id="demo", ts=bar)
        assert SignalBus(connection).publish([signal_]).inserted == 1
        evaluated(connection, bar, signals=1)
        available = connection.server_now()
        ExecutionWriter(connection).record(
            [
                make_execution(
                    signal_,
                    state=ExecutionState.REFUSED,
                    reason="spot_short",
                    available_at=available,
                    seen_at=available + timedelta(seconds=1.5),
                )
            ]
        )
        refused = 'quantbus_signals_refused_total{consumer_id="bot",reason="spot_short"}'
        wait_for(
            lambda: {refused, f"quantbus_candle_due_timestamp_seconds{STREAM}"} <= set(monitor.metrics()),
            what="the refusal, in a cycle that saw the declaration as well",
        )
        found = monitor.metrics()
        assert found["quantbus_bus_up"] == 1
        assert abs(found['quantbus_clock_offset_seconds{source="bus"}']) < 1
        assert found[f"quantbus_candle_last_timestamp_seconds{STREAM}"] == bar.timestamp()
        assert found[f"quantbus_candle_due_timestamp_seconds{STREAM}"] == bar.timestamp() + 180
        assert found['quantbus_strategy_last_run_timestamp_seconds{strategy_id="demo"}'] == bar.timestamp()
        assert found['quantbus_signal_last_timestamp_seconds{strategy_id="demo"}'] == bar.timestamp()
        assert found['quantbus_signal_publish_delay_seconds_count{strategy_id="demo"}'] == 1
        assert found['quantbus_signal_consume_delay_seconds_sum{consumer_id="bot"}'] == 1.5
        assert found[refused] == 1
        beat = found['quantbus_heartbeat_timestamp_seconds{instance="main",process="monitor"}']
        assert beat >= now.timestamp() - 10
        assert 'quantbus_build_info{process="monitor",version="0.1.0"}' in found
        assert found['quantbus_bus_members{state="primary"}'] == 1
        assert found['quantbus_bus_disk_bytes{kind="size"}'] > 0
        promtool_accepts(monitor.http.get(f"{monitor.url}/metrics").text)
        wait_for(lambda: monitor.status().consumers != (), what="the summary")
        assert monitor.status().strategies[0].last_run == bar


def test_a_restart_counts_what_came_meanwhile_and_nothing_twice(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    declare(connection)
    bar = MINUTE.last_closed(connection.server_now())
    count = 'quantbus_signal_publish_delay_seconds_count{strategy_id="demo"}'

    def publish(number: int) -> None:
        ts = bar - number * MINUTE.delta
        assert SignalBus(connection).publish([make_signal(strategy_id="demo", ts=ts)]).inserted == 1

    def counted_until() -> str:
        [beat] = [beat for beat in HeartbeatStore(connection).all() if beat.process == "monitor"]
        return str(beat.detail["counted_until"])

    with running_monitor(tmp_path, environment(mongo_settings, tmp_path)) as monitor:
        publish(1)
        wait_for(lambda: monitor.metrics().get(count) == 1, what="the first signal")
        told = counted_until()
        wait_for(lambda: counted_until() > told, what="the word of it")
        monitor.stop()
    publish(2)
    publish(3)
    with running_monitor(tmp_path, environment(mongo_settings, tmp_path)) as monitor:
        publish(4)
        wait_for(lambda: monitor.metrics().get(count) == 3, what="the three signals since")


def test_sigterm_ends_it_within_two_seconds_and_takes_the_ready_file_along(
    mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    with running_monitor(tmp_path, environment(mongo_settings, tmp_path)) as monitor:
        assert monitor.code("/healthz") == 200
        assert monitor.code("/readyz") == 200
        assert json.loads(monitor.ready_file.read_text())["pid"] == monitor.process.pid
        assert monitor.stop() < 2
        assert monitor.process.returncode == 0
        assert not monitor.ready_file.exists()
        assert "Traceback" not in monitor.log.read_text()


def test_a_monitor_that_comes_back_does_not_miss_itself(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    long_ago = connection.server_now() - timedelta(hours=1)
    HeartbeatStore(connection).beat(
        Heartbeat(process="monitor", instance="main", at=long_ago, started_at=long_ago, version="0")
    )
    with running_monitor(tmp_path, environment(mongo_settings, tmp_path)) as monitor:
        assert monitor.status().findings == ()


def test_a_port_in_use_is_told_and_nothing_is_started(mongo_settings: MongoSettings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [QUANTBUS, "monitor", "serve", "--port", port],
            env=environment(mongo_settings, tmp_path),
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr.decode()
    assert "--port" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_misspelt_setting_is_told(mongo_settings: MongoSettings, tmp_path: Path) -> None:
    done = subprocess.run(
        [QUANTBUS, "monitor", "serve"],
        env=environment(mongo_settings, tmp_path, QUANTBUS_MONITOR_FREQTRADE_ULR="http://x"),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "QUANTBUS_MONITOR_FREQTRADE_URL" in done.stderr.decode()


def test_a_silent_strategy_is_found_and_one_with_nothing_to_say_is_not(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    declare(connection)
    bar = MINUTE.last_closed(connection.server_now())
    CandleWriter(connection).write([make_candle(open_time=bar)])
    evaluated(connection, bar - timedelta(minutes=10))
    assert check(mongo_settings, tmp_path)[0] == 0  # it was declared a moment ago
    connection.collection("strategies").update_one({}, {"$set": {"declared_at": bar - timedelta(minutes=20)}})
    code, answer = check(mongo_settings, tmp_path)
    assert (code, kinds(answer)) == (1, ["signal_missing"])
    evaluated(connection, bar)
    code, answer = check(mongo_settings, tmp_path)
    assert (code, kinds(answer), answer["ok"]) == (0, [], True)


def test_a_check_without_a_bus_says_so_and_fails(mongo_settings: MongoSettings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    nobody = mongo_settings.model_copy(update={"mongo_uri": SecretStr(f"mongodb://127.0.0.1:{port}")})
    code, answer = check(nobody, tmp_path)
    assert code == 1
    assert answer["bus_up"] is False
    assert "quantbus bus status" in str(answer["bus_error"])


def test_open_trades_are_compared_with_the_signals_and_an_absent_bot_is_unknown(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    bar = MINUTE.last_closed(connection.server_now()) - timedelta(minutes=10)
    entry = make_signal(strategy_id="demo", ts=bar)
    filled = make_execution(
        entry, state=ExecutionState.FILLED, trade_id=4, filled_at=bar + timedelta(minutes=1)
    )
    ExecutionWriter(connection).record([filled])
    trade: dict[str, object] = {
        "trade_id": 4,
        "pair": "BTC/USDT",
        "is_open": True,
        "is_short": False,
        "open_timestamp": int(bar.timestamp() * 1000) + 61_000,
        "enter_tag": entry.signal_id,
        "has_open_orders": False,
    }
    with freqtrade_stand_in() as bot:
        asked = {
            "QUANTBUS_MONITOR_FREQTRADE_URL": bot.url,
            "QUANTBUS_MONITOR_FREQTRADE_USER": bot.user,
            "QUANTBUS_MONITOR_FREQTRADE_PASSWORD": bot.password,
        }
        assert kinds(check(mongo_settings, tmp_path, **asked)[1]) == ["filled_without_trade"]
        bot.closed = {4: trade | {"is_open": False}}
        assert check(mongo_settings, tmp_path, **asked)[0] == 0
        bot.open, bot.closed = [trade], {}
        assert check(mongo_settings, tmp_path, **asked)[0] == 0
        bot.open = [trade, trade | {"trade_id": 5, "enter_tag": "force_entry"}]
        assert kinds(check(mongo_settings, tmp_path, **asked)[1]) == ["trade_without_signal"]
        code, answer = check(
            mongo_settings, tmp_path, **asked | {"QUANTBUS_MONITOR_FREQTRADE_PASSWORD": "wrong"}
        )
    assert (code, kinds(answer), answer["freqtrade"]) == (1, [], "down")
    code, answer = check(mongo_settings, tmp_path, **asked)
    assert (code, kinds(answer), answer["freqtrade"]) == (1, [], "down")


def test_a_bus_that_is_killed_makes_it_unready_and_it_recovers_by_itself(tmp_path: Path) -> None:
    server = start_server(tmp_path / "bus")
    settings = MongoSettings(home=tmp_path, mongo_uri=SecretStr(server.uri))
    connection = connect(settings, app="test")
    initialise(connection)
    connection.close()
    again: subprocess.Popen[bytes] | None = None
    try:
        with running_monitor(tmp_path, environment(settings, tmp_path)) as monitor:
            assert monitor.code("/readyz") == 200
            os.kill(server.pid, signal.SIGKILL)
            wait_for(lambda: monitor.code("/readyz") == 503, what="unreadiness")
            assert monitor.code("/healthz") == 200
            assert monitor.metrics()["quantbus_bus_up"] == 0
            assert not monitor.status().bus_up
            again = subprocess.Popen(
                [
                    str(find_mongod(None, tmp_path / "bus")),
                    *("--replSet=quantbus", "--bind_ip=127.0.0.1", f"--port={server.port}"),
                    *(f"--dbpath={server.data}", f"--logpath={tmp_path / 'again.log'}"),
                    *("--wiredTigerCacheSizeGB=0.25", f"--unixSocketPrefix={tmp_path}"),
                ],
                stdout=subprocess.DEVNULL,
            )
            wait_for(lambda: monitor.code("/readyz") == 200, what="readiness", seconds=60)
            assert monitor.metrics()["quantbus_bus_up"] == 1
            assert monitor.stop() < 2
    finally:
        if again is not None:
            again.terminate()
            again.wait(timeout=30)
