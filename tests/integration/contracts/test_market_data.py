"""`get_market_data` and its kin, over a real bus."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal
from pydantic import SecretStr

import quantbus_contracts
from quantbus_contracts import ContractError, Instrument, MarketData, UnknownInstrument
from quantbus_contracts.embedded import EmbeddedServer
from quantbus_contracts.market import AsyncMarketData
from quantbus_contracts.mongo.bars import Bar
from quantbus_contracts.mongo.block_sealer import BlockSealer
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection, connect, connect_async
from quantbus_contracts.mongo.frames import candle_frame
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import Timeframe

pytestmark = pytest.mark.integration
BTC, ETH = "BINANCE:BTCUSDT", "BINANCE:ETHUSDT"
MINUTE, DAY = Timeframe.parse("1m"), Timeframe.parse("1d")
START = datetime(2024, 2, 27, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def bars(count: int, timeframe: Timeframe, *, start: datetime = START, first: float = 1.0) -> list[Bar]:
    return [
        (start + at * timeframe.delta, first + at, 9e6, 0.25, first + at, at % 7 / 10) for at in range(count)
    ]


@pytest.fixture(scope="module")
def data(mongo_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketData]:
    """Four days of minutes and of days: two days of the minutes sealed, one corrected, the rest rows."""
    mark = uuid.uuid4().hex[:10]
    settings = MongoSettings(
        home=tmp_path_factory.mktemp("home"),
        mongo_uri=SecretStr(mongo_server.uri),
        market_db=f"market_{mark}",
        signals_db=f"signals_{mark}",
        trading_db=f"trading_{mark}",
    )
    with closing(connect(settings, app="test", timeout_seconds=60)) as connection:
        initialise(connection)
        writer = CandleWriter(connection)
        for symbol, first in ((BTC, 1.0), (ETH, 5_000.0)):
            writer.write_bars(symbol, MINUTE, "test", bars(4 * 1440 - 100, MINUTE, first=first))
            writer.write_bars(symbol, DAY, "test", bars(4, DAY, first=first))
            BlockSealer(connection).seal(symbol, MINUTE)
        writer.write_bars(BTC, MINUTE, "test", [(START + timedelta(days=1), 2.0, 9e6, 0.25, 3.0, 1.0)])
        yield MarketData(connection)
        for name in connection.names.all().values():
            connection.client.drop_database(name)


def opens(frame: pd.DataFrame) -> list[datetime]:
    return [moment.to_pydatetime() for moment in frame.index.get_level_values("datetime")]


def test_it_is_what_the_row_reader_says(data: MarketData) -> None:
    reader = CandleReader(data.connection)
    for name, frame in (("1m", MINUTE), ("1d", DAY)):
        plain = candle_frame(reader, [BTC, ETH], frame, START, START + timedelta(days=9))
        found = data.get_market_data([ETH, BTC], START, START + timedelta(days=9), timeframe=name)
        assert_frame_equal(found, plain)


def test_days_are_whole_and_both_ends_are_in(data: MarketData) -> None:
    daily = data.get_crypto_market_data(BTC, "20240228", "20240229")
    assert opens(daily) == [START + timedelta(days=1), START + timedelta(days=2)]
    minutes = data.get_crypto_min_data(BTC, "20240228", "20240229")
    assert opens(minutes)[0] == START + timedelta(days=1)
    assert opens(minutes)[-1] == START + timedelta(days=3, minutes=-1)
    assert len(minutes) == 2 * 1440


@pytest.mark.parametrize(
    "edge", [START + timedelta(minutes=5), START + timedelta(days=1), START + timedelta(days=3, minutes=7)]
)
def test_instants_are_exact_to_the_millisecond(data: MarketData, edge: datetime) -> None:
    far = START + timedelta(days=9)
    assert opens(data.get_crypto_min_data(BTC, edge, far))[0] == edge
    assert opens(data.get_crypto_min_data(BTC, edge + MS, far))[0] == edge + timedelta(minutes=1)
    assert opens(data.get_crypto_min_data(BTC, edge - MS, far))[0] == edge
    assert opens(data.get_crypto_min_data(BTC, edge + timedelta(microseconds=1), far))[0] == edge + timedelta(
        minutes=1
    )
    before = START - timedelta(days=9)
    assert opens(data.get_crypto_min_data(BTC, before, edge))[-1] == edge - timedelta(minutes=1)
    assert opens(data.get_crypto_min_data(BTC, before, edge + MS))[-1] == edge
    assert opens(data.get_crypto_min_data(BTC, before, edge + timedelta(microseconds=1)))[-1] == edge
    assert opens(data.get_crypto_min_data(BTC, before, edge - MS))[-1] == edge - timedelta(minutes=1)


def test_days_are_exact_to_the_millisecond(data: MarketData) -> None:
    edge, far, before = START + timedelta(days=1), START + timedelta(days=9), START - timedelta(days=9)
    assert opens(data.get_crypto_market_data(BTC, edge, far))[0] == edge
    assert opens(data.get_crypto_market_data(BTC, edge + MS, far))[0] == edge + timedelta(days=1)
    assert opens(data.get_crypto_market_data(BTC, before, edge))[-1] == START
    assert opens(data.get_crypto_market_data(BTC, before, edge + MS))[-1] == edge


@pytest.mark.parametrize("fields", [None, ["volume", "close"]])
def test_every_form_says_the_same(data: MarketData, fields: Any) -> None:
    asked = ([BTC, ETH], "20240227", "20240301", fields)
    frame = data.get_crypto_min_data(*asked)
    table = data.get_crypto_min_data(*asked, as_="arrow")
    polars = data.get_crypto_min_data(*asked, as_="polars")
    assert isinstance(table, pa.Table)
    assert isinstance(polars, pl.DataFrame)
    flat = frame.reset_index()
    assert table.column_names == polars.columns == list(flat.columns)
    assert table["symbol"].to_pylist() == polars["symbol"].to_list() == flat["symbol"].tolist()
    assert table["datetime"].to_pylist() == polars["datetime"].to_list() == opens(frame)
    for name in frame.columns:
        assert (
            table[name].to_numpy().tobytes()
            == polars[name].to_numpy().tobytes()
            == flat[name].to_numpy().tobytes()
        )


@pytest.mark.parametrize("fields", [None, ["close"]])
def test_an_empty_answer_has_the_columns_and_types_of_a_full_one(data: MarketData, fields: Any) -> None:
    empty, full = ("20200101", "20200102", fields), ("20240227", "20240227", fields)
    none, some = (data.get_crypto_min_data([BTC, ETH], *asked) for asked in (empty, full))
    assert len(none) == 0
    assert_frame_equal(none, some.iloc[:0].set_index(some.iloc[:0].index.remove_unused_levels()))
    assert list(none.dtypes) == list(some.dtypes)
    assert str(none.index.levels[1].dtype) == str(some.index.levels[1].dtype) == "datetime64[ms, UTC]"
    for form in ("arrow", "polars"):
        none, some = (data.get_crypto_min_data([BTC, ETH], *asked, as_=form) for asked in (empty, full))
        assert len(none) == 0
        assert none.schema == some.schema


def test_a_hundred_symbols_come_in_one_call(connection: Connection) -> None:
    writer, symbols = CandleWriter(connection), [f"BINANCE:C{number}USDT" for number in range(100)]
    for number, symbol in enumerate(symbols):
        writer.write_bars(
            symbol, DAY, "test", bars(40, DAY, start=START - timedelta(days=number), first=number + 1.0)
        )
        if number % 2:
            BlockSealer(connection).seal(symbol, DAY)
    found = MarketData(connection).get_crypto_market_data(symbols, "20230101", "20250101", "close")
    assert found.groupby(level=0).size().to_dict() == dict.fromkeys(symbols, 40)
    assert found.index.is_monotonic_increasing
    assert found.index.is_unique
    assert found.loc["BINANCE:C7USDT", "close"].iloc[0] == 8.0
    assert found.loc["BINANCE:C7USDT"].index[0] == START - timedelta(days=7)


def test_a_long_history_is_read_in_many_questions(data: MarketData, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = data.get_crypto_min_data([BTC, ETH], "20240101", "20250101")
    for name, size in (("_ROWS_AT_ONCE", 333), ("_BLOCKS_AT_ONCE", 2)):
        monkeypatch.setattr(f"quantbus_contracts.mongo.bar_reader.{name}", size)
    assert_frame_equal(data.get_crypto_min_data([BTC, ETH], "20240101", "20250101"), whole)


def test_an_unknown_symbol_is_refused_with_candidates(data: MarketData) -> None:
    with pytest.raises(UnknownInstrument, match=r"found 'BINANCE:BTCUSDC'; did you mean BINANCE:BTCUSDT"):
        data.get_crypto_min_data([BTC, "BINANCE:BTCUSDC"], "20240227", "20240227")
    with pytest.raises(
        UnknownInstrument, match=r"1m bars.*\(2 have bars\).*there are bars of BINANCE:BTCUSDT"
    ):
        data.get_crypto_min_data("OKX:WXYZ", "20240227", "20240227")
    with pytest.raises(
        UnknownInstrument, match=r"no 1h bars of 'BINANCE:BTCUSDT', nor of any other.*quantbus ingest"
    ):
        data.get_market_data(BTC, "20240227", "20240227", timeframe="1h")


def test_a_listed_symbol_without_bars_is_no_mistake(data: MarketData) -> None:
    listed = Instrument.from_pair("BINANCE", "SOL/USDT")
    InstrumentStore(data.connection).write([listed])
    found = data.get_crypto_min_data([BTC, listed.symbol], "20240227", "20240227")
    assert set(found.index.get_level_values(0)) == {BTC}


def test_an_unknown_form_is_refused(data: MarketData) -> None:
    with pytest.raises(ContractError, match="pandas, arrow, polars, found 'csv'"):
        data.get_crypto_min_data(BTC, "20240227", "20240227", as_="csv")  # type: ignore[arg-type]


def test_bars_are_made_of_finer_ones_on_request(data: MarketData) -> None:
    begin = START + timedelta(minutes=1)
    made = data.get_market_data(BTC, begin, begin + timedelta(hours=3), timeframe="1h", made_from="1m")
    assert opens(made) == [START + timedelta(hours=hour) for hour in (1, 2, 3)]
    assert made["open"].tolist() == [61.0, 121.0, 181.0]
    assert made["close"].tolist() == [120.0, 180.0, 240.0]
    last = ("20240301", "20240301")
    whole = data.get_market_data(BTC, *last, timeframe="1h", made_from="1m")
    kept = data.get_market_data(BTC, *last, timeframe="1h", made_from="1m", partial="keep")
    assert (len(whole), len(kept)) == (22, 23)


def test_the_symbols_of_a_timeframe_are_listed(data: MarketData) -> None:
    assert data.symbols("1m") == [BTC, ETH]
    assert data.symbols("4h") == []


async def test_asynchronous_reading_gives_the_same(data: MarketData) -> None:
    twin = AsyncMarketData(connect_async(data.connection.settings, app="test", timeout_seconds=20))
    for method, asked in (
        ("get_crypto_min_data", ([BTC, ETH], "20240227", "20240301", ["close"])),
        ("get_crypto_market_data", (BTC, "20240227", "20240301")),
        ("get_market_data", (BTC, "20240227", "20240301", None, "1m")),
    ):
        assert_frame_equal(await getattr(twin, method)(*asked), getattr(data, method)(*asked))
    assert await twin.symbols("1d") == [BTC, ETH]
    await twin.close()


def test_the_plain_functions_connect_as_the_environment_says(
    data: MarketData, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = data.connection.settings
    assert settings.mongo_uri is not None
    monkeypatch.setenv("QUANTBUS_MONGO_URI", settings.mongo_uri.get_secret_value())
    monkeypatch.setenv("QUANTBUS_MARKET_DB", settings.market_db)
    day = ("20240227", "20240227")
    assert_frame_equal(quantbus_contracts.get_crypto_min_data(BTC, *day), data.get_crypto_min_data(BTC, *day))
    assert_frame_equal(
        quantbus_contracts.get_crypto_market_data(BTC, *day), data.get_crypto_market_data(BTC, *day)
    )
    found = quantbus_contracts.get_market_data(BTC, *day, ["close"], "1h", made_from="1m", as_="arrow")
    assert found.num_rows == 24


def test_a_snapshot_is_the_same_until_a_bar_is_corrected(connection: Connection, tmp_path: Path) -> None:
    data, writer = MarketData(connection), CandleWriter(connection)
    writer.write_bars(ETH, DAY, "test", bars(60, DAY, start=START - timedelta(days=700)))
    asked = (ETH, "20200101", "20250101")
    first = data.snapshot(*asked, folder=tmp_path)
    assert_frame_equal(first.table(), data.get_crypto_market_data(*asked))
    BlockSealer(connection).seal(ETH, DAY)
    assert data.snapshot(*asked, folder=tmp_path) == first  # from blocks now
    corrected = bars(60, DAY, start=START - timedelta(days=700))[7]
    writer.write_bars(ETH, DAY, "test", [(*corrected[:4], corrected[4] + 0.5, corrected[5])])
    second = data.snapshot(*asked, folder=tmp_path)
    assert second.snapshot_id != first.snapshot_id
    assert second.table()["close"].iloc[7] == first.table()["close"].iloc[7] + 0.5
    assert (connection.settings.home / "snapshots" / first.snapshot_id).exists() is False
    assert data.snapshot(*asked).folder == connection.settings.home / "snapshots" / second.snapshot_id
