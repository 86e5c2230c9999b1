"""Unmodified ccxt against scripted and recorded answers."""

import gzip
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.errors import VenueRefused, VenueUnavailable
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.venue.ccxt_source import CcxtSource, open_source
from quantbus_services.ingestion.venue.gate import Gate
from quantbus_services.ingestion.venue.normalise import to_candles
from tests.fixtures.recorded_markets import recorded_instruments
from tests.integration.ingestion.scripted import Answer, Scripted, json_answer, scripted_exchange

pytestmark = pytest.mark.integration

KLINES, MARKETS = "/api/v3/klines", "/api/v3/exchangeInfo"
BTC = Instrument.from_pair("BINANCE", "BTC/USDT")
MINUTE = Timeframe.parse("1m")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HTML = "<!DOCTYPE HTML><HTML><BODY><H1>403 ERROR</H1>Request blocked.</BODY></HTML>"


@pytest.fixture
def exchange() -> Iterator[Scripted]:
    with scripted_exchange() as script:
        yield script


@pytest.fixture
async def source(exchange: Scripted) -> AsyncIterator[CcxtSource]:
    hours = count(step=3600.0)  # between any two requests, so that no pause of one case holds up the next
    opened = open_source(
        "binance",
        url=exchange.url,
        timeout_seconds=1.0,
        with_derivatives=False,
        gate=Gate(now=lambda: next(hours)),
    )
    yield opened
    await opened.close()


def kline(open_time: datetime, price: str = "100.5") -> list[object]:
    milliseconds = int(open_time.timestamp() * 1000)
    return [milliseconds, price, "101", "100", "100.7", "3.25", milliseconds + 59_999, "1", 1, "1", "1", "0"]


async def test_only_the_spot_market_list_is_asked_for_and_becomes_instruments(
    exchange: Scripted, source: CcxtSource
) -> None:
    catalogue = await source.instruments()

    assert list(catalogue) == [BTC]
    assert exchange.requests == [MARKETS]


async def test_candles_come_as_rows_that_normalise(exchange: Scripted, source: CcxtSource) -> None:
    exchange.answers[KLINES] = [json_answer([kline(NOON), kline(NOON + MINUTE.delta)])]
    await source.instruments()

    rows = await source.fetch(BTC, MINUTE, NOON, 2)

    found = to_candles(rows, BTC, MINUTE, now=NOON + timedelta(minutes=1, seconds=30), source=source.source)
    assert [(bar.open_time, bar.open, bar.volume) for bar in found.candles] == [(NOON, 100.5, 3.25)]
    assert found.forming == 1
    assert "startTime=1767614400000" in exchange.requests[-1]


@pytest.mark.parametrize(
    ("answer", "kind", "pause"),
    [
        (
            Answer('{"code":-1003,"msg":"Too much request weight used"}', 429, {"Retry-After": "7"}),
            "rate_limited",
            7.0,
        ),
        (Answer('{"code":-1003,"msg":"Too much request weight used"}', 429), "rate_limited", None),
        (Answer('{"code":-1003,"msg":"IP banned until 1660090423228."}', 418), "banned", 120.0),
        (Answer("banned", 418, {"Retry-After": "300"}), "banned", 300.0),
        (Answer(HTML, 403), "unavailable", 10.0),
        (Answer('{"code":-1021,"msg":"Timestamp for this request is outside"}', 400), "clock", None),
        (
            Answer('{"code":0,"msg":"Service unavailable from a restricted location"}', 451),
            "unavailable",
            None,
        ),
        (Answer("bad gateway", 502), "unavailable", None),
        (Answer("", 503), "unavailable", None),
        (Answer("", 504), "timeout", None),
        (Answer(HTML, 200), "garbage", None),
        (Answer("", 200), "garbage", None),
        (Answer(json.dumps([kline(NOON)])[:-20], 200), "garbage", None),
        (Answer(json.dumps([kline(NOON)] * 50), 200, cut=True), "network", None),
        (Answer("[]", seconds=2.0), "timeout", None),
    ],
    ids=lambda value: f"{value.status} {value.body[:12]!r}" if isinstance(value, Answer) else str(value),
)
async def test_whatever_goes_wrong_is_unavailability_of_a_kind(
    exchange: Scripted, source: CcxtSource, answer: Answer, kind: str, pause: float | None
) -> None:
    await source.instruments()
    exchange.answers[KLINES] = [answer]

    with pytest.raises(VenueUnavailable) as caught:
        await source.fetch(BTC, MINUTE, NOON, 5)

    assert caught.value.kind == kind
    assert caught.value.retry_after_seconds == pause


async def test_a_symbol_that_the_venue_refuses_is_refused(exchange: Scripted, source: CcxtSource) -> None:
    await source.instruments()
    exchange.answers[KLINES] = [Answer('{"code":-1121,"msg":"Invalid symbol."}', 400)]

    with pytest.raises(VenueRefused) as caught:
        await source.fetch(BTC, MINUTE, NOON, 5)

    assert caught.value.kind == "bad_symbol"


@pytest.mark.parametrize("answer", [Answer(HTML, 200), Answer("{}"), Answer('{"symbols":[]}')], ids=repr)
async def test_a_market_list_that_is_none_is_no_answer(
    exchange: Scripted, source: CcxtSource, answer: Answer
) -> None:
    exchange.answers[MARKETS] = [answer]

    with pytest.raises(VenueUnavailable):
        await source.instruments()


async def test_the_venues_clock_is_compared_with_ours(exchange: Scripted, source: CcxtSource) -> None:
    ahead = SystemClock().now() + timedelta(seconds=90)
    exchange.answers["/api/v3/time"] = [json_answer({"serverTime": int(ahead.timestamp() * 1000)})]

    offset = await source.clock_offset(SystemClock())

    assert timedelta(seconds=85) < offset < timedelta(seconds=91)


def recorded(path: Path) -> Any:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


async def test_binances_recorded_market_list_gives_every_spot_market(
    exchange: Scripted, source: CcxtSource, shared_data: Path
) -> None:
    [answer] = recorded(shared_data / "rest/cryptofeed_BINANCE_markets.json.gz")
    exchange.answers[MARKETS] = [Answer(answer["body"], headers={"Content-Type": "application/json"})]

    catalogue = await source.instruments()

    renamed = source._exchange.commonCurrencies  # ccxt gives some coins another code
    expected = {
        Instrument(item.venue, "spot", renamed.get(item.base, item.base), renamed.get(item.quote, item.quote))
        for item in recorded_instruments(shared_data)["BINANCE"]
    }
    assert len(expected) > 1000
    assert set(catalogue) == expected
    assert all(catalogue.resolve(f"BINANCE:{item.pair}") == item for item in catalogue)


async def test_errors_that_users_quoted_are_told_apart(
    exchange: Scripted, source: CcxtSource, shared_data: Path
) -> None:
    await source.instruments()
    quoted = json.loads((shared_data / "rest/errors_quoted_in_issues.json").read_text(encoding="utf-8"))
    kinds = []
    for entry in quoted:
        if entry["exchange"] == "binance" and "http_status" in entry:
            body = entry.get("body") or json.dumps({"code": entry.get("code", -1003), "msg": entry["msg"]})
            exchange.answers[KLINES] = [Answer(body, entry["http_status"])]
            with pytest.raises(VenueUnavailable) as caught:
                await source.fetch(BTC, MINUTE, NOON, 5)
            kinds.append((entry["http_status"], caught.value.kind))

    assert kinds == [
        (418, "banned"),
        (418, "banned"),
        (429, "rate_limited"),
        (451, "unavailable"),
        (403, "unavailable"),
    ]


def answering(source: CcxtSource, answers: dict[str, object]) -> CcxtSource:
    """Let ccxt fetch recorded answers, by a part of the address; an empty list for every other."""
    empty: object = {"error": [], "code": "0", "retCode": 0, "data": [], "result": {}}

    async def fetch(url: str, *_: object, **__: object) -> object:
        return next((answer for part, answer in answers.items() if part in url), empty)

    source._exchange.fetch = fetch
    return source


def recorded_answers(shared_data: Path, venue: str) -> dict[str, object]:
    if venue == "bybit":
        rows = list(recorded(shared_data / "rest/bybit_v5_instruments_linear_2025-09-10.json.gz").values())
        return {"category=linear&limit=1000": {"retCode": 0, "result": {"category": "linear", "list": rows}}}
    answers = recorded(shared_data / f"rest/cryptofeed_{venue.upper()}_markets.json.gz")
    parts = {answer["url"].split("/")[-1]: json.loads(answer["body"]) for answer in answers}
    return {part: body for part, body in parts.items() if "OPTION" not in part}


@pytest.mark.parametrize(
    ("venue", "symbols"),
    [
        ("kraken", {"BTC/USD": "KRAKEN:BTCUSD", "ETH/BTC": "KRAKEN:ETHBTC"}),
        (
            "okx",
            {
                "BTC/USDT": "OKX:BTCUSDT",
                "BTC/USDT:USDT": "OKX:BTCUSDT.P",
                "BTC/USD:BTC": "OKX:BTCUSD.P:BTC",
                "BTC/USD:BTC-220520": "OKX:BTCUSD-220520:BTC",
            },
        ),
        ("bybit", {"BTC/USDT:USDT": "BYBIT:BTCUSDT.P"}),
    ],
)
async def test_recorded_market_lists_of_other_venues_become_instruments(
    shared_data: Path, venue: str, symbols: dict[str, str]
) -> None:
    source = answering(open_source(venue), recorded_answers(shared_data, venue))

    catalogue = await source.instruments()
    await source.close()

    assert len(catalogue) > 250
    assert {pair: catalogue.resolve(f"{source.venue}:{pair}").symbol for pair in symbols} == symbols
    assert all(catalogue.resolve(item.symbol) == item for item in catalogue)


async def test_a_recorded_answer_of_okx_becomes_candles(shared_data: Path) -> None:
    payloads = recorded(shared_data / "rest/nautilus_okx.json.gz")
    answers = {"candles": payloads["http_get_candlesticks.json"], **recorded_answers(shared_data, "okx")}
    source = answering(open_source("okx"), answers)
    catalogue = await source.instruments()
    instrument = catalogue.resolve("OKX:BTC/USDT")

    rows = await source.fetch(instrument, MINUTE, datetime(2021, 7, 1, tzinfo=UTC), 2)
    await source.close()

    bars = to_candles(rows, instrument, MINUTE, now=NOON, source=source.source).candles
    assert [(bar.symbol, bar.open_time, bar.open, bar.volume) for bar in bars] == [
        ("OKX:BTCUSDT", datetime(2021, 7, 1, tzinfo=UTC), 33528.6, 778.838),
        ("OKX:BTCUSDT", datetime(2021, 7, 1, 0, 1, tzinfo=UTC), 33783.9, 0.123),
    ]
