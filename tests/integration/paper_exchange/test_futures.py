"""USD-M futures by unmodified ccxt: ``binanceusdm``, and ``binance`` told to trade swaps."""

import math
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import ccxt
import httpx
import pytest

from quantbus_services.paper_exchange import PaperExchange

pytestmark = pytest.mark.integration
MINUTE, HOUR = 60_000, 3_600_000
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


@pytest.fixture(scope="module")
def paper() -> Iterator[PaperExchange]:
    with PaperExchange(symbols="BTC/USDT,ETH/USDT", seed=3, history=timedelta(days=20)) as running:
        yield running


@pytest.fixture(scope="module", params=["binanceusdm", "binance, defaultType swap"])
def exchange(paper: PaperExchange, request: pytest.FixtureRequest) -> ccxt.binance:
    hurried: dict[str, Any] = {"enableRateLimit": False}
    if request.param == "binanceusdm":
        return ccxt.binanceusdm(paper.ccxt_config(**hurried))
    return ccxt.binance(paper.ccxt_config(options={"defaultType": "swap"}, **hurried))


def test_markets_are_perpetuals_with_their_steps(exchange: ccxt.binance) -> None:
    market = exchange.load_markets()[BTC]
    assert (market["swap"], market["linear"], market["settle"], market["active"]) == (
        True,
        True,
        "USDT",
        True,
    )
    assert market["contractSize"] == 1
    assert market["precision"]["price"] == 0.01
    assert market["precision"]["amount"] == 0.001
    assert market["limits"]["cost"]["min"] == 5


def test_paging_over_two_thousand_bars_meets_each_once(exchange: ccxt.binance) -> None:
    since = exchange.fetch_time() // MINUTE * MINUTE - 2_100 * MINUTE
    rows: list[list[float]] = []
    while page := exchange.fetch_ohlcv(BTC, "1m", since=since, limit=1000):
        rows += page
        since = page[-1][0] + 1
    assert [row[0] for row in rows] == list(range(int(rows[0][0]), int(rows[-1][0]) + 1, MINUTE))
    assert len(rows) >= 2_100


def test_an_hour_is_made_of_its_minutes(exchange: ccxt.binance) -> None:
    hour = exchange.fetch_ohlcv(ETH, "1h", limit=3)[0]
    minutes = exchange.fetch_ohlcv(ETH, "1m", since=hour[0], limit=60)
    assert hour[1] == minutes[0][1]
    assert hour[2] == max(row[2] for row in minutes)
    assert hour[3] == min(row[3] for row in minutes)
    assert hour[4] == minutes[-1][4]
    assert hour[5] == pytest.approx(sum(row[5] for row in minutes))


def test_contract_mark_and_index_stay_together(exchange: ccxt.binance) -> None:
    contract = exchange.fetch_ohlcv(BTC, "5m", limit=50)[:-1]
    mark = exchange.fetch_mark_ohlcv(BTC, "5m", since=int(contract[0][0]), limit=49)
    index = exchange.fetch_index_ohlcv(BTC, "5m", since=int(contract[0][0]), limit=49)
    premium = exchange.fetch_premium_index_ohlcv(BTC, "5m", since=int(contract[0][0]), limit=49)
    assert [row[0] for row in contract] == [row[0] for row in mark] == [row[0] for row in index]
    for row, fair, under, above in zip(contract, mark, index, premium, strict=True):
        assert row[4] == pytest.approx(fair[4], rel=0.001)
        assert fair[4] / under[4] - 1 == pytest.approx(above[4], abs=2e-8)
    assert all(row[5] > 0 for row in contract)
    assert not any(row[5] for row in mark)


def test_funding_is_told_with_mark_and_index_and_has_a_history(exchange: ccxt.binance) -> None:
    now = exchange.fetch_time()
    rate = exchange.fetch_funding_rate(BTC)
    assert now < rate["fundingTimestamp"] <= now + 8 * HOUR
    assert rate["markPrice"] == pytest.approx(rate["indexPrice"], rel=0.003)
    assert set(exchange.fetch_funding_rates()) == {BTC, ETH}
    history = exchange.fetch_funding_rate_history(BTC, since=now - 15 * 24 * HOUR, limit=100)
    moments = [row["timestamp"] for row in history]
    assert moments == list(range(moments[0], moments[-1] + 1, 8 * HOUR))
    assert len(moments) == 45
    newest = exchange.fetch_funding_rate_history(BTC, limit=3)
    assert newest == history[-3:]
    assert all(abs(row["fundingRate"]) <= 0.02 for row in history)


def test_open_interest_now_agrees_with_its_history(exchange: ccxt.binance) -> None:
    now = exchange.fetch_open_interest(BTC)
    history = exchange.fetch_open_interest_history(BTC, "5m", limit=12)
    assert len(history) == 12
    assert {two["timestamp"] - one["timestamp"] for one, two in pairwise(history)} == {5 * MINUTE}
    assert now["openInterestAmount"] == pytest.approx(history[-1]["openInterestAmount"], rel=0.02)
    price = history[-1]["openInterestValue"] / history[-1]["openInterestAmount"]
    assert price == pytest.approx(exchange.fetch_mark_ohlcv(BTC, "1m", limit=1)[0][4], rel=0.01)


def test_tickers_book_and_trades_agree(exchange: ccxt.binance) -> None:
    ticker, book = exchange.fetch_ticker(BTC), exchange.fetch_order_book(BTC, 20)
    best, trades = exchange.fetch_bids_asks([BTC])[BTC], exchange.fetch_trades(BTC, limit=10)
    assert set(exchange.fetch_tickers()) == {BTC, ETH}
    assert set(exchange.fetch_last_prices()) == {BTC, ETH}
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert best["bid"] < best["ask"]
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert len(trades) == 10
    for price in (best["bid"], trades[-1]["price"], book["asks"][0][0]):
        assert price == pytest.approx(ticker["last"], rel=0.005)


def test_spot_and_swap_of_one_name_are_two_markets(paper: PaperExchange) -> None:
    exchange = ccxt.binance(paper.ccxt_config(enableRateLimit=False))
    spot, swap = (exchange.fetch_ohlcv(symbol, "1h", limit=5)[:-1] for symbol in ("BTC/USDT", BTC))
    assert [row[0] for row in spot] == [row[0] for row in swap]
    assert [row[4] for row in spot] != [row[4] for row in swap]
    assert all(math.isclose(one[4], two[4], rel_tol=0.004) for one, two in zip(spot, swap, strict=True))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/fapi/v1/klines?symbol=NOPE&interval=1m", -1121),
        ("/fapi/v1/klines?symbol=BTCUSDT", -1102),
        ("/fapi/v1/indexPriceKlines?interval=1m", -1102),
        ("/futures/data/openInterestHist?symbol=BTCUSDT", -1102),
        ("/futures/data/openInterestHist?symbol=BTCUSDT&period=1m", -1130),
        ("/futures/data/openInterestHist?symbol=BTCUSDT&period=5m&startTime=1", -1130),
        ("/fapi/v1/fundingRate?symbol=BTCUSDT&since=1", -1104),
    ],
)
def test_wrong_requests_are_refused_in_binances_words(paper: PaperExchange, path: str, code: int) -> None:
    answer = httpx.get(paper.url + path)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_funding_of_all_markets_pages_on_without_a_gap(paper: PaperExchange) -> None:
    start = httpx.get(f"{paper.url}/fapi/v1/time").json()["serverTime"] - 10 * 24 * HOUR
    rows: list[dict[str, Any]] = []
    while page := httpx.get(f"{paper.url}/fapi/v1/fundingRate?startTime={start}&limit=8").json():
        rows += page
        start = page[-1]["fundingTime"] + 1
    assert len(rows) == len({(row["symbol"], row["fundingTime"]) for row in rows}) == 60
    newest = httpx.get(f"{paper.url}/fapi/v1/fundingRate?limit=8").json()
    assert newest == rows[-8:]
