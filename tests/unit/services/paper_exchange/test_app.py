from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from structlog.testing import capture_logs

from quantbus_contracts.testing import FrozenClock
from quantbus_services.paper_exchange.app import create_app
from quantbus_services.paper_exchange.generator.synthetic import SyntheticSource, synthetic_listing
from quantbus_services.paper_exchange.market import Market
from tests.unit.services.paper_exchange.recordings import MINUTE, START, market_of, recording, venue_of

COUNT = 2_000
NOW = datetime.fromtimestamp(START / 1000, tz=UTC) + timedelta(minutes=1_500, seconds=20)
NOW_MS = START + 1_500 * MINUTE + 20_000


def client_of(market: Market, clock: FrozenClock) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(venue_of(market, clock)))
    return httpx.AsyncClient(transport=transport, base_url="http://paper")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
async def recorded(clock: FrozenClock) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(market_of(recording(COUNT)), clock) as client:
        yield client


@pytest.fixture
async def synthetic(clock: FrozenClock) -> AsyncIterator[httpx.AsyncClient]:
    listings = [synthetic_listing("BTC", "USDT"), synthetic_listing("ETH", "USDT")]
    source = SyntheticSource(listings, seed=1, now_ms=NOW_MS, history=timedelta(days=3))
    async with client_of(Market(source), clock) as client:
        yield client


PATHS = [
    "/health",
    "/api/v3/ping",
    "/api/v3/exchangeInfo",
    "/api/v3/klines?symbol=BTCUSDT&interval=1m",
    "/api/v3/klines?symbol=NOPE&interval=1m",
    "/api/v3/depth?symbol=BTCUSDT",
    "/nowhere",
]


@pytest.mark.parametrize("path", PATHS)
async def test_made_up_data_says_so_in_every_answer(synthetic: httpx.AsyncClient, path: str) -> None:
    assert (await synthetic.get(path)).headers["X-Quantbus-Data"] == "SYNTHETIC"


@pytest.mark.parametrize("path", PATHS)
async def test_recorded_data_says_so_in_every_answer(recorded: httpx.AsyncClient, path: str) -> None:
    assert (await recorded.get(path)).headers["X-Quantbus-Data"] == "recorded"


async def test_health_of_made_up_data_is_marked_and_endless(synthetic: httpx.AsyncClient) -> None:
    health = (await synthetic.get("/health")).json()
    assert (health["status"], health["data"], health["shift_seconds"]) == ("ok", "SYNTHETIC", 0)
    assert health["symbols"]["BTC/USDT"] == {
        "last_closed_bar": "2025-03-02T00:59:00.000+00:00",
        "data_ends": None,
        "is_over": False,
    }


async def test_time_is_the_clocks(recorded: httpx.AsyncClient) -> None:
    assert (await recorded.get("/api/v3/time")).json() == {"serverTime": NOW_MS}


async def test_market_list_carries_the_filters_that_clients_read(recorded: httpx.AsyncClient) -> None:
    info = (await recorded.get("/api/v3/exchangeInfo")).json()
    (market,) = info["symbols"]
    filters = {item["filterType"]: item for item in market["filters"]}
    assert (market["symbol"], market["status"], market["baseAsset"]) == ("BTCUSDT", "TRADING", "BTC")
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00100000"
    assert float(filters["NOTIONAL"]["minNotional"]) == 5
    one = (await recorded.get("/api/v3/exchangeInfo?symbol=BTCUSDT")).json()
    assert one["symbols"] == info["symbols"]


@pytest.mark.parametrize("path", ["/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"])
async def test_derivatives_exchanges_are_there_and_list_nothing(
    recorded: httpx.AsyncClient, path: str
) -> None:
    answer = await recorded.get(path)
    assert answer.status_code == 200
    assert answer.json()["symbols"] == []


async def test_book_and_tickers_agree_with_the_bar_in_progress(recorded: httpx.AsyncClient) -> None:
    row = (await recorded.get("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1")).json()[0]
    price = (await recorded.get("/api/v3/ticker/price?symbol=BTCUSDT")).json()
    best = (await recorded.get("/api/v3/ticker/bookTicker?symbol=BTCUSDT")).json()
    book = (await recorded.get("/api/v3/depth?symbol=BTCUSDT&limit=5")).json()
    assert price == {"symbol": "BTCUSDT", "price": row[4]}
    assert [best["bidPrice"], best["askPrice"]] == [book["bids"][0][0], book["asks"][0][0]]
    assert float(best["bidPrice"]) < float(price["price"]) < float(best["askPrice"])
    assert len(book["bids"]) == len(book["asks"]) == 5


async def test_day_statistics_are_those_of_the_last_day(recorded: httpx.AsyncClient) -> None:
    ticker = (await recorded.get("/api/v3/ticker/24hr?symbol=BTCUSDT")).json()
    last_day = recording(COUNT).between(NOW_MS - 86_400_000, NOW_MS)
    assert float(ticker["openPrice"]) == last_day.bar(0).open
    assert float(ticker["highPrice"]) == pytest.approx(last_day.rows(0, len(last_day) - 1).high.max())
    assert float(ticker["priceChange"]) == pytest.approx(
        float(ticker["lastPrice"]) - float(ticker["openPrice"])
    )
    assert ticker["closeTime"] - ticker["openTime"] == 86_400_000
    mini = (await recorded.get("/api/v3/ticker/24hr?symbol=BTCUSDT&type=MINI")).json()
    assert "bidPrice" not in mini
    assert mini["lastPrice"] == ticker["lastPrice"]


async def test_one_symbol_is_answered_by_an_object_and_several_by_a_list(
    synthetic: httpx.AsyncClient,
) -> None:
    for name in ("24hr", "price", "bookTicker"):
        every = (await synthetic.get(f"/api/v3/ticker/{name}")).json()
        some = (await synthetic.get(f"/api/v3/ticker/{name}", params={"symbols": '["ETHUSDT"]'})).json()
        one = (await synthetic.get(f"/api/v3/ticker/{name}?symbol=ETHUSDT")).json()
        assert [row["symbol"] for row in every] == ["BTCUSDT", "ETHUSDT"]
        assert some == [one]


async def test_newest_trades_end_now_and_page_on_by_number(recorded: httpx.AsyncClient) -> None:
    newest = (await recorded.get("/api/v3/trades?symbol=BTCUSDT&limit=50")).json()
    aggregated = (await recorded.get("/api/v3/aggTrades?symbol=BTCUSDT&limit=50")).json()
    assert [row["id"] for row in newest] == [row["a"] for row in aggregated]
    assert newest[-1]["time"] <= NOW_MS < newest[-1]["time"] + 61_000
    number = aggregated[10]["a"]
    page = (await recorded.get(f"/api/v3/aggTrades?symbol=BTCUSDT&fromId={number}&limit=5")).json()
    assert page == aggregated[10:15]
    start = aggregated[10]["T"]
    by_time = (await recorded.get(f"/api/v3/aggTrades?symbol=BTCUSDT&startTime={start}&limit=5")).json()
    assert by_time == page


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v3/klines?symbol=NOPE&interval=1m", 400, -1121),
        ("/api/v3/klines?symbol=BTCUSDT", 400, -1102),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1s", 400, -1120),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=x", 400, -1100),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&since=5", 400, -1104),
        ("/api/v3/depth", 400, -1102),
        ("/api/v3/ticker/24hr?symbol=BTCUSDT&type=HUGE", 400, -1130),
        ("/api/v3/account", 404, -5000),
        (f"/api/v3/ticker/price?symbols={'[' * 5_000}", 400, -1100),
    ],
)
async def test_wrong_requests_are_refused_in_binances_words(
    recorded: httpx.AsyncClient, path: str, status: int, code: int
) -> None:
    answer = await recorded.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "msg"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_orders_are_refused_and_counted(recorded: httpx.AsyncClient, method: str) -> None:
    await recorded.get("/api/v3/ping")
    answer = await recorded.request(method, "/api/v3/order", params={"symbol": "BTCUSDT"})
    assert (answer.status_code, answer.json()["code"]) == (405, -1002)
    health = (await recorded.get("/health")).json()
    assert health["refused"] == {f"{method} /api/v3/order": 1}
    assert health["requests"] == {"GET /api/v3/ping": 1, "GET /health": 1}


async def test_counters_do_not_grow_without_bound(recorded: httpx.AsyncClient) -> None:
    for number in range(230):
        await recorded.get(f"/nonsense/{number}")
    requests = (await recorded.get("/health")).json()["requests"]
    assert len(requests) <= 201
    assert requests["GET (other)"] >= 30


async def test_the_end_of_the_data_is_told_plainly(recorded: httpx.AsyncClient, clock: FrozenClock) -> None:
    clock.set(NOW + timedelta(minutes=600))
    with capture_logs() as log:
        health = (await recorded.get("/health")).json()
        await recorded.get("/health")
    assert [(entry["event"], entry["symbol"]) for entry in log] == [("market_halted", "BTC/USDT")]
    assert health["status"] == "exhausted"
    assert health["symbols"]["BTC/USDT"]["is_over"] is True
    assert health["symbols"]["BTC/USDT"]["data_ends"] == "2025-03-02T09:20:00.000+00:00"
    assert (await recorded.get("/api/v3/exchangeInfo")).json()["symbols"][0]["status"] == "BREAK"
    assert (await recorded.get("/api/v3/depth?symbol=BTCUSDT")).json()["bids"] == []
    last = (await recorded.get("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1")).json()[0]
    assert last[0] == START + (COUNT - 1) * MINUTE
    assert (await recorded.get("/api/v3/ticker/price?symbol=BTCUSDT")).json()["price"] == last[4]
