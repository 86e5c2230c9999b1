"""A backfill that is killed at any moment and started again ends with the same bars as one that is left alone."""

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Candle
from quantbus_contracts.timeframe import Timeframe
from tests.integration.ingestion.market_hours import prepared
from tests.integration.ingestion.running import ingest, start, start_paper

pytestmark = pytest.mark.integration
SYMBOLS = ("BINANCE:BTCUSDT", "BINANCE:ETHUSDT")
TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
UNTIL = datetime(2026, 1, 25, tzinfo=UTC)
COLLECTIONS = ("crypto_market", *(f"crypto_market_{name}" for name in TIMEFRAMES[:-1]))


def count(connection: Connection) -> int:
    return sum(connection.collection(name).estimated_document_count() for name in COLLECTIONS)


def everything(connection: Connection) -> dict[str, list[Candle]]:
    far = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    reader = CandleReader(connection)
    return {
        f"{symbol} {name}": reader.candles(symbol, Timeframe.parse(name), *far)
        for symbol in SYMBOLS
        for name in TIMEFRAMES
    }


def kill_and_compare(settings: MongoSettings, folder: Path, *, days: int, kills: int, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    pairs = "BTC/USDT,ETH/USDT"
    paper, url = start_paper(
        settings, folder, f"--symbols={pairs}", f"--history={days + 5}d", "--start=2026-01-26T00:00:00Z"
    )
    command = [
        "backfill", f"--symbols={pairs}", f"--timeframes={','.join(TIMEFRAMES)}", f"--venue-url={url}", "--json",
        f"--since={(UNTIL - timedelta(days=days)).isoformat()}", f"--until={UNTIL.isoformat()}",
    ]  # fmt: skip
    try:
        with (
            prepared(settings, "killed") as (ours, connection),
            prepared(settings, "alone") as (other, truth),
        ):
            alone = ingest(other, folder, *command)
            assert alone.returncode == 0, alone.stderr
            total = count(truth)
            met = 0
            for number in range(kills):
                goal = total * (number + dice.uniform(0.1, 0.9)) / (kills + 1)
                running = start(
                    ["ingest", *command],
                    ours,
                    folder,
                    f"backfill-{number}",
                    QUANTBUS_INGESTION_PAGE_BARS="100",
                )
                while running.process.poll() is None and count(connection) < goal:
                    time.sleep(0.01)
                met += running.process.poll() is None
                running.kill()
            assert met >= kills - 1, "the backfill was too fast to be killed"
            last = ingest(ours, folder, *command)
            assert last.returncode == 0, last.stderr
            found, expected = everything(connection), everything(truth)
            assert {name: len(bars) for name, bars in found.items()} == {
                name: len(bars) for name, bars in expected.items()
            }
            assert found == expected
            assert connection.collection("crypto_market_revisions").count_documents({}) == 0
    finally:
        paper.kill()


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_five_kills_change_nothing(mongo_settings: MongoSettings, tmp_path: Path) -> None:
    kill_and_compare(mongo_settings, tmp_path, days=6, kills=5, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_fifty_kills_change_nothing(mongo_settings: MongoSettings, tmp_path: Path) -> None:
    kill_and_compare(mongo_settings, tmp_path, days=40, kills=50, seed=2)
