"""What is made of Freqtrade's answers; the transport is in process."""

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
}


def api(handler: httpx.MockTransport) -> FreqtradeApi:
    return FreqtradeApi(httpx.AsyncClient(base_url="http://bot/api/v1", transport=handler))


def answering(status: int, content: object) -> FreqtradeApi:
    return api(httpx.MockTransport(lambda _: httpx.Response(status, json=content)))


async def test_open_trades_carry_the_signal_of_their_tag() -> None:
    [trade] = await answering(200, [TRADE]).open_trades()
    assert (trade.trade_id, trade.pair, trade.direction, trade.signal_id) == (
        3,
        "BTC/USDT",
        "long",
        SIGNAL_ID,
    )
    assert trade.opened_at.isoformat() == "2026-01-05T12:01:00+00:00"


@pytest.mark.parametrize("tag", [None, "", "force_entry", SIGNAL_ID[:-1], SIGNAL_ID + "0"])
async def test_a_tag_that_is_no_signal_is_none(tag: str | None) -> None:
    [trade] = await answering(200, [TRADE | {"enter_tag": tag}]).open_trades()
    assert trade.signal_id is None


async def test_an_empty_list_is_flat() -> None:
    assert await answering(200, []).open_trades() == []


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
        await answering(status, content).open_trades()


async def test_a_bot_that_cannot_be_reached_is_unknown() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(BotUnavailable, match="connection refused"):
        await api(httpx.MockTransport(refuse)).open_trades()


async def test_a_closed_trade_is_known_and_an_unknown_one_is_not() -> None:
    assert await answering(200, TRADE | {"is_open": False}).knows_closed(3)
    assert not await answering(200, TRADE).knows_closed(3)
    assert not await answering(404, {"detail": "Trade not found."}).knows_closed(3)


async def test_the_user_and_password_go_along() -> None:
    bot = FreqtradeApi.at("http://127.0.0.1:1/", "me", "secret")
    try:
        with pytest.raises(BotUnavailable, match=r"127\.0\.0\.1:1"):
            await bot.open_trades()
    finally:
        await bot.close()
