"""Recorded files of every form onto a real MongoDB; skipped where they are absent."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet
import pytest

from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.transfer.identify import Overrides
from quantbus_services.ingestion.transfer.import_main import run_import
from tests.integration.ingestion.test_import import FAR, imported, totals

pytestmark = pytest.mark.integration

LONG_AGO = datetime(2010, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "given", "symbol", "timeframe", "expected"),
    [
        ("raw/binance_vision/BTCUSDT-1m-2024-12-31.csv", {}, "BINANCE:BTCUSDT", "1m", (1440, 0, 0, 0)),
        ("raw/binance_vision/BTCUSDT-1m-2025-01-01.csv", {}, "BINANCE:BTCUSDT", "1m", (1440, 0, 0, 0)),
        ("raw/binance_vision/BTCUSDT-1m-2018-02-08.csv", {}, "BINANCE:BTCUSDT", "1m", (29, 0, 0, 0)),
        ("raw/binance_vision/ADABTC-1m-2021-11-27.csv", {}, "BINANCE:ADABTC", "1m", (10, 0, 0, 0)),
        (
            "raw/binance_futures_csv/ZECUSDT_4h.csv",
            {"venue": "binance", "symbol": "ZEC/USDT:USDT"},
            "BINANCE:ZECUSDT.P",
            "4h",
            (4500, 0, 0, 0),
        ),
        ("raw/kraken/XBTUSD_60.csv", {}, "KRAKEN:BTCUSD", "1h", (2160, 0, 0, 0)),
        ("raw/kraken/XBTUSDC_15.csv", {}, "KRAKEN:BTCUSDC", "15m", (8569, 0, 0, 0)),
        ("raw/cryptodatadownload/Binance_SOLUSDT_d.csv", {}, "BINANCE:SOLUSDT", "1d", (2101, 0, 0, 0)),
        ("raw/cryptodatadownload/Binance_DOTUSDT_d.csv", {}, "BINANCE:DOTUSDT", "1d", (712, 0, 0, 0)),
        (
            "raw/cryptodatadownload/BTCUSDT_Binance_futures_data_day.csv",
            {},
            "BINANCE:BTCUSDT.P",
            "1d",
            (1057, 0, 0, 0),
        ),
        ("raw/cryptodatadownload/Coinbase_BTCUSD_1h.csv.gz", {}, "COINBASE:BTCUSD", "1h", (20111, 0, 0, 0)),
        ("raw/yahoo/SUI-USD_1d.csv", {"venue": "yahoo"}, "YAHOO:SUIUSD", "1d", (None, 0, 0, None)),
        (
            "freqtrade/testdata/futures/XRP_USDT_USDT-1h-futures.feather",
            {"venue": "binance"},
            "BINANCE:XRPUSDT.P",
            "1h",
            (100, 0, 0, 0),
        ),
        (
            "freqtrade/testdata/XRP_ETH-5m.feather",
            {"venue": "bittrex"},
            "BITTREX:XRPETH",
            "5m",
            (None, 0, 0, 0),
        ),
        (
            "raw/freqtrade_json/ETH_USDT-5m.json",
            {"venue": "binance"},
            "BINANCE:ETHUSDT",
            "5m",
            (None, 0, 0, 0),
        ),
        (
            "freqtrade/testdata/futures/XRP_USDT_USDT-1h-futures.json.gz",
            {"venue": "binance"},
            "BINANCE:XRPUSDT.P",
            "1h",
            (None, 0, 0, 0),
        ),
        (
            "raw/kaggle/coin_Solana.csv",
            {"venue": "coinmarketcap", "symbol": "SOL/USD", "timeframe": "1d"},
            "COINMARKETCAP:SOLUSD",
            "1d",
            (452, 0, 0, 0),
        ),
        ("ohlcv/1h/OKX_BTCUSDT_1h_PERP.parquet", {}, "OKX:BTCUSDT.P", "1h", (52608, 0, 0, 0)),
        ("ohlcv/1d/BINANCE_ADAUSDT_1d.parquet", {}, "BINANCE:ADAUSDT", "1d", (2816, 0, 0, 0)),
    ],
)
def test_every_form_is_imported_and_a_second_time_changes_nothing(
    mongo_settings: MongoSettings,
    connection: Connection,
    shared_data: Path,
    name: str,
    given: dict[str, str],
    symbol: str,
    timeframe: str,
    expected: tuple[int | None, ...],
) -> None:
    [first] = imported(mongo_settings, shared_data / name, **given)
    [second] = imported(mongo_settings, shared_data / name, **given)

    assert (first.error, first.symbol, first.timeframe) == ("", symbol, timeframe)
    counts = totals(first)
    assert [count for count, told in zip(counts, expected, strict=True) if told is not None] == [
        told for told in expected if told is not None
    ]
    assert totals(second) == (0, 0, counts[0] + counts[2], counts[3])
    stored = CandleReader(connection).open_times(symbol, Timeframe.parse(timeframe), LONG_AGO, FAR)
    assert len(stored) == counts[0] > 0


def test_binances_daily_files_hold_the_bars_of_the_long_series(
    mongo_settings: MongoSettings, shared_data: Path, tmp_path: Path
) -> None:
    """One day in milliseconds, two in microseconds; the long series comes from elsewhere."""
    days = [
        shared_data / f"raw/binance_vision/BTCUSDT-1m-{day}.csv"
        for day in ("2024-12-31", "2025-01-01", "2025-01-02")
    ]
    long = pa.parquet.read_table(
        shared_data / "ohlcv/1m/BINANCE_BTCUSDT_1m.parquet",
        filters=[
            ("ts", ">=", datetime(2024, 12, 31, tzinfo=UTC)),
            ("ts", "<", datetime(2025, 1, 3, tzinfo=UTC)),
        ],
    )
    pa.parquet.write_table(long, tmp_path / "BINANCE_BTCUSDT_1m.parquet")

    for report in imported(mongo_settings, *days):
        assert totals(report) == (1440, 0, 0, 0)
    [report] = imported(mongo_settings, tmp_path / "BINANCE_BTCUSDT_1m.parquet")

    assert totals(report) == (0, 0, 3 * 1440, 0)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("raw/binance_12col/BTCUSDT_1wk.csv", {"venue": "binance"}, "found '1wk'"),
        (
            "raw/binance_futures_csv/ZECUSDT_funding.csv",
            {"venue": "binance", "symbol": "ZEC/USDT:USDT", "timeframe": "8h"},
            "found timestamp, symbol, funding_rate",
        ),
        ("raw/kaggle/coin_Solana.csv", {}, "give --venue and --symbol and --timeframe"),
        ("raw/kraken/XBTUSD_60.csv", {"timeframe": "1m"}, "expected 1m bars, found bars 1:00:00 apart"),
        ("freqtrade/testdata/UNITTEST_BTC-8m.feather", {"venue": "binance"}, "found '8m'"),
        ("freqtrade/testdata/XRP_ETH-trades.feather", {"venue": "binance"}, "found trades"),
        (
            "freqtrade/testdata/futures/XRP_USDT_USDT-8h-funding_rate.feather",
            {"venue": "binance"},
            "funding_rate",
        ),
        ("mark/OKX_BTCUSDT_1h_PERP_MARK.parquet", {}, "mark prices"),
    ],
)
def test_what_holds_no_bars_of_ours_is_refused_with_the_reason(
    mongo_settings: MongoSettings,
    connection: Connection,
    shared_data: Path,
    name: str,
    given: dict[str, str],
    told: str,
) -> None:
    path = next(iter(shared_data.rglob(Path(name).name)))

    [report] = imported(mongo_settings, path, **given)

    assert told in report.error
    market = connection.client[mongo_settings.market_db]
    assert all(
        market[collection].estimated_document_count() == 0
        for collection in market.list_collection_names()
        if collection.startswith("crypto_")
    )


def test_days_named_by_their_last_second_land_on_the_day_that_another_source_says(
    mongo_settings: MongoSettings, connection: Connection, shared_data: Path
) -> None:
    given = {"venue": "coinmarketcap", "symbol": "SOL/USD", "timeframe": "1d"}
    assert not imported(mongo_settings, shared_data / "raw/kaggle/coin_Solana.csv", **given)[0].error
    assert not imported(mongo_settings, shared_data / "raw/cryptodatadownload/Binance_SOLUSDT_d.csv")[0].error
    day = Timeframe.parse("1d")
    theirs, ours = (
        {bar.open_time: bar.close for bar in CandleReader(connection).candles(symbol, day, LONG_AGO, FAR)}
        for symbol in ("BINANCE:SOLUSDT", "COINMARKETCAP:SOLUSD")
    )

    def distance(days: int) -> float:
        shifted = {time + timedelta(days=days): close for time, close in ours.items()}
        return median(abs(shifted[time] / theirs[time] - 1) for time in shifted.keys() & theirs.keys())

    assert distance(0) < 0.003
    assert min(distance(1), distance(-1)) > 5 * distance(0)


def test_a_dump_that_ended_in_a_forming_bar_is_imported_without_it(
    mongo_settings: MongoSettings, connection: Connection, shared_data: Path
) -> None:
    file = shared_data / "raw/binance_futures_csv/ZECUSDT_4h.csv"
    [report] = run_import(
        [file],
        Overrides(venue="binance", symbol="ZEC/USDT:USDT"),
        IngestionSettings(),
        mongo_settings,
        by_hand=[file],
        on_rows=lambda *_: None,
        drop_last=True,
    )
    assert (totals(report), report.reasons) == ((4499, 0, 0, 1), {"unfinished_last_row": 1})
    last = CandleReader(connection).last_open_time("BINANCE:ZECUSDT.P", Timeframe.parse("4h"))
    assert last == datetime(2026, 3, 19, 12, tzinfo=UTC)
