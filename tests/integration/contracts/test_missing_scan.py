"""What is missing is found by index alone: no bar is fetched to learn that it is there."""

from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts.mongo.candle_reader import _open_times
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.testing import make_candles
from quantbus_contracts.timeframe import Timeframe

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", ["1m", "1h", "1d"])
def test_open_times_are_read_from_the_index_alone(connection: Connection, name: str) -> None:
    timeframe = Timeframe.parse(name)
    begin = datetime(2025, 1, 6, tzinfo=UTC)
    CandleWriter(connection).write(make_candles(300, start=begin, timeframe=name))
    start, end = begin + 100 * timeframe.delta, begin + 200 * timeframe.delta

    asked = next(_open_times("BINANCE:BTCUSDT", timeframe, start, end))
    cursor = connection.collection(asked.collection).find(*asked.args, **asked.options)
    plan = cursor.explain()["executionStats"]

    assert plan["nReturned"] == 100
    assert plan["totalDocsExamined"] == 0
    assert plan["totalKeysExamined"] <= 101
    assert end - start == timedelta(seconds=100 * timeframe.seconds)
