"""Live ingestion when its database is killed, and comes back somewhere else."""

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from quantbus_contracts.embedded import start_server, stop_server
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import Timeframe
from tests.integration.ingestion.market_hours import LIVE, SPEED
from tests.integration.ingestion.running import Running, await_true, environment, start_paper

pytestmark = [pytest.mark.integration, pytest.mark.proof]
MINUTE = Timeframe.parse("1m")
SYMBOL = "BINANCE:BTCUSDT"


def newest(uri: str, home: Path) -> datetime | None:
    connection = connect(MongoSettings(home=home, mongo_uri=SecretStr(uri)), app="test", timeout_seconds=30)
    try:
        return CandleReader(connection).last_open_time(SYMBOL, MINUTE)
    finally:
        connection.close()


@pytest.mark.timeout(240)
def test_ingestion_goes_on_when_the_embedded_server_dies_and_returns_at_another_port(tmp_path: Path) -> None:
    home = tmp_path / "home"
    server = start_server(home)
    settings = MongoSettings(home=home, mongo_uri=SecretStr(server.uri))
    connection = connect(settings, app="test", timeout_seconds=30)
    initialise(connection)
    connection.close()
    paper, url = start_paper(settings, tmp_path, f"--speed={SPEED}", "--symbols=BTC/USDT")
    variables = environment(settings, **LIVE)
    del variables["QUANTBUS_MONGO_URI"]  # found through the home, as with `quantbus up`
    log = tmp_path / "live.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fixtures.fast_live", str(SPEED), url, "BTC/USDT", "1m"],
            env=variables,
            stdout=output,
            stderr=output,
        )
    live = Running(process, log)
    try:
        live.await_line("bar_stored", seconds=90)
        before = newest(server.uri, home)
        assert before is not None

        os.kill(server.pid, signal.SIGKILL)
        time.sleep(3)  # three minutes of the market
        with socket.socket() as elsewhere:
            elsewhere.bind(("127.0.0.1", 0))
            (home / "mongod.port").write_text(str(elsewhere.getsockname()[1]))
        revived = start_server(home)
        assert revived.port != server.port

        def is_past() -> bool:
            now = newest(revived.uri, home)
            return now is not None and now > before + timedelta(minutes=20)

        await_true(is_past, seconds=90, told=lambda: log.read_text()[-4000:])
        assert "bus_moved" in log.read_text()
        assert "Traceback" not in log.read_text()
        assert live.stop() < 10
        connection = connect(
            settings.model_copy(update={"mongo_uri": SecretStr(revived.uri)}), app="test", timeout_seconds=30
        )
        last = newest(revived.uri, home)
        assert last is not None
        stored = CandleReader(connection).open_times(
            SYMBOL, MINUTE, before - timedelta(hours=2), last + MINUTE.delta
        )
        assert stored == list(MINUTE.range(before - timedelta(hours=2), last + MINUTE.delta))
        connection.close()
    finally:
        live.kill()
        paper.kill()
        stop_server(home)
