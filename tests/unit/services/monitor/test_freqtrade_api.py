"""What is made of Freqtrade's answers; the transport is in process."""

import asyncio
import contextlib

import httpx
import pytest

from quantbus_services.monitor.freqtrade_api import BotUnavailable, FreqtradeApi

SIGNAL_ID = "0123456789abcdef0123456789abcdef"
TRADE = {
    "trade_id": 3,
    "pair": "BTC/USDT",
    "is_open": True,
    "is_short": False,
    "open_timestamp": 1_767_614_460_000,
    "enter_tag": f"demo {SIGNAL_ID}",
    "has_open_orders": False,
    "stake_amount": 100.0,
    "amount": 0.5,
    "orders": [
        {
            "order_id": "1",
            "ft_order_side": "buy",
            "is_open": False,
            "order_filled_timestamp": 1_767_614_461_000,
        },
        {"order_id": "2", "ft_order_side": "stoploss", "is_open": True, "order_timestamp": 1_767_614_462_000},
    ],
}
CONFIG = {"dry_run": False, "trading_mode": "spot", "stake_currency": "USDT", "stoploss_on_exchange": True}


def api(handler: httpx.MockTransport) -> FreqtradeApi:
    return FreqtradeApi(httpx.AsyncClient(base_url="http://bot/api/v1", transport=handler))


def answering(status: int, content: object) -> FreqtradeApi:
    return api(httpx.MockTransport(lambda _: httpx.Response(status, json=content)))


def with_trades(content: object, closed: object = (), config: object = CONFIG) -> FreqtradeApi:
    """Return an API that answers ``content`` on /status."""
    answers = {"status": content, "trades": {"trades": closed}, "show_config": config}
    return api(
        httpx.MockTransport(
            lambda request: httpx.Response(200, json=answers[request.url.path.rpartition("/")[2]])
        )
    )


async def test_open_trades_carry_the_signal_of_their_tag() -> None:
    [trade] = (await with_trades([TRADE]).book()).trades
    assert (trade.trade_id, trade.pair, trade.direction, trade.signal_id, trade.amount) == (
        3,
        "BTC/USDT",
        "long",
        SIGNAL_ID,
        0.5,
    )
    assert trade.opened_at.isoformat() == "2026-01-05T12:01:00+00:00"
    assert [(order.order_id, order.purpose, order.is_open) for order in trade.orders] == [
        ("1", "entry", False),
        ("2", "stop", True),
    ]
    assert trade.orders[0].filled_at is not None


async def test_an_order_that_buys_back_a_short_is_an_exit() -> None:
    [trade] = (await with_trades([TRADE | {"is_short": True}]).book()).trades
    assert [order.purpose for order in trade.orders] == ["exit", "stop"]


async def test_closed_trades_and_what_the_bot_is_set_to_belong_to_its_book() -> None:
    gone = TRADE | {"trade_id": 2, "is_open": False, "close_timestamp": 1_767_614_520_000}
    book = await with_trades([], [gone]).book()
    assert [(trade.trade_id, trade.closed_at.minute, trade.order_ids) for trade in book.closed] == [
        (2, 2, ("1", "2"))
    ]
    assert (book.dry_run, book.market, book.stops_at_venue) == (False, "spot", True)
    other = {
        "dry_run": True,
        "trading_mode": "futures",
        "stake_currency": "USDC",
        "stoploss_on_exchange": True,
    }
    book = await with_trades([], config=other).book()
    assert (book.dry_run, book.market, book.stake_currency, book.stops_at_venue) == (
        True,
        "swap",
        "USDC",
        False,
    )


@pytest.mark.parametrize("tag", [None, "", "force_entry", SIGNAL_ID[:-1], SIGNAL_ID + "0"])
async def test_a_tag_that_is_no_signal_is_none(tag: str | None) -> None:
    [trade] = (await with_trades([TRADE | {"enter_tag": tag}]).book()).trades
    assert trade.signal_id is None


async def test_an_empty_list_is_flat() -> None:
    assert (await with_trades([]).book()).trades == ()


@pytest.mark.parametrize("wrong", [{"status": "ok"}, [{"trade_id": 1}], [TRADE | {"amount": "much"}], None])
async def test_trades_that_are_none_are_unknown(wrong: object) -> None:
    with pytest.raises(BotUnavailable, match="does the address point at Freqtrade"):
        await with_trades(wrong).book()


@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (401, {"detail": "Unauthorized"}, "_PASSWORD"),
        (503, {}, "503"),
        (200, {"status": "ok"}, "does the address point at Freqtrade"),
        (200, [{"trade_id": 1}], "does the address point at Freqtrade"),
    ],
)
async def test_any_other_answer_is_unknown_and_says_why(status: int, content: object, told: str) -> None:
    with pytest.raises(BotUnavailable, match=told):
        await answering(status, content).book()


async def test_a_bot_that_cannot_be_reached_is_unknown() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(BotUnavailable, match="connection refused"):
        await api(httpx.MockTransport(refuse)).book()


async def test_a_bot_whose_answer_never_ends_is_unknown() -> None:
    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[")
        with contextlib.suppress(OSError):
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    bot = FreqtradeApi.at(url, "me", "secret", timeout_seconds=0.2)
    try:
        async with asyncio.timeout(10):
            with pytest.raises(BotUnavailable, match="TimeoutError"):
                await bot.book()
            await ended.wait()
    finally:
        await bot.close()
        server.close()


async def test_a_closed_trade_is_known_and_an_unknown_one_is_not() -> None:
    assert await answering(200, TRADE | {"is_open": False}).knows_closed(3)
    assert not await answering(200, TRADE).knows_closed(3)
    assert not await answering(404, {"detail": "Trade not found."}).knows_closed(3)


async def test_the_user_and_password_go_along() -> None:
    bot = FreqtradeApi.at("http://127.0.0.1:1/", "me", "secret")
    try:
        with pytest.raises(BotUnavailable, match=r"127\.0\.0\.1:1"):
            await bot.book()
    finally:
        await bot.close()
