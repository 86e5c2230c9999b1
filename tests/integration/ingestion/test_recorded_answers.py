"""Recorded candle answers of venues, through unmodified ccxt."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.venue.ccxt_source import open_source
from quantbus_services.ingestion.venue.normalise import to_candles
from tests.integration.ingestion.test_venue_http import answering, recorded, recorded_answers

pytestmark = pytest.mark.integration

LATER = datetime(2026, 1, 1, tzinfo=UTC)
DAY, MINUTE = Timeframe.parse("1d"), Timeframe.parse("1m")


def markets_of_binance(shared_data: Path) -> dict[str, object]:
    return {"exchangeInfo": recorded_answers(shared_data, "binance")["exchangeInfo"]}


async def rows_of(
    venue: str, answers: dict[str, object], pair: str, timeframe: Timeframe
) -> tuple[Instrument, list[Any]]:
    source = answering(open_source(venue), answers)
    try:
        instrument = (await source.instruments()).resolve(f"{source.venue}:{pair}")
        return instrument, await source.fetch(instrument, timeframe, datetime(2017, 7, 3, tzinfo=UTC), 1)
    finally:
        await source.close()


async def test_binances_answer_keeps_every_digit(shared_data: Path) -> None:
    klines = recorded(shared_data / "rest/nautilus_binance.json.gz")["spot/http_json/klines_response.json"]
    answers = {"klines": klines, **markets_of_binance(shared_data)}
    instrument, rows = await rows_of("binance", answers, "ETH/BTC", DAY)
    [bar] = to_candles(rows, instrument, DAY, now=LATER, source="binance").candles
    assert (bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        datetime(2017, 7, 3, tzinfo=UTC),
        0.01634790,
        0.80000000,
        0.01575800,
        0.01577100,
        148976.11427815,
    )


async def test_a_bar_of_bybit_that_opens_within_a_minute_is_refused(shared_data: Path) -> None:
    klines = recorded(shared_data / "rest/nautilus_bybit.json.gz")["http_get_klines_linear.json"]
    answers = {"kline": klines, **recorded_answers(shared_data, "bybit")}
    instrument, rows = await rows_of("bybit", answers, "BTC/USDT:USDT", MINUTE)
    assert rows == [[1_709_891_679_000, 27450.0, 27460.0, 27440.0, 27455.0, 123.45]]
    taken = to_candles(rows, instrument, MINUTE, now=LATER, source="bybit")
    assert (taken.candles, [item.reason for item in taken.rejections]) == ((), ["misaligned"])
