"""Whose silence is an alarm: a declared cadence is a promise, a first batch is none."""

from datetime import timedelta
from pathlib import Path

import pytest

from quantbus_contracts import SignalBus, Strategy, Timeframe
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.testing import make_signal
from tests.integration.monitor.running import environment, running_monitor, wait_for

pytestmark = pytest.mark.integration
MINUTE = Timeframe.parse("1m")


def publish_first_batch(connection: Connection, strategy_id: str, pair: str) -> None:
    """Publish one signal of an hour ago, as somebody does who never declared anything."""
    ts = MINUTE.last_closed(connection.server_now()) - timedelta(hours=1)
    report = SignalBus(connection).publish([make_signal(strategy_id=strategy_id, pair=pair, ts=ts)])
    assert report.inserted == 1
    assert "declared by this batch" in report.notes[0]


def let_an_hour_pass(connection: Connection) -> None:
    """Make every declaration look an hour older."""
    stored = connection.client[connection.names.of("strategies")]["strategies"]
    stored.update_many({}, [{"$set": {"declared_at": {"$subtract": ["$declared_at", 3_600_000]}}}])


def test_a_first_batch_promises_nothing_and_a_cadence_does(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    publish_first_batch(connection, "once", "XRP/USDT")
    publish_first_batch(connection, "regular", "BTC/USDT")
    bus = SignalBus(connection)
    declared = bus.strategy("regular")
    assert declared is not None
    assert declared.cadence_bars is None
    bus.declare(declared.model_copy(update={"cadence_bars": 1}))
    bus.declare(Strategy(strategy_id="never", venue="BINANCE", timeframe="1m", pairs=("ETH/USDT",)))
    let_an_hour_pass(connection)
    with running_monitor(tmp_path, environment(mongo_settings, tmp_path)) as monitor:
        wait_for(
            lambda: all(check.outcome != "not_run" for check in monitor.status().checks),
            what="a turn of every check",
        )
        status, metrics = monitor.status(), monitor.metrics()
    silent = {item.strategy_id: item.silent for item in status.strategies}
    assert silent == {"never": True, "once": False, "regular": True}
    found = {finding.subject for finding in status.findings if finding.kind == "signal_missing"}
    assert found == {"never", "regular"}
    stale = {finding.subject for finding in status.findings if finding.kind == "candle_stale"}
    assert any("BTCUSDT" in subject for subject in stale)
    assert not any("XRPUSDT" in subject for subject in stale), "nobody promised to need bars of it"
    now = connection.server_now().timestamp()
    due = {
        name: metrics[f'quantbus_strategy_run_due_timestamp_seconds{{strategy_id="{name}"}}']
        for name in silent
    }
    assert {name for name, moment in due.items() if moment < now} == {"never", "regular"}
