"""Real recorded candles, where they are present."""

import time
from pathlib import Path

import ccxt
import pytest

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange import ccxt_config
from quantbus_services.paper_exchange.recordings.files import read_bars
from tests.integration.paper_exchange.conftest import PaperStarter

pytestmark = pytest.mark.integration
M1 = Timeframe.parse("1m")


def test_real_bitcoin_and_ether_are_replayed_in_step(shared_data: Path, start_paper: PaperStarter) -> None:
    paper = start_paper("--data", str(shared_data), "--symbols", "BTC/USDT,ETH/USDT")
    exchange = ccxt.binance(ccxt_config(paper.url))
    shift = int(exchange.fetch(f"{paper.url}/health")["shift_seconds"]) * 1000
    assert shift % 86_400_000 == 0
    for name in ("BTC", "ETH"):
        bars = read_bars(shared_data / f"ohlcv/1m/BINANCE_{name}USDT_1m.parquet", M1)
        rows = exchange.fetch_ohlcv(f"{name}/USDT", "1m", limit=1000)[:-1]
        recorded = bars.between(rows[0][0] - shift, rows[-1][0] - shift + 1)
        columns = (recorded.open, recorded.high, recorded.low, recorded.close, recorded.volume)
        served = [[row[index] for row in rows] for index in range(1, 6)]
        assert served == [column.tolist() for column in columns]


def test_an_hour_built_from_real_minutes_is_the_exchanges_own(
    shared_data: Path, start_paper: PaperStarter
) -> None:
    own = read_bars(shared_data / "ohlcv/1d/BINANCE_BTCUSDT_1d.parquet", Timeframe.parse("1d"))
    minutes = read_bars(shared_data / "ohlcv/1m/BINANCE_BTCUSDT_1m.parquet", M1)
    built = minutes.aggregate(86_400_000)
    shared = [day for day in own.open_time.tolist() if day in set(built.open_time.tolist())]
    assert len(shared) > 300
    for day in shared:
        one, other = own.between(day, day + 1).bar(0), built.between(day, day + 1).bar(0)
        assert (one.open, one.high, one.low, one.close) == (other.open, other.high, other.low, other.close)


def test_the_largest_file_loads_within_seconds(shared_data: Path) -> None:
    started = time.perf_counter()
    bars = read_bars(shared_data / "ohlcv/1m/BINANCE_BTCUSDT_1m.parquet", M1)
    assert len(bars) == 790_560
    assert time.perf_counter() - started < 5
