from contextlib import suppress
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import UnknownInstrument
from quantbus_contracts.symbols import Instrument
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.transfer.names import (
    InstrumentNames,
    NamedSeries,
    NotCandles,
    read_name,
    read_symbol,
)

SETTINGS = IngestionSettings()


def named(path: str) -> NamedSeries:
    return read_name(PurePath(path), folder_venues=SETTINGS.folder_venues, quotes=SETTINGS.quotes)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("BINANCE_BTCUSDT_1m.parquet", NamedSeries("BTCUSDT", "spot", "BINANCE", "1m")),
        ("BINANCE_BTCUSDT_1m_PERP.parquet", NamedSeries("BTCUSDT", "swap", "BINANCE", "1m")),
        ("BINANCE_1000PEPEUSDT_4h_PERP__2025.parquet", NamedSeries("1000PEPEUSDT", "swap", "BINANCE", "4h")),
        ("data/okx/BTC_USDT-1h.feather", NamedSeries("BTC/USDT", "spot", "OKX", "1h")),
        (
            "data/okx/futures/BTC_USDT_USDT-1h-futures.feather",
            NamedSeries("BTC/USDT:USDT", "swap", "OKX", "1h"),
        ),
        (
            "binance/futures/ETH_USDT_USDT-210625-1h-futures.feather",
            NamedSeries("ETH/USDT:USDT-210625", "swap", "BINANCE", "1h"),
        ),
        ("BTCUSDT-1m-2025-01-01.csv", NamedSeries("BTCUSDT", "spot", "BINANCE", "1m")),
        ("BTCUSDT-1h-2025-01.zip", NamedSeries("BTCUSDT", "spot", "BINANCE", "1h")),
        ("data/futures/um/BTCUSDT-1m-2025-01.csv", NamedSeries("BTCUSDT", "swap", "BINANCE", "1m")),
        ("kraken/XBTUSD_60.csv", NamedSeries("XBTUSD", "spot", "KRAKEN", "1h")),
        ("kraken/XBTUSD_1440.csv", NamedSeries("XBTUSD", "spot", "KRAKEN", "1d")),
        ("kraken/XBTUSD_21600.csv", NamedSeries("XBTUSD", "spot", "KRAKEN", "21600")),
        ("Binance_SOLUSDT_d.csv", NamedSeries("SOLUSDT", "spot", "BINANCE", "1d")),
        ("Coinbase_BTCUSD_1h.csv.gz", NamedSeries("BTCUSD", "spot", "COINBASE", "1h")),
        ("Binance_BTCUSDT_2023_minute.csv", NamedSeries("BTCUSDT", "spot", "BINANCE", "1m")),
        ("BTCUSDT_Binance_futures_data_day.csv", NamedSeries("BTCUSDT", "swap", "BINANCE", "1d")),
        ("BTC_USDT_1m.csv", NamedSeries("BTC/USDT", "spot", "", "1m")),
        ("ZECUSDT_1d.csv", NamedSeries("ZECUSDT", "spot", "", "1d")),
        ("SUI-USD_1d.csv", NamedSeries("SUI/USD", "spot", "", "1d")),
        ("binance/BTCUSDT-5m.csv", NamedSeries("BTCUSDT", "spot", "BINANCE", "5m")),
        ("candles.csv", NamedSeries()),
        ("bybit/candles.csv", NamedSeries(venue="BYBIT")),
        ("somewhere/candles.csv", NamedSeries()),
    ],
)
def test_a_name_says_symbol_venue_and_timeframe(path: str, expected: NamedSeries) -> None:
    assert named(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "binance/futures/BTC_USDT_USDT-1h-mark.feather",
        "binance/futures/BTC_USDT_USDT-8h-funding_rate.feather",
        "binance/XRP_ETH-5m-trades.feather",
        "BINANCE_BTCUSDT_1h_PERP_MARK.parquet",
    ],
)
def test_names_of_other_things_than_candles_are_told_apart(path: str) -> None:
    with pytest.raises(NotCandles):
        named(path)


@given(st.text(min_size=1, max_size=40).filter(lambda text: "/" not in text and "\0" not in text))
def test_no_name_whatever_raises_anything_unexpected(name: str) -> None:
    with suppress(NotCandles):
        named(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BTC/USDT", NamedSeries("BTC/USDT", "spot")),
        ("BTC/USDT:USDT", NamedSeries("BTC/USDT:USDT", "swap")),
        ("BINANCE:BTCUSDT", NamedSeries("BTCUSDT", "spot", "BINANCE")),
        ("binance:BTCUSDT.P", NamedSeries("BTCUSDT", "swap", "BINANCE")),
        ("OKX:BTC/USDT:USDT", NamedSeries("BTC/USDT:USDT", "swap", "OKX")),
        ("BTCUSDT", NamedSeries("BTCUSDT", "spot")),
    ],
)
def test_a_symbol_given_by_hand_may_be_a_pair_or_a_bus_symbol(text: str, expected: NamedSeries) -> None:
    assert read_symbol(text) == expected


def resolve(
    code: str, *, venue: str = "BYBIT", market: str = "spot", known: tuple[str, ...] = ()
) -> Instrument:
    names = InstrumentNames(
        [Instrument.from_pair(venue, pair) for pair in known], SETTINGS.quotes, SETTINGS.venue_quotes
    )
    return names.resolve(NamedSeries(code, "swap" if market == "swap" else "spot", venue))


@pytest.mark.parametrize(
    ("venue", "code", "pair"),
    [
        ("BYBIT", "BTCUSDT", "BTC/USDT"),
        ("BYBIT", "1000PEPEUSDT", "1000PEPE/USDT"),
        ("BINANCE", "ADABTC", "ADA/BTC"),
        ("BINANCE", "BNBBUSD", "BNB/BUSD"),
        ("KRAKEN", "XBTUSD", "BTC/USD"),
        ("KRAKEN", "ETHXBT", "ETH/BTC"),
        ("KRAKEN", "DOTUSD", "DOT/USD"),
    ],
)
def test_a_name_that_ends_in_one_quote_currency_splits_there(venue: str, code: str, pair: str) -> None:
    assert resolve(code, venue=venue).pair == pair


def test_a_perpetual_is_settled_in_its_quote_currency() -> None:
    assert resolve("BTCUSDT", market="swap").symbol == "BYBIT:BTCUSDT.P"


def test_a_name_with_two_readings_is_refused_with_both() -> None:
    with pytest.raises(UnknownInstrument, match=r"may be BNB/USD, BN/USD|BN/BUSD, BNB/USD"):
        resolve("BNBUSD")


def test_a_known_market_settles_what_the_name_leaves_open() -> None:
    assert resolve("BNBUSD", known=("BNB/USD", "ETH/USD")).pair == "BNB/USD"


def test_two_known_markets_of_one_name_are_ambiguous() -> None:
    with pytest.raises(UnknownInstrument, match="AB/CDE, ABC/DE"):
        resolve("ABCDE", known=("AB/CDE", "ABC/DE"))


def test_a_name_without_a_quote_currency_is_refused_with_the_nearest_market() -> None:
    with pytest.raises(
        UnknownInstrument, match=r"'BYBIT:BTCUDST' is no known market.*BYBIT:BTCUSDT.*--symbol"
    ):
        resolve("BTCUDST", known=("BTC/USDT",))


def test_a_quote_currency_alone_is_no_symbol() -> None:
    with pytest.raises(UnknownInstrument):
        resolve("USDT", venue="BINANCE")
