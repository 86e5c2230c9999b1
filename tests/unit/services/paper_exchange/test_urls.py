from urllib.parse import urlsplit

import ccxt
import ccxt.pro
import pytest

from quantbus_services.paper_exchange import ccxt_config, ccxt_urls

BASE = "http://127.0.0.1:8711"


def addresses(urls: object) -> list[str]:
    if isinstance(urls, dict):
        return [address for value in urls.values() for address in addresses(value)]
    return [str(urls)]


@pytest.mark.parametrize("kind", [ccxt.binance, ccxt.pro.binance])
def test_no_address_of_the_real_exchange_is_left(kind: type) -> None:
    exchange = kind(ccxt_config(BASE))
    assert {urlsplit(address).netloc for address in addresses(exchange.urls["api"])} == {"127.0.0.1:8711"}


def test_a_slash_at_the_end_of_the_address_does_not_matter() -> None:
    assert ccxt_urls(BASE + "/") == ccxt_urls(BASE)
    assert ccxt_urls(BASE)["api"]["public"] == f"{BASE}/api/v3"


def test_streams_go_to_the_same_host() -> None:
    assert ccxt_urls(BASE)["api"]["ws"]["spot"] == "ws://127.0.0.1:8711/stream"
    assert ccxt_urls("https://paper")["api"]["ws"]["ws-api"]["spot"] == "wss://paper/ws-api/v3"
