"""``quantbus ingest backfill`` and ``live`` as processes, against the paper exchange and a real MongoDB."""

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from quantbus_contracts.embedded import start_server, stop_server
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.testing import make_candle
from quantbus_contracts.timeframe import Timeframe
from tests.integration.ingestion.running import Running, await_true, ingest, start, start_paper

pytestmark = pytest.mark.integration

MINUTE = Timeframe.parse("1m")
SYMBOL = "BINANCE:BTCUSDT"
Start = Callable[..., Running]


@pytest.fixture
def running() -> Iterator[list[Running]]:
    """Processes of a test; ended after it."""
    started: list[Running] = []
    yield started
    for item in started:
        item.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_bar(connection: Connection) -> datetime | None:
    return CandleReader(connection).last_open_time(SYMBOL, MINUTE)


def await_bar(connection: Connection, opened: datetime, live: Running, *, seconds: float) -> None:
    await_true(
        lambda: (last_bar(connection) or opened - MINUTE.delta) >= opened,
        seconds=seconds,
        told=lambda: f"no bar of {opened}\n{live.log.read_text()[-4000:]}",
    )


def assert_whole(connection: Connection, first: datetime, last: datetime) -> None:
    stored = CandleReader(connection).open_times(SYMBOL, MINUTE, first, last + MINUTE.delta)
    assert stored == list(MINUTE.range(first, last + MINUTE.delta))


@pytest.mark.timeout(240)
def test_a_backfill_seals_the_days_that_are_over(
    mongo_settings: MongoSettings, connection: Connection, running: list[Running], tmp_path: Path
) -> None:
    paper, url = start_paper(mongo_settings, tmp_path)
    running.append(paper)
    before = connection.server_now()
    done = ingest(
        mongo_settings, tmp_path, "backfill", "--symbols", "BTC/USDT", "--since", "2d", "--venue-url", url
    )
    assert done.returncode == 0, done.stderr

    blocks = connection.client[mongo_settings.market_db]["crypto_blocks"].find({"sealed": True}).sort("day")
    first, last = before - timedelta(days=2), before - timedelta(days=1)
    over = {f"{first:%Y%m%d}"} | ({f"{last:%Y%m%d}"} if before.hour else set())
    assert over <= {block["day"] for block in blocks} <= over | {f"{last:%Y%m%d}"}


@pytest.mark.timeout(240)
@pytest.mark.proof
def test_made_up_bars_are_not_put_beside_those_of_a_market(
    mongo_settings: MongoSettings, connection: Connection, running: list[Running], tmp_path: Path
) -> None:
    paper, url = start_paper(mongo_settings, tmp_path)
    running.append(paper)
    opened = MINUTE.floor(connection.server_now()) - timedelta(days=7)
    CandleWriter(connection).write([make_candle(open_time=opened, source="binance")])
    for words in (("backfill", "--since", "3h"), ("live",)):
        done = ingest(mongo_settings, tmp_path, *words, "--symbols", "BTC/USDT", "--venue-url", url)
        assert done.returncode == 2, done.stderr
        assert "never share a database" in " ".join(done.stderr.split())
    assert last_bar(connection) == opened


@pytest.mark.timeout(240)
@pytest.mark.proof
def test_backfill_then_live_keep_the_series_whole_and_current(
    mongo_settings: MongoSettings,
    connection: Connection,
    running: list[Running],
    tmp_path: Path,
    promtool_accepts: Callable[[str], None],
) -> None:
    paper, url = start_paper(mongo_settings, tmp_path)
    running.append(paper)
    asked = ("backfill", "--symbols", "BTC/USDT", "--since", "3h", "--venue-url", url, "--json")

    done = ingest(mongo_settings, tmp_path, *asked)
    again = ingest(mongo_settings, tmp_path, *asked)

    answer, repeated = json.loads(done.stdout), json.loads(again.stdout)
    assert (done.returncode, again.returncode) == (0, 0)
    assert 179 <= answer["inserted"] <= 180
    assert answer["rejected"] == answer["updated"] == answer["series"][0]["absent"] == 0
    assert repeated["series"][0]["present_before"] >= 178
    assert repeated["inserted"] <= 2
    assert "BTC/USDT" in {item.pair for item in InstrumentStore(connection).all("BINANCE")}

    port = free_port()
    live = start(
        ["ingest", "live", "--symbols", "BTC/USDT", "--venue-url", url, "--metrics-port", str(port)],
        mongo_settings,
        tmp_path,
        "live",
        QUANTBUS_INGESTION_HISTORY_DAYS="0.25",
    )
    running.append(live)
    live.await_line("caught_up", seconds=60)
    opened = MINUTE.floor(connection.server_now())
    await_bar(connection, opened, live, seconds=70)

    market = connection.client[mongo_settings.market_db]
    document = market["crypto_market_1m"].find_one({"symbol": SYMBOL, "datetime": opened})
    assert document is not None
    assert document["source"] == "paper:SYNTHETIC"
    assert document["ingested_at"] - opened - MINUTE.delta < timedelta(seconds=2)
    assert_whole(connection, opened - timedelta(hours=5), opened)
    await_true(lambda: "bar_stored" in live.log.read_text(), seconds=5)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
        metrics = reply.read().decode()
    promtool_accepts(metrics)
    figures = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        if line[0] != "#"
    }
    assert figures['quantbus_candles_written_total{outcome="inserted"}'] > 0
    newest = 'quantbus_candle_last_timestamp_seconds{symbol="BINANCE:BTCUSDT",timeframe="1m"}'
    assert figures[newest] == opened.timestamp()
    beats = HeartbeatStore(connection)
    await_true(
        lambda: [beat.detail["series"] for beat in beats.all() if beat.process == "ingestion"] == [1],
        seconds=20,
    )

    assert live.stop() < 2.0
    assert live.process.returncode == 0


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_an_outage_of_exchange_and_database_leaves_no_gap(running: list[Running], tmp_path: Path) -> None:
    home = tmp_path / "home"
    server = start_server(home)
    settings = MongoSettings(home=home, mongo_uri=SecretStr(server.uri))
    connection = connect(settings, app="test", timeout_seconds=30)
    initialise(connection)
    try:
        port = free_port()
        paper, url = start_paper(settings, tmp_path, port=port)
        running.append(paper)
        live = start(
            ["ingest", "live", "--symbols", "BTC/USDT", "--venue-url", url],
            settings,
            tmp_path,
            "live",
            QUANTBUS_INGESTION_HISTORY_DAYS="0.1",
        )
        running.append(live)
        live.await_line("caught_up", seconds=60)
        first = MINUTE.floor(connection.server_now())
        await_bar(connection, first, live, seconds=70)

        paper.kill()
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(75)  # a bar closes in the dark
        os.kill(server.pid, signal.SIGCONT)
        time.sleep(10)
        paper, _ = start_paper(settings, tmp_path, port=port)
        running.append(paper)

        opened = MINUTE.floor(connection.server_now())
        await_bar(connection, opened, live, seconds=100)
        assert_whole(connection, first - timedelta(hours=2), opened)
        assert "series_failed" in live.log.read_text()
        assert live.stop() < 2.0
    finally:
        os.kill(server.pid, signal.SIGCONT)
        connection.close()
        stop_server(home)


def test_a_dead_venue_is_told_in_one_message(mongo_settings: MongoSettings, tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"

    done = ingest(
        mongo_settings, tmp_path, "backfill", "--symbols", "BTC/USDT", "--since", "1h", "--venue-url", nobody
    )

    assert done.returncode == 1
    assert "could not load the markets at binance" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_unknown_symbol_is_refused_with_the_nearest(
    mongo_settings: MongoSettings, running: list[Running], tmp_path: Path
) -> None:
    paper, url = start_paper(mongo_settings, tmp_path)
    running.append(paper)

    for command in (["backfill", "--since", "1h"], ["live"]):
        done = ingest(mongo_settings, tmp_path, *command, "--symbols", "BTC/UDST", "--venue-url", url)

        assert done.returncode == 2
        assert "found 'BINANCE:BTC/UDST'; did you mean" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_port_in_use_is_told(mongo_settings: MongoSettings, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = ingest(mongo_settings, tmp_path, "live", "--symbols", "BTC/USDT", "--metrics-port", port)

    assert done.returncode == 2
    assert f"found {port} on 127.0.0.1 unusable" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_without_a_bus_the_ways_to_one_are_named(mongo_settings: MongoSettings, tmp_path: Path) -> None:
    nowhere = mongo_settings.model_copy(
        update={"mongo_uri": SecretStr(f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=500")}
    )

    done = ingest(nowhere, tmp_path, "import", "BINANCE_BTCUSDT_1m.parquet")

    assert done.returncode == 1
    assert "quantbus bus status" in done.stderr
    assert "Traceback" not in done.stderr
