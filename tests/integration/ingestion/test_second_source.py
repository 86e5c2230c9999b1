"""Live ingestion with a second venue: it stands in over real HTTP, and the first one's bars come back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.gaps import GapStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import Timeframe
from tests.integration.ingestion.running import await_true, start
from tests.integration.ingestion.scripted import Answer, Scripted, json_answer, scripted_exchange

pytestmark = pytest.mark.integration

BTC = "BINANCE:BTCUSDT"
MINUTE = Timeframe.parse("1m")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SECOND = "fallback:BINANCEUS:BTCUSDT"


def answer(script: Scripted, *, close: dict[int, float]) -> None:
    rows = []
    for minute, price in close.items():
        milliseconds = int((NOON + minute * MINUTE.delta).timestamp() * 1000)
        rows.append(
            [milliseconds, "100", "200", "50", str(price), "5", milliseconds + 59_999, "0", 0, "0", "0", "0"]
        )
    script.answers["/api/v3/klines"] = [json_answer(rows)]


def sources(connection: Connection) -> list[str]:
    bars = CandleReader(connection).candles(BTC, MINUTE, NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    return [bar.source for bar in bars]


def test_a_second_venue_stands_in_until_the_first_is_back_and_is_compared_with_it(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    with scripted_exchange() as first, scripted_exchange() as second:
        told = int((NOON + timedelta(seconds=50)).timestamp() * 1000)
        first.answers["/api/v3/time"] = [json_answer({"serverTime": told})]
        first.answers["/api/v3/klines"] = [Answer("down", 500)]
        answer(second, close={-3: 100.0, -2: 150.0, -1: 100.0})
        running = start(
            [
                *("ingest", "live", "--symbols", "BTC/USDT", "--venue-url", first.url),
                *("--fallback", "BINANCEUS:BTCUSDT", "--fallback-url", second.url),
            ],
            mongo_settings,
            tmp_path,
            "live",
            QUANTBUS_INGESTION_HISTORY_DAYS="0.00209",
            QUANTBUS_INGESTION_FALLBACK_AFTER_SECONDS="0",
            QUANTBUS_INGESTION_PATIENCE_SECONDS="1",
        )
        try:
            await_true(
                lambda: sources(connection) == [SECOND] * 3, seconds=60, told=lambda: running.log.read_text()
            )
            answer(first, close={-3: 100.0, -2: 100.0, -1: 100.1, 0: 100.0})
            await_true(
                lambda: sources(connection)[-3:] == ["binance"] * 3,
                seconds=60,
                told=lambda: running.log.read_text(),
            )
        finally:
            running.stop()
    (found,) = GapStore(connection).disagreements(BTC)
    assert (found.open_time, found.kind.value) == (NOON - 2 * MINUTE.delta, "close")
    assert (found.source, found.close) == ("binance", 100.0)
    assert (found.other_source, found.other_close) == (SECOND, 150.0)
