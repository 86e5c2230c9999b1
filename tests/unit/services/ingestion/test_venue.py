import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import ccxt.async_support as ccxt
import pytest

from quantbus_contracts.errors import ConfigError, VenueRefused, VenueUnavailable
from quantbus_contracts.testing import FrozenClock
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.venue.ccxt_source import CcxtSource, open_source
from tests.unit.services.ingestion.fakes import BTC, MINUTE, NOON, row_of


class Exchange:
    """What the adapter uses of a ccxt exchange."""

    id = "binance"
    timeframes = {"1m": "1m", "1h": "1h"}  # noqa: RUF012  # as ccxt has it
    has = {"fetchTime": True}  # noqa: RUF012  # as ccxt has it

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.headers: dict[str, str] = {}
        self.text = "[]"
        self.asked: list[tuple[object, ...]] = []

    async def fetch_ohlcv(self, *args: object) -> object:
        return self._say(args)

    async def load_markets(self, *, reload: bool) -> object:
        return self._say((reload,))

    async def fetch_time(self) -> object:
        return self._say(())

    def feature_value(self, symbol: str, method: str, name: str) -> object:
        return self.answer

    async def fetch(self, url: str, *_: object) -> object:
        return None

    def on_rest_response(self, *answer: object) -> object:
        return answer[5]

    def _say(self, args: tuple[object, ...]) -> object:
        self.asked.append(args)
        self.on_rest_response(200, "OK", "", "GET", self.headers, self.text, {}, None)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer


async def fetch(exchange: Exchange) -> list[Any]:
    return list(await CcxtSource(exchange).fetch(BTC, MINUTE, NOON, 5))


async def test_candles_are_asked_for_by_pair_timeframe_and_milliseconds() -> None:
    exchange = Exchange([row_of(NOON)])

    assert await fetch(exchange) == [row_of(NOON)]
    assert exchange.asked == [("BTC/USDT", "1m", int(NOON.timestamp() * 1000), 5)]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ccxt.RequestTimeout("x"), "timeout"),
        (ccxt.DDoSProtection("binance 418 banned"), "rate_limited"),
        (ccxt.RateLimitExceeded("x"), "rate_limited"),
        (ccxt.OnMaintenance("x"), "maintenance"),
        (ccxt.ExchangeNotAvailable("<html>"), "unavailable"),
        (ccxt.BadResponse("x"), "garbage"),
        (ccxt.NullResponse("x"), "garbage"),
        (ccxt.NetworkError("reset"), "network"),
        (ccxt.OperationFailed("-1000"), "other"),
        (TypeError("'str' object has no attribute 'get'"), "garbage"),
        (KeyError("symbols"), "garbage"),
    ],
    ids=repr,
)
async def test_trouble_that_may_pass_is_unavailability_of_a_kind(error: Exception, kind: str) -> None:
    with pytest.raises(VenueUnavailable, match="could not fetch BTC/USDT 1m at binance") as caught:
        await fetch(Exchange(error))

    assert caught.value.kind == kind
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ccxt.BadSymbol("x"), "bad_symbol"),
        (ccxt.AuthenticationError("x"), "forbidden"),
        (ccxt.NotSupported("x"), "not_supported"),
        (ccxt.BadRequest("x"), "bad_request"),
        (ccxt.ExchangeError("x"), "other"),
    ],
    ids=repr,
)
async def test_a_no_of_the_venue_is_a_refusal_of_a_kind(error: Exception, kind: str) -> None:
    with pytest.raises(VenueRefused) as caught:
        await fetch(Exchange(error))

    assert caught.value.kind == kind
    assert not caught.value.retryable


async def test_the_pause_that_the_venue_asks_for_travels_along() -> None:
    exchange = Exchange(ccxt.DDoSProtection("429"))
    exchange.headers = {"Retry-After": "17"}

    with pytest.raises(VenueUnavailable) as caught:
        await fetch(exchange)

    assert caught.value.retry_after_seconds == 17.0


@pytest.mark.parametrize("answer", [[[None] * 6] * 3, "<html>", None, {"code": 1}], ids=repr)
async def test_a_page_of_html_with_status_200_is_no_answer(answer: object) -> None:
    with pytest.raises(VenueUnavailable, match="something that is not candles") as caught:
        await fetch(Exchange(answer))

    assert caught.value.kind == "garbage"


async def test_an_empty_body_with_status_200_is_no_answer_but_an_empty_list_is() -> None:
    exchange = Exchange([])

    assert await fetch(exchange) == []
    exchange.text = ""
    with pytest.raises(VenueUnavailable):
        await fetch(exchange)


async def test_a_long_message_is_cut() -> None:
    with pytest.raises(VenueUnavailable) as caught:
        await fetch(Exchange(ccxt.ExchangeNotAvailable("<html>\n" + "x" * 5000)))

    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


async def test_markets_become_instruments_and_options_are_left_out() -> None:
    markets = {
        name: {"symbol": name, "type": kind}
        for name, kind in [
            ("BTC/USDT", "spot"),
            ("BTC/USDT:USDT", "swap"),
            ("BTC/USD:BTC-261225", "future"),
            ("BTC/USD:BTC-261225-50000-C", "option"),
            ("INDEX", "spot"),
        ]
    }

    catalogue = await CcxtSource(Exchange(markets)).instruments()

    assert {item.symbol for item in catalogue} == {
        "BINANCE:BTCUSDT",
        "BINANCE:BTCUSDT.P",
        "BINANCE:BTCUSD-261225:BTC",
    }


async def test_an_empty_market_list_is_no_answer() -> None:
    with pytest.raises(VenueUnavailable, match="empty market list"):
        await CcxtSource(Exchange({})).instruments()


@pytest.mark.parametrize(("declared", "pages"), [(500, 500), (5000, 1000), (None, 1000)])
def test_a_request_asks_for_no_more_than_the_venue_gives(declared: int | None, pages: int) -> None:
    assert CcxtSource(Exchange(declared)).page_bars(BTC, 1000) == pages


@pytest.mark.parametrize(("ahead", "measured"), [(5.0, 4.0), (-5.0, -6.0), (0.0, -1.0)])
async def test_the_venues_clock_is_taken_for_late_rather_than_for_ahead(
    ahead: float, measured: float
) -> None:
    ours = FrozenClock(NOON)

    def tell() -> float:
        ours.advance(timedelta(seconds=1))
        told = (ours.now() + timedelta(seconds=ahead)).timestamp() * 1000
        ours.advance(timedelta(seconds=1))
        return told

    assert await CcxtSource(Exchange(tell)).clock_offset(ours) == timedelta(seconds=measured)


async def test_a_venue_without_a_clock_agrees_with_ours() -> None:
    exchange = Exchange(ZeroDivisionError())
    exchange.has = {"fetchTime": False}

    assert await CcxtSource(exchange).clock_offset(FrozenClock()) == timedelta(0)


async def test_a_time_that_is_none_is_no_answer() -> None:
    with pytest.raises(VenueUnavailable, match="told its time as None"):
        await CcxtSource(Exchange(None)).clock_offset(FrozenClock())


def test_timeframes_that_the_venue_does_not_offer_are_refused_with_those_it_does() -> None:
    source = CcxtSource(Exchange())
    source.require_timeframes(frozenset({MINUTE}))

    with pytest.raises(ConfigError, match=r"offers \(1m, 1h\), found 4h"):
        source.require_timeframes(frozenset({MINUTE, Timeframe.parse("4h")}))


async def opened(venue: str, **given: Any) -> tuple[Any, Callable[[], Any]]:
    source = open_source(venue, **given)
    return source._exchange, source.close


async def test_another_address_stands_in_for_every_host_of_binance() -> None:
    exchange, close = await opened("binance", url="http://127.0.0.1:8765/", with_derivatives=False)
    await close()

    assert exchange.urls["api"]["public"] == "http://127.0.0.1:8765/api/v3"
    assert exchange.urls["api"]["fapiPublic"] == "http://127.0.0.1:8765/fapi/v1"
    assert exchange.urls["api"]["dapiData"] == "http://127.0.0.1:8765/futures/data"
    assert all(str(address).startswith("http://127.0.0.1:8765/") for address in exchange.urls["api"].values())
    assert exchange.options["fetchMarkets"] == {"types": ["spot"]}
    assert exchange.aiohttp_trust_env is False


async def test_without_another_address_the_venues_own_are_used_through_the_environments_proxy() -> None:
    exchange, close = await opened("okx")
    await close()

    assert exchange.id == "okx"
    assert exchange.aiohttp_trust_env is True


async def test_an_unknown_venue_is_refused() -> None:
    with pytest.raises(ConfigError, match="'nope'"):
        open_source("nope")


async def test_only_binance_can_be_stood_in_for() -> None:
    with pytest.raises(ConfigError, match="found the venue 'okx'; leave out --venue-url"):
        open_source("okx", url="http://127.0.0.1:1")


def test_the_fake_rows_are_on_the_minute() -> None:
    assert datetime.fromtimestamp(int(str(row_of(NOON)[0])) / 1000, UTC) == NOON


def dated(moment: datetime) -> dict[str, str]:
    return {"Date": format_datetime(moment.astimezone(UTC), usegmt=True)}


async def compared(exchange: Exchange, ours: FrozenClock) -> CcxtSource:
    """A source that has compared the venue's clock with ours, and found them equal."""
    rows, exchange.answer = exchange.answer, ours.now().timestamp() * 1000
    exchange.headers = dated(ours.now())
    source = CcxtSource(exchange)
    await source.clock_offset(ours)
    exchange.answer = rows
    return source


async def test_a_bar_that_cannot_be_closed_by_the_date_of_its_answer_is_left_out() -> None:
    ours = FrozenClock(NOON + timedelta(minutes=2))
    exchange = Exchange([row_of(NOON), row_of(NOON + timedelta(minutes=1))])
    source = await compared(exchange, ours)

    exchange.headers = dated(NOON + timedelta(seconds=90))

    assert await source.fetch(BTC, MINUTE, NOON, 5) == [row_of(NOON)]
    assert source.clock_doubts == 1


async def test_a_date_that_fits_leaves_out_nothing() -> None:
    ours = FrozenClock(NOON + timedelta(minutes=2))
    exchange = Exchange([row_of(NOON), row_of(NOON + timedelta(minutes=1))])
    source = await compared(exchange, ours)

    assert len(await source.fetch(BTC, MINUTE, NOON, 5)) == 2
    assert source.clock_doubts == 0


async def test_an_error_about_the_clock_is_a_doubt() -> None:
    source = CcxtSource(Exchange(ccxt.InvalidNonce("-1021")))

    with pytest.raises(VenueUnavailable) as caught:
        await source.fetch(BTC, MINUTE, NOON, 5)

    assert (caught.value.kind, source.clock_doubts) == ("clock", 1)


async def test_a_bar_is_held_against_the_date_of_its_answer_before_clocks_were_compared() -> None:
    exchange = Exchange([row_of(NOON), row_of(NOON + timedelta(minutes=1))])
    exchange.headers = dated(NOON + timedelta(seconds=90))

    assert await fetch(exchange) == [row_of(NOON)]


@pytest.mark.parametrize("told", [10**18, -(10**18), float("nan"), float("inf"), True])
async def test_a_time_that_no_calendar_has_is_no_answer(told: object) -> None:
    with pytest.raises(VenueUnavailable, match="told its time as"):
        await CcxtSource(Exchange(told)).clock_offset(FrozenClock())


@pytest.mark.parametrize(
    ("header", "source"),
    [
        ("SYNTHETIC", "paper:SYNTHETIC"),
        ("SYNTHETIC, SYNTHETIC", "paper:SYNTHETIC"),
        ("recorded,SYNTHETIC", "paper:recorded+SYNTHETIC"),
        ("x" * 500, "paper:" + "x" * 58),
    ],
)
async def test_a_paper_exchange_says_once_what_it_is(header: str, source: str) -> None:
    exchange = Exchange({"BTC/USDT": {"symbol": "BTC/USDT", "type": "spot"}})
    exchange.headers = {"X-Quantbus-Data": header}
    venue = CcxtSource(exchange)
    await venue.instruments()

    assert venue.source == source


async def test_a_cancellation_that_the_library_makes_an_error_of_stays_one() -> None:
    class Swallowing(Exchange):
        async def fetch_ohlcv(self, *_: object) -> object:
            try:
                return await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ccxt.NetworkError("connection closed") from None

    asking = asyncio.ensure_future(fetch(Swallowing()))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert asking.cancelled()
