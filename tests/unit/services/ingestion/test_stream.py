import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import ccxt.async_support as ccxt
import pytest

from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.venue import stream as stream_module
from quantbus_services.ingestion.venue.gate import Gate, Held
from quantbus_services.ingestion.venue.pauses import Pause
from quantbus_services.ingestion.venue.stream import CcxtStream, opened_bars, stream_urls
from tests.unit.services.ingestion.fakes import BTC, ETH, MINUTE, NOON

PERPETUAL = Instrument.from_pair("BINANCE", "BTC/USDT:USDT")
NOON_MS = int(NOON.timestamp() * 1000)


def row(minute: int) -> list[float]:
    return [NOON_MS + 60_000 * minute, 1.0, 2.0, 0.5, 1.5, 3.0]


class Pro:
    """What `CcxtStream` uses of an exchange of ccxt.pro; each answer is given once, then it waits for ever."""

    def __init__(self, answers: list[object], **has: bool) -> None:
        self.answers = answers
        self.has = {"watchOHLCVForSymbols": True, "watchOHLCV": True} | has
        self.urls: dict[str, Any] = {"api": {"ws": {"spot": "wss://stream.binance.com/ws"}}}
        self.asked: list[list[list[str]]] = []
        self.markets: dict[str, Any] = {}
        self.closed = False

    def set_markets(self, markets: dict[str, Any]) -> None:
        self.markets = markets

    async def watch_ohlcv_for_symbols(self, wanted: list[list[str]]) -> object:
        self.asked.append(wanted)
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch_ohlcv(self, pair: str, timeframe: str) -> object:
        found = await self.watch_ohlcv_for_symbols([[pair, timeframe]])
        return found[pair][timeframe]  # type: ignore[index]

    async def fetch(self, url: str, *_: object) -> str:
        return url

    def on_rest_response(self, *answer: object) -> object:
        return answer[5]

    async def close(self) -> None:
        self.closed = True


async def heard(
    monkeypatch: pytest.MonkeyPatch,
    exchange: Pro,
    series: list[Series],
    steps: int = 60,
    gate: Gate | None = None,
) -> tuple[list[tuple[Series, datetime]], list[str], list[float]]:
    async def imported(name: str) -> object:
        return SimpleNamespace(exchanges=["binance"], binance=lambda _options: exchange)

    monkeypatch.setattr(stream_module, "_imported", imported)
    told: list[tuple[Series, datetime]] = []
    errors: list[str] = []
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    listening = CcxtStream(
        "binance",
        series,
        lambda: {"BTC/USDT": {}},
        url=None,
        random=lambda: 1.0,
        on_error=errors.append,
        gate=gate or Gate(),
        sleep=sleep,
    )
    task = asyncio.ensure_future(listening.run(lambda item, moment: told.append((item, moment))))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert exchange.closed
    return told, errors, pauses


async def test_every_bar_that_opens_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Pro(
        [
            {"BTC/USDT": {"1m": [row(0)]}},
            {"BTC/USDT": {"1m": [row(0)]}},
            {"BTC/USDT": {"1m": [row(0), row(1)]}},
        ]
    )

    told, errors, _ = await heard(monkeypatch, exchange, [Series(BTC, MINUTE)])

    assert [moment.minute for _, moment in told] == [0, 1]
    assert errors == []
    assert exchange.markets == {"BTC/USDT": {}}


async def test_a_broken_stream_is_begun_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Pro(
        [
            ccxt.NetworkError("gone"),
            ccxt.NetworkError("gone"),
            "garbage",
            {"BTC/USDT": {"1m": [row(0)]}},
            ccxt.NetworkError("x"),
        ]
    )

    told, errors, pauses = await heard(monkeypatch, exchange, [Series(BTC, MINUTE)])

    assert len(told) == 1
    assert errors == ["NetworkError", "NetworkError", "ValueError", "NetworkError"]
    assert pauses == [1.0, 2.0, 4.0, 1.0]


async def test_nothing_connects_while_the_venue_wants_to_be_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    gate = Gate(lambda: now)
    gate.close(Pause("banned", 120.0))
    exchange = Pro([{"BTC/USDT": {"1m": [row(0)]}}])

    told, errors, pauses = await heard(monkeypatch, exchange, [Series(BTC, MINUTE)], gate=gate)
    assert (exchange.asked, told, errors) == ([], [], [])
    assert pauses
    assert all(0 < pause <= 121 for pause in pauses)

    with pytest.raises(Held):  # what the stream asks by a request, such as a token, passes the same gate
        await exchange.fetch("https://api.binance.com/token")

    now, exchange.closed = 121.0, False
    told, _, _ = await heard(monkeypatch, exchange, [Series(BTC, MINUTE)], gate=gate)
    assert told == [(Series(BTC, MINUTE), NOON)]


async def test_spot_and_futures_are_subscribed_apart_and_not_too_many_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coins = [Instrument.from_pair("BINANCE", f"COIN{number}/USDT") for number in range(150)]
    exchange = Pro([])

    await heard(monkeypatch, exchange, [*(Series(coin, MINUTE) for coin in coins), Series(PERPETUAL, MINUTE)])

    assert sorted(len(wanted) for wanted in exchange.asked) == [1, 50, 100]


async def test_a_venue_that_streams_single_markets_is_heard_too(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Pro([{"BTC/USDT": {"1m": [row(0)]}}], watchOHLCVForSymbols=False)

    told, errors, _ = await heard(monkeypatch, exchange, [Series(BTC, MINUTE)])

    assert (len(told), errors) == (1, [])


def test_only_what_was_asked_for_is_taken_from_an_update() -> None:
    wanted = {("BTC/USDT", "1m"): Series(BTC, MINUTE)}
    update = {"BTC/USDT": {"1m": [row(3), row(2)], "5m": [row(5)]}, ETH.pair: {"1m": [row(9)]}}

    assert list(opened_bars(update, wanted)) == [
        (Series(BTC, MINUTE), datetime(2026, 1, 5, 12, 3, tzinfo=UTC))
    ]
    assert Timeframe.parse("1m") == MINUTE
    with pytest.raises(ValueError, match="expected candles by pair"):
        opened_bars([], wanted)


def test_streams_are_moved_with_the_requests() -> None:
    addresses = {
        "spot": "wss://stream.binance.com:9443/ws",
        "linear": "wss://fstream.binance.com/ws",
        "ws-api": {"spot": "wss://ws-api.binance.com:443/ws-api/v3"},
    }

    assert stream_urls(addresses, "http://127.0.0.1:8711/") == {
        "spot": "ws://127.0.0.1:8711/stream",
        "linear": "ws://127.0.0.1:8711/fapi/ws",
        "ws-api": {"spot": "ws://127.0.0.1:8711/ws-api/v3"},
    }
