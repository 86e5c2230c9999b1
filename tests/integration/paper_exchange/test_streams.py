"""The kline streams: unmodified ccxt.pro, plain websockets, and clients that misbehave."""

import asyncio
import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import ccxt
import ccxt.pro
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from quantbus_services.paper_exchange import PaperExchange
from quantbus_services.paper_exchange.hub import Client, Stream

pytestmark = pytest.mark.integration
MINUTE = 60_000
SECONDS = 10


@pytest.fixture(scope="module")
def fast() -> Iterator[PaperExchange]:
    """An exchange on which a minute takes a second."""
    with PaperExchange(symbols="BTC/USDT,ETH/USDT", seed=11, speed=60, history=timedelta(days=2)) as paper:
        yield paper


def stream_url(paper: PaperExchange, path: str) -> str:
    return "ws" + paper.url.removeprefix("http") + path


async def told(connection: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(connection.recv(), SECONDS))


async def read_on(connection: ClientConnection, seconds: float) -> None:
    """Read whatever comes; raises `TimeoutError` once nothing has come for ``seconds``."""
    while True:
        await asyncio.wait_for(connection.recv(), seconds)


async def asked(paper: PaperExchange, path: str, **json: object) -> Any:
    """Return the JSON answer to a GET, or to a POST of ``json``."""
    async with httpx.AsyncClient(base_url=paper.url) as client:
        answer = await (client.post(path, json=json) if json else client.get(path))
    return answer.raise_for_status().json()


async def closed_bars(connection: ClientConnection, count: int) -> list[dict[str, Any]]:
    bars: list[dict[str, Any]] = []
    while len(bars) < count:
        event = await told(connection)
        if event["k"]["x"]:
            bars.append(event["k"])
    return bars


@pytest.mark.parametrize(
    ("kind", "symbol"), [(ccxt.pro.binance, "BTC/USDT"), (ccxt.pro.binanceusdm, "ETH/USDT:USDT")]
)
async def test_ccxt_pro_watches_bars_that_equal_those_by_rest(
    fast: PaperExchange, kind: type, symbol: str
) -> None:
    exchange = kind(fast.ccxt_config())
    watched: dict[int, list[float]] = {}
    try:
        async with asyncio.timeout(SECONDS):
            while len(watched) < 3:
                for row in await exchange.watch_ohlcv(symbol, "1m"):
                    watched[int(row[0])] = row
        first, *_, forming = sorted(watched)
        rows = await exchange.fetch_ohlcv(symbol, "1m", since=first, limit=5)
    finally:
        await exchange.close()
    assert sorted(watched) == list(range(first, forming + 1, MINUTE))
    served = {int(row[0]): row for row in rows}
    assert [watched[at] for at in sorted(watched)[:-1]] == [served[at] for at in sorted(watched)[:-1]]


async def test_ccxt_pro_watches_several_markets_on_one_connection(fast: PaperExchange) -> None:
    exchange = ccxt.pro.binance(fast.ccxt_config())
    wanted = [["BTC/USDT", "1m"], ["ETH/USDT", "1m"], ["ETH/USDT", "5m"]]
    seen: set[tuple[str, str]] = set()
    try:
        async with asyncio.timeout(SECONDS):
            while len(seen) < 3:
                for symbol, frames in (await exchange.watch_ohlcv_for_symbols(wanted)).items():
                    seen |= {(symbol, frame) for frame in frames}
    finally:
        await exchange.close()
    assert seen == {tuple(pair) for pair in wanted}


async def test_every_bar_is_told_once_as_closed_whatever_the_speed(fast: PaperExchange) -> None:
    async with connect(stream_url(fast, "/ws/btcusdt@kline_1m")) as connection:
        bars = await closed_bars(connection, 2)
    opens = [bar["t"] for bar in bars]
    assert opens == list(range(opens[0], opens[0] + 2 * MINUTE, MINUTE))
    rows = await asked(fast, f"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={opens[0]}&limit=2")
    assert [[bar[name] for name in "otTohlcvq"[1:]] for bar in bars] == [
        [row[0], row[6], row[1], row[2], row[3], row[4], row[5], row[7]] for row in rows
    ]


async def test_combined_streams_wrap_each_event_with_its_name(fast: PaperExchange) -> None:
    path = "/fapi/stream?streams=btcusdt@kline_1m/ethusdt@kline_3m"
    names = set()
    async with connect(stream_url(fast, path)) as connection:
        for _ in range(4):
            event = await told(connection)
            names.add(event["stream"])
            assert event["data"]["e"] == "kline"
    assert names == {"btcusdt@kline_1m", "ethusdt@kline_3m"}


async def test_frames_subscribe_list_and_leave(fast: PaperExchange) -> None:
    async with connect(stream_url(fast, "/ws")) as connection:

        async def ask(**frame: Any) -> Any:
            await connection.send(json.dumps(frame))
            while "id" not in (answer := await told(connection)) and "error" not in answer:
                pass
            return answer

        subscribed = await ask(method="SUBSCRIBE", params=["btcusdt@kline_1m"], id=1)
        assert subscribed == {"result": None, "id": 1}
        assert (await told(connection))["s"] == "BTCUSDT"
        assert (await ask(method="LIST_SUBSCRIPTIONS", id="x")) == {"result": ["btcusdt@kline_1m"], "id": "x"}
        assert (await ask(method="SET_PROPERTY", params=["combined", True], id=3))["result"] is None
        assert (await ask(method="GET_PROPERTY", params=["combined"], id=4))["result"] is True
        assert (await told(connection))["stream"] == "btcusdt@kline_1m"
        assert (await ask(method="UNSUBSCRIBE", params=["btcusdt@kline_1m"], id=5))["result"] is None
        assert (await ask(method="LIST_SUBSCRIPTIONS", id=6))["result"] == []
        refused = await ask(method="SUBSCRIBE", params=["btcusdt@depth"], id=7)
        assert refused["error"]["code"] == 2
        assert "btcusdt@depth" in refused["error"]["msg"]
        assert (await ask(method="DANCE", id=8))["error"]["code"] == 2
        await connection.send("{oops")
        assert (await told(connection))["error"]["code"] == 3
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.recv(), 0.6)


async def test_a_ping_is_answered_with_its_own_words(fast: PaperExchange) -> None:
    async with connect(stream_url(fast, "/ws"), ping_interval=None) as connection:
        assert await asyncio.wait_for(await connection.ping(b"still there?"), SECONDS) < SECONDS


async def test_an_address_with_an_unknown_stream_is_closed_with_the_reason(fast: PaperExchange) -> None:
    async with connect(stream_url(fast, "/ws/btcusdt@aggTrade")) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), SECONDS)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert "only kline streams" in closed.value.rcvd.reason


async def test_every_client_can_be_sent_away(fast: PaperExchange) -> None:
    async with connect(stream_url(fast, "/ws/btcusdt@kline_1m")) as connection:
        await told(connection)
        fast.venue.hub.drop_all("maintenance: back in an hour")
        with pytest.raises(ConnectionClosed) as closed:
            await read_on(connection, SECONDS)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "maintenance: back in an hour")


async def test_a_client_that_does_not_read_is_dropped_and_counted_while_others_go_on(
    fast: PaperExchange,
) -> None:
    streams = "/".join(
        f"{name}@kline_{frame}" for name in ("btcusdt", "ethusdt") for frame in fast.venue.spot.timeframes
    )
    hub = fast.venue.hub
    with _deaf_client(fast, f"/stream?streams={streams}") as deaf:
        async with connect(stream_url(fast, "/ws/ethusdt@kline_1m")) as reader:
            await told(reader)
            flood = "x" * 20_000
            (client,) = [one for one in tuple(hub._clients) if one.combined]
            loop = fast._loop
            for _ in range(2_000):
                loop.call_soon_threadsafe(client.offer, flood)
            async with asyncio.timeout(SECONDS):
                while not hub.dropped["slow client"]:
                    await told(reader)
            await told(reader)
        assert deaf.fileno() >= 0
    health = await asked(fast, "/health")
    assert health["streams"]["dropped"]["slow client"] == 1


def _deaf_client(paper: PaperExchange, path: str) -> socket.socket:
    """Return a connection that opened a stream and reads no more; its buffer is small."""
    address = urlsplit(paper.url)
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    deaf.connect((address.hostname, address.port))
    deaf.sendall(
        f"GET {path} HTTP/1.1\r\nHost: paper\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert b"101" in deaf.recv(64)
    return deaf


def test_a_queue_is_bounded_and_its_overflow_ends_the_client() -> None:
    client = Client("spot", combined=False, most_waiting=3)
    client.streams = {"btcusdt@kline_1m": Stream("spot", "BTCUSDT", "1m")}
    for number in range(5):
        client.offer(str(number))
    assert client.closing == (1008, "slow client: 3 messages were waiting to be read")


async def test_streams_tell_of_a_market_from_its_listing_to_its_removal() -> None:
    with PaperExchange(symbols="BTC/USDT", speed=60, history=timedelta(days=1)) as paper:
        async with connect(stream_url(paper, "/ws/solusdt@kline_1m")) as connection:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.recv(), 0.6)
            await asked(paper, "/paper/events", kind="list", pair="SOL/USDT")
            (bar,) = await closed_bars(connection, 1)
            exchange = ccxt.binance(paper.ccxt_config())
            (first, *_) = exchange.fetch_ohlcv("SOL/USDT", "1m", since=0)
            assert first[0] == bar["t"]
            await asked(paper, "/paper/events", kind="remove", pair="SOL/USDT")
            with pytest.raises(TimeoutError):
                await read_on(connection, 1.5)


async def test_an_exchange_that_stops_sends_its_listeners_away() -> None:
    with PaperExchange(symbols="BTC/USDT", history=timedelta(days=1)) as paper:
        connection = await connect(stream_url(paper, "/ws/btcusdt@kline_1m"))
        await told(connection)
        leaving = asyncio.get_running_loop().run_in_executor(None, paper.__exit__, None, None, None)
        with pytest.raises(ConnectionClosed):
            await read_on(connection, SECONDS)
        await asyncio.wait_for(leaving, 5)
    assert paper.venue.hub.clients == 0
