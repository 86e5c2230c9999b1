"""``quantbus market`` as people run it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.timeframe import Timeframe
from tests.fixtures.command import Run

pytestmark = pytest.mark.integration
START = datetime(2023, 5, 1, tzinfo=UTC)
JANUARY = ("BINANCE:BTC/USDT", "--start", "2023-05-01", "--end", "2023-05-20")


@pytest.fixture
def stocked(connection: Connection) -> Connection:
    bars = [(START + timedelta(days=at), 1.0 + at, 99.0, 0.5, 2.0 + at, 0.1) for at in range(60)]
    CandleWriter(connection).write_bars("BINANCE:BTCUSDT", Timeframe.parse("1d"), "test", bars)
    return connection


def test_bars_are_shown_given_as_json_and_written_to_files(
    stocked: Connection, quantbus: Run, tmp_path: Path
) -> None:
    shown = quantbus("market", "get", *JANUARY, "--limit", "3")
    assert (shown.code, "20 bars, the last 3 shown" in shown.out, "2023-05-18" in shown.out) == (
        0,
        True,
        True,
    )
    rows = quantbus("market", "get", *JANUARY, "--fields", "close,volume", "--json").json
    assert len(rows) == 20
    assert rows[0] == {
        "symbol": "BINANCE:BTCUSDT",
        "datetime": "2023-05-01T00:00:00+00:00",
        "close": 2.0,
        "volume": 0.1,
    }
    assert quantbus("market", "get", *JANUARY, "-o", "bars.csv").code == 0
    assert pd.read_csv(tmp_path / "bars.csv")["close"].tolist() == [2.0 + at for at in range(20)]
    written = quantbus("market", "get", *JANUARY, "-o", "bars.parquet", "--json").json
    assert (written["rows"], len(pd.read_parquet(tmp_path / "bars.parquet"))) == (20, 20)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("BINANCE:BTCUSDC", *JANUARY[1:]), "did you mean BINANCE:BTCUSDT?"),
        ((*JANUARY[:2], "2023-05-01T00:00", *JANUARY[3:]), "say which time zone"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(
    stocked: Connection, quantbus: Run, arguments: tuple[str, ...], told: str
) -> None:
    done = quantbus("market", "get", *arguments)
    assert (done.code, told in done.err, done.out) == (2, True, ""), done.err


def test_a_snapshot_is_taken_once(stocked: Connection, quantbus: Run, tmp_path: Path) -> None:
    first = quantbus("market", "snapshot", *JANUARY, "--json").json
    again = quantbus("market", "snapshot", *JANUARY, "--json").json
    assert first == again
    assert first["rows"] == 20
    folder = Path(first["folder"])
    assert json.loads((folder / "snapshot.json").read_text())["snapshot_id"] == folder.name
    told = quantbus("market", "snapshot", *JANUARY, "--folder", str(tmp_path / "kept"))
    assert (told.code, folder.name in told.out.replace("\n", "")) == (0, True)


def test_past_days_are_sealed_checked_and_mended(stocked: Connection, quantbus: Run) -> None:
    report = quantbus("market", "seal", "--json").json["series"]
    assert [(item["symbol"], item["timeframe"], item["sealed"]) for item in report] == [
        ("BINANCE:BTCUSDT", "1d", 3)
    ]
    blocks = stocked.collection("crypto_blocks")
    blocks.update_one({"day": blocks.find_one()["day"]}, {"$set": {"close": b"damaged"}})  # type: ignore[index]
    found = quantbus("market", "seal", "BINANCE:BTCUSDT", "--timeframe", "1d", "--check")
    assert (found.code, "differed from its rows" in found.out) == (1, True)
    mended = quantbus("market", "seal", "--check", "--json")
    assert (mended.code, mended.json["series"][0]["standing"]) == (0, 3)
    absent = quantbus("market", "seal", "BINANCE:ETHUSDT")
    assert (absent.code, "BINANCE:ETHUSDT without any" in absent.err) == (2, True)
