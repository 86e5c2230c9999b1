import pytest

from quantbus_contracts.errors import ConfigError, ContractError, UnknownInstrument
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_services.ingestion.series import comma_list, is_derivative_name, requested_series

PAIRS = ("BTC/USDT", "BTC/USDT:USDT", "ETH/USDT")
CATALOGUE = InstrumentCatalogue(Instrument.from_pair("BINANCE", pair) for pair in PAIRS)


def test_pairs_and_bus_symbols_are_resolved_against_the_venues_markets() -> None:
    found = requested_series(
        ["BTC/USDT", "BTC/USDT:USDT", "BINANCE:ETHUSDT"], ["1m", "1h"], CATALOGUE, "BINANCE"
    )

    assert [str(item) for item in found] == [
        "BINANCE:BTCUSDT 1m",
        "BINANCE:BTCUSDT 1h",
        "BINANCE:BTCUSDT.P 1m",
        "BINANCE:BTCUSDT.P 1h",
        "BINANCE:ETHUSDT 1m",
        "BINANCE:ETHUSDT 1h",
    ]


def test_two_names_of_one_market_are_one_series() -> None:
    assert len(requested_series(["BTC/USDT", "BTCUSDT"], ["1m"], CATALOGUE, "BINANCE")) == 1


def test_an_unknown_symbol_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownInstrument, match=r"did you mean .*BINANCE:BTCUSDT"):
        requested_series(["BTC/UDST"], ["1m"], CATALOGUE, "BINANCE")


def test_a_symbol_of_another_venue_is_refused() -> None:
    with pytest.raises(UnknownInstrument):
        requested_series(["OKX:BTCUSDT"], ["1m"], CATALOGUE, "BINANCE")


def test_an_unknown_timeframe_is_refused() -> None:
    with pytest.raises(ContractError, match="'7m'"):
        requested_series(["BTC/USDT"], ["7m"], CATALOGUE, "BINANCE")


def test_lists_are_split_at_commas_without_repeats() -> None:
    assert comma_list(" a,b , a,,c", "names") == ["a", "b", "c"]
    with pytest.raises(ConfigError, match="comma-separated list of names"):
        comma_list(" , ", "names")


@pytest.mark.parametrize(
    ("name", "derivative"),
    [
        ("BTC/USDT", False),
        ("BINANCE:BTC/USDT", False),
        ("BINANCE:BTCUSDT", False),
        ("BTC/USDT:USDT", True),
        ("BINANCE:BTCUSDT.P", True),
        ("BINANCE:BTCUSDT-261225", True),
    ],
)
def test_a_name_tells_whether_more_than_spot_markets_are_needed(name: str, derivative: bool) -> None:
    assert is_derivative_name(name) is derivative
