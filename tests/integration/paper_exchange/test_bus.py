"""Candles of a real MongoDB, replayed."""

import httpx
import numpy as np
import pytest

from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.series import Bars
from tests.integration.paper_exchange.conftest import PaperStarter
from tests.unit.services.paper_exchange.recordings import recording

pytestmark = pytest.mark.integration


def store(connection: Connection, pair: str, bars: Bars) -> None:
    instrument = Instrument.from_pair("BINANCE", pair)
    InstrumentStore(connection).write([instrument])
    columns = (np.asarray(getattr(bars, name)) for name in ("open", "high", "low", "close", "volume"))
    CandleWriter(connection).write_columns(
        CandleColumns(instrument.symbol, Timeframe.parse("1m"), "test", bars.open_time, *columns)
    )


def environment(settings: MongoSettings) -> dict[str, str]:
    assert settings.mongo_uri is not None
    return {
        "QUANTBUS_MONGO_URI": settings.mongo_uri.get_secret_value(),
        "QUANTBUS_MARKET_DB": settings.market_db,
        "QUANTBUS_SIGNALS_DB": settings.signals_db,
        "QUANTBUS_TRADING_DB": settings.trading_db,
    }


def test_stored_candles_are_served_shifted_to_now(
    connection: Connection, mongo_settings: MongoSettings, start_paper: PaperStarter
) -> None:
    bars = recording(4 * 1440)
    store(connection, "BTC/USDT", bars)
    store(connection, "ETH/USDT", recording(4 * 1440, seed=3))
    paper = start_paper("--from-bus", **environment(mongo_settings))
    health = httpx.get(f"{paper.url}/health").json()
    assert set(health["symbols"]) == {"BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"}
    assert (health["data"], health["origin"]) == ("recorded", "bus, BINANCE 1m")
    closed = httpx.get(
        f"{paper.url}/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "1m", "limit": 1000}
    ).json()[:-1]
    recorded = {moment: row for row, moment in enumerate(bars.open_time.tolist())}
    for row in closed:
        bar = bars.bar(recorded[row[0] - health["shift_seconds"] * 1000])
        assert [float(value) for value in row[1:6]] == [bar.open, bar.high, bar.low, bar.close, bar.volume]


def test_a_pair_that_is_not_stored_is_refused_with_what_is(
    connection: Connection, mongo_settings: MongoSettings, start_paper: PaperStarter
) -> None:
    store(connection, "BTC/USDT", recording(100))
    with pytest.raises(
        AssertionError, match=r"expected 1m candles of BINANCE:SOLUSDT .* found BINANCE:BTCUSDT"
    ):
        start_paper("--from-bus", "--symbols", "SOL/USDT", **environment(mongo_settings))
