import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.listings.listings import Listing, parse_pairs, split_name
from tests.unit.services.paper_exchange.recordings import recording

QUOTES = ("USDT", "TUSD", "USD", "BTC")


@pytest.mark.parametrize(
    ("name", "pair"),
    [("BTCUSDT", ("BTC", "USDT")), ("ETHBTC", ("ETH", "BTC")), ("BTCUSD", ("BTC", "USD"))],
)
def test_a_name_is_split_by_the_declared_quote_currencies(name: str, pair: tuple[str, str]) -> None:
    assert split_name(name, QUOTES) == pair


def test_an_ambiguous_name_is_refused_with_its_candidates() -> None:
    with pytest.raises(ConfigError, match="may be BTC/TUSD or BTCT/USD; say which with --symbols"):
        split_name("BTCTUSD", QUOTES)


@pytest.mark.parametrize("name", ["BTCEUR", "USDT", "BTC"])
def test_a_name_without_a_declared_quote_currency_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="QUANTBUS_PAPER_QUOTES"):
        split_name(name, QUOTES)


def test_pairs_are_read_in_order() -> None:
    assert parse_pairs("ETH/USDT, BTC/USDT") == (("ETH", "USDT"), ("BTC", "USDT"))


@pytest.mark.parametrize("text", ["", "BTCUSDT", "btc/usdt", "BTC/USDT:USDT", "BTC/USDT,BTC/USDT", "/USDT"])
def test_anything_but_spot_pairs_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        parse_pairs(text)


def test_two_pairs_may_not_share_an_exchange_name() -> None:
    with pytest.raises(ConfigError, match="BTC/TUSD and BTCT/USD"):
        parse_pairs("BTC/TUSD,BTCT/USD")


def test_steps_are_the_finest_that_the_recording_uses() -> None:
    listing = Listing.from_bars("BTC", "USDT", recording(200))
    assert (listing.price_decimals, listing.amount_decimals) == (2, 3)
    assert (listing.tick, listing.step) == (0.01, 0.001)
    assert (listing.name, listing.pair) == ("BTCUSDT", "BTC/USDT")
