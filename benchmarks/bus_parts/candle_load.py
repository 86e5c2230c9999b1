"""A candle writer in a process of its own, writing flat out until it is ended: ``candle_load.py URI MARKET_DB``."""

import itertools
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Candle

BARS = 500


def bars(turn: int) -> list[Candle]:
    """Return the bars of one turn: another symbol each time, so that all of them are new."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    return [
        Candle(
            symbol=f"BINANCE:L{turn}USDT",
            timeframe="1m",
            open_time=start + timedelta(minutes=number),
            open=1.0,
            high=2.0,
            low=0.5,
            close=1.5,
            volume=1.0,
            source="bench",
        )
        for number in range(BARS)
    ]


if __name__ == "__main__":
    settings = MongoSettings(
        home=Path("/nonexistent"), mongo_uri=SecretStr(sys.argv[1]), market_db=sys.argv[2]
    )
    writer = CandleWriter(connect(settings, app="bench-candles", timeout_seconds=60))
    for number in itertools.count():
        writer.write(bars(number))
        if number == 0:
            sys.stdout.write("writing\n")
            sys.stdout.flush()
