"""Files onto a real MongoDB."""

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from pydantic import SecretStr

from quantbus_contracts.embedded import start_server, stop_server
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.transfer.identify import Overrides
from quantbus_services.ingestion.transfer.import_main import run_import
from quantbus_services.ingestion.transfer.importer import FileReport, find_files
from tests.integration.ingestion.running import await_true, ingest, start

pytestmark = pytest.mark.integration

MINUTE = Timeframe.parse("1m")
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
BEGIN_MS = int(BEGIN.timestamp() * 1000)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
TOTALS = ("inserted", "updated", "unchanged", "rejected")


def parquet(folder: Path, rows: int, name: str = "BINANCE_BTCUSDT_1m.parquet", **columns: Any) -> Path:
    random = np.random.default_rng(7)
    price = 100 + random.standard_normal(rows).cumsum() * 0.01
    table = {
        "ts": pa.array(BEGIN_MS + np.arange(rows) * 60_000).cast(pa.timestamp("ms", tz="UTC")),
        "open": price,
        "high": price + 1,
        "low": price - 1,
        "close": price + 0.5,
        "volume": random.random(rows),
        **columns,
    }
    path = folder / name
    pa.parquet.write_table(pa.table(table), path)
    return path


def imported(settings: MongoSettings, *paths: Path, **overrides: str) -> list[FileReport]:
    return run_import(
        find_files(paths),
        Overrides(**overrides),
        IngestionSettings(),
        settings,
        by_hand=paths,
        on_rows=lambda _path, _done, _total: None,
    )


def totals(report: FileReport) -> tuple[int, ...]:
    return tuple(report.report.as_dict()[name] for name in TOTALS)


def writes(connection: Connection) -> int:
    counters = connection.client.admin.command("serverStatus")["metrics"]["document"]
    return int(counters["inserted"]) + int(counters["updated"]) + int(counters["deleted"])


def test_a_second_import_changes_nothing_and_writes_no_candle(
    mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    path = parquet(tmp_path, 25_000)

    [first] = imported(mongo_settings, path)
    before = writes(connection)
    [second] = imported(mongo_settings, path)

    assert (first.error, totals(first)) == ("", (25_000, 0, 0, 0))
    assert (second.error, totals(second)) == ("", (0, 0, 25_000, 0))
    assert (
        writes(connection) - before <= 2
    )  # not one of 25,000: at most the instrument and a housekeeping row
    assert len(CandleReader(connection).open_times("BINANCE:BTCUSDT", MINUTE, BEGIN, FAR)) == 25_000


def test_imported_bars_read_back_bit_for_bit_with_their_source_and_instrument(
    mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    path = parquet(tmp_path, 3)
    imported(mongo_settings, path)

    bars = CandleReader(connection).candles("BINANCE:BTCUSDT", MINUTE, BEGIN, FAR)

    table = pa.parquet.read_table(path)
    for name in ("open", "high", "low", "close", "volume"):
        assert [getattr(bar, name) for bar in bars] == table[name].to_pylist()
    assert [bar.open_time for bar in bars] == table["ts"].to_pylist()
    assert {bar.source for bar in bars} == {"import:parquet"}
    assert [item.pair for item in InstrumentStore(connection).all("BINANCE")] == ["BTC/USDT"]


def test_corrected_values_are_updates(
    mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    imported(mongo_settings, parquet(tmp_path, 100))
    volume = pa.parquet.read_table(tmp_path / "BINANCE_BTCUSDT_1m.parquet")["volume"].to_numpy().copy()
    volume[[3, 50]] += 1

    [report] = imported(mongo_settings, parquet(tmp_path, 100, volume=volume))

    assert totals(report) == (0, 2, 98, 0)
    stored = CandleReader(connection).candles("BINANCE:BTCUSDT", MINUTE, BEGIN, FAR)
    assert [bar.volume for bar in stored] == volume.tolist()


def test_a_csv_with_nan_and_high_below_low_is_imported_but_for_those_rows(
    mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "BINANCE_BTCUSDT_1m.csv"
    good = [f"{BEGIN_MS + index * 60_000},10,11,9,10,5" for index in range(6)]
    good[1] = f"{BEGIN_MS + 60_000},nan,11,9,10,5"
    good[2] = f"{BEGIN_MS + 120_000},10,8,9,10,5"
    good[3] = f"{BEGIN_MS + 180_000},10,11,9,10,-5"
    path.write_text("\n".join(["timestamp,open,high,low,close,volume", *good]), encoding="utf-8")

    [report] = imported(mongo_settings, path)

    assert (report.error, totals(report)) == ("", (3, 0, 0, 3))
    assert [(item.row, item.field, item.value, item.reason) for item in report.rejections] == [
        (3, "open", "nan", "open_not_finite"),
        (4, "high", "8.0", "high_below_low"),
        (5, "volume", "-5.0", "volume_negative"),
    ]
    assert len(CandleReader(connection).candles("BINANCE:BTCUSDT", MINUTE, BEGIN, FAR)) == 3


def test_a_truncated_parquet_file_leaves_nothing_behind(
    mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    path = parquet(tmp_path, 5_000)
    path.write_bytes(path.read_bytes()[:-100])

    [report] = imported(mongo_settings, path)

    assert "no complete Parquet file" in report.error
    assert CandleReader(connection).last_open_time("BINANCE:BTCUSDT", MINUTE) is None
    assert InstrumentStore(connection).all() == []


def test_a_bar_that_has_not_closed_by_the_servers_clock_is_refused(
    mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    minute = MINUTE.floor(connection.server_now())
    path = tmp_path / "BINANCE_BTCUSDT_1d.csv"
    today, yesterday = (int(Timeframe.parse("1d").floor(minute).timestamp()) - back for back in (0, 86_400))
    path.write_text(f"{yesterday},10,11,9,10,5\n{today},10,11,9,10,5\n", encoding="utf-8")

    [report] = imported(mongo_settings, path)

    assert totals(report) == (1, 0, 0, 1)
    assert [item.reason for item in report.rejections] == ["not_closed"]


def test_the_command_prints_the_totals_as_json_and_nothing_else(
    mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    parquet(tmp_path, 100)

    done = ingest(mongo_settings, tmp_path, "import", "BINANCE_BTCUSDT_1m.parquet", "--json")

    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert set(answer) == {*TOTALS, "files"}
    assert [answer[name] for name in TOTALS] == [100, 0, 0, 0]
    [file] = answer["files"]
    assert (file["symbol"], file["timeframe"], file["error"]) == ("BINANCE:BTCUSDT", "1m", None)
    assert not done.stderr.strip()  # a bar of progress is for terminals, and goes when it is done


def test_the_command_tells_bad_files_and_goes_on_with_the_others(
    mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    parquet(tmp_path, 100)
    (tmp_path / "BINANCE_ETHUSDT_1m.parquet").write_bytes(b"PAR1 and then nothing")
    names = ("BINANCE_ETHUSDT_1m.parquet", "absent.csv", "BINANCE_BTCUSDT_1m.parquet")

    some = ingest(mongo_settings, tmp_path, "import", *names, "--json")
    none = ingest(mongo_settings, tmp_path, "import", "absent.csv")

    assert some.returncode == 1
    assert json.loads(some.stdout)["inserted"] == 100
    assert some.stderr.count("not imported:") == 2
    assert none.returncode == 2
    assert "expected a file, found nothing at absent.csv" in none.stderr
    assert "Traceback" not in some.stderr + none.stderr


@pytest.mark.timeout(240)
@pytest.mark.proof
def test_a_mongod_killed_in_the_middle_of_an_import_costs_nothing_but_a_second_run(tmp_path: Path) -> None:
    home = tmp_path / "home"
    server = start_server(home)
    settings = MongoSettings(home=home, mongo_uri=SecretStr(server.uri))
    connection = connect(settings, app="test")
    initialise(connection)
    rows = 300_000
    path = parquet(tmp_path, rows)
    try:
        running = start(["ingest", "import", str(path), "--json"], settings, tmp_path, "import")
        candles = connection.client[settings.market_db]["crypto_market_1m"]
        await_true(lambda: candles.estimated_document_count() > 20_000, seconds=60)
        os.kill(server.pid, signal.SIGKILL)
        assert running.process.wait(timeout=90) == 1
        told = running.log.read_text()
        assert "the bus did not answer in time" in told
        assert "again is safe" in told
        assert "Traceback" not in told
        connection.close()

        revived = start_server(home)
        settings = MongoSettings(home=home, mongo_uri=SecretStr(revived.uri))
        [second] = imported(settings, path)
        [third] = imported(settings, path)

        assert second.error == ""
        assert second.report.unchanged >= 20_000
        assert second.report.inserted + second.report.unchanged == rows
        assert totals(third) == (0, 0, rows, 0)
        connection = connect(settings, app="test")
        stored = CandleReader(connection).open_times("BINANCE:BTCUSDT", MINUTE, BEGIN, FAR)
        assert len(stored) == len(set(stored)) == rows
    finally:
        connection.close()
        stop_server(home)
