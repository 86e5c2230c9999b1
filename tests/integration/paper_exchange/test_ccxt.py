"""Unmodified ccxt, synchronous and asynchronous, against a running exchange."""

from collections.abc import AsyncIterator, Iterator

import ccxt
import ccxt.async_support
import httpx
import pytest

from quantbus_services.paper_exchange import ccxt_config
from tests.integration.paper_exchange.conftest import Paper

pytestmark = pytest.mark.integration
MINUTE = 60_000


@pytest.fixture
def exchange(paper: Paper) -> Iterator[ccxt.binance]:
    made = ccxt.binance(ccxt_config(paper.url))
    yield made
    made.close()


@pytest.fixture
async def async_exchange(paper: Paper) -> AsyncIterator[ccxt.async_support.binance]:
    made = ccxt.async_support.binance(ccxt_config(paper.url))
    yield made
    await made.close()


def test_markets_load_with_precision_and_limits(exchange: ccxt.binance) -> None:
    markets = exchange.load_markets()
    assert set(markets) == {"BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"}
    market = markets["BTC/USDT"]
    assert (market["type"], market["active"]) == ("spot", True)
    assert market["precision"] == {"amount": 1e-05, "price": 0.01, "base": 1e-08, "quote": 1e-08}
    assert market["limits"]["amount"]["min"] == 1e-05
    assert market["limits"]["cost"]["min"] == 5


def test_paging_over_a_thousand_bars_meets_each_once(exchange: ccxt.binance) -> None:
    now = exchange.fetch_time()
    since = now // MINUTE * MINUTE - 2_500 * MINUTE
    rows: list[list[float]] = []
    while page := exchange.fetch_ohlcv("BTC/USDT", "1m", since=since, limit=1000):
        rows += page
        since = page[-1][0] + 1
    assert [row[0] for row in rows] == list(range(int(rows[0][0]), int(rows[-1][0]) + 1, MINUTE))
    assert len(rows) in (2_501, 2_502)
    assert all(row[3] <= min(row[1], row[4]) <= max(row[1], row[4]) <= row[2] for row in rows)


def test_closed_bars_stay_as_they_are(exchange: ccxt.binance) -> None:
    first = exchange.fetch_ohlcv("BTC/USDT", "1m", limit=1000)
    again = exchange.fetch_ohlcv("BTC/USDT", "1m", since=first[0][0], limit=999)
    assert again == first[:-1]


def test_an_hour_is_made_of_its_minutes(exchange: ccxt.binance) -> None:
    hour = exchange.fetch_ohlcv("ETH/USDT", "1h", limit=3)[0]
    minutes = exchange.fetch_ohlcv("ETH/USDT", "1m", since=hour[0], limit=60)
    assert hour[1:5] == [
        minutes[0][1],
        max(row[2] for row in minutes),
        min(row[3] for row in minutes),
        minutes[-1][4],
    ]
    assert hour[5] == pytest.approx(sum(row[5] for row in minutes))


def test_book_ticker_and_trades_agree(exchange: ccxt.binance) -> None:
    book = exchange.fetch_order_book("BTC/USDT", 20)
    ticker = exchange.fetch_ticker("BTC/USDT")
    tickers = exchange.fetch_tickers(["BTC/USDT", "ETH/USDT"])
    best = exchange.fetch_bids_asks(["BTC/USDT"])["BTC/USDT"]
    prices = exchange.fetch_last_prices(["BTC/USDT"])
    trades = exchange.fetch_trades("BTC/USDT", limit=10)
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert book["bids"][0][0] < book["asks"][0][0]
    assert ticker["bid"] < ticker["last"] < ticker["ask"]
    assert set(tickers) == {"BTC/USDT", "ETH/USDT"}
    assert best["bid"] < best["ask"]
    assert prices["BTC/USDT"]["price"] == pytest.approx(ticker["last"], rel=0.01)
    assert len(trades) == 10
    assert trades[-1]["price"] == pytest.approx(ticker["last"], rel=0.01)


def test_refusals_become_ccxts_own_errors(exchange: ccxt.binance) -> None:
    exchange.load_markets()
    with pytest.raises(ccxt.BadSymbol):
        exchange.public_get_klines({"symbol": "NOPE", "interval": "1m"})
    with pytest.raises(ccxt.BadRequest):
        exchange.public_get_klines({"symbol": "BTCUSDT", "interval": "7m"})
    with pytest.raises(ccxt.BadRequest):
        exchange.public_get_klines({"interval": "1m"})


def test_an_order_is_refused_for_good_and_counted(paper: Paper) -> None:
    exchange = ccxt.binance(ccxt_config(paper.url) | {"apiKey": "made-up", "secret": "made-up"})
    exchange.set_markets(ccxt.binance(ccxt_config(paper.url)).load_markets())
    with pytest.raises(ccxt.AuthenticationError):
        exchange.create_order("BTC/USDT", "market", "buy", 0.01)
    assert httpx.get(f"{paper.url}/health").json()["refused"] == {"POST /api/v3/order": 1}


async def test_asynchronous_ccxt_reads_the_same(
    async_exchange: ccxt.async_support.binance, exchange: ccxt.binance
) -> None:
    markets = await async_exchange.load_markets()
    assert set(markets) == {"BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"}
    since = await async_exchange.fetch_time() // MINUTE * MINUTE - 1_500 * MINUTE
    rows = await async_exchange.fetch_ohlcv("BTC/USDT", "1m", since=since, limit=1000)
    assert rows == exchange.fetch_ohlcv("BTC/USDT", "1m", since=since, limit=1000)
    paged = await async_exchange.fetch_ohlcv(
        "BTC/USDT", "1m", since=since, limit=1_400, params={"paginate": True}
    )
    assert [row[0] for row in paged] == list(range(since, since + 1_400 * MINUTE, MINUTE))
    book = await async_exchange.fetch_order_book("ETH/USDT")
    assert len(book["bids"]) == 100
    assert (await async_exchange.fetch_ticker("ETH/USDT"))["last"] > 0
