"""Unmodified ccxt trades with accounts of a running exchange, which may be killed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import ccxt
import ccxt.async_support
import httpx
import pytest

from quantbus_services.paper_exchange import PaperExchange, ccxt_config
from tests.integration.paper_exchange.conftest import Paper, PaperStarter

pytestmark = pytest.mark.integration
PAIR, SWAP = "BTC/USDT", "BTC/USDT:USDT"


def keys_of(url: str, name: str, **more: object) -> dict[str, str]:
    """Open an account and return its key as ccxt takes it."""
    money = {"spot": {"USDT": "5000"}, "futures": {"USDT": "5000"}}
    reply = httpx.post(f"{url}/paper/accounts", json={"name": name} | money | more)
    (key,) = reply.raise_for_status().json()["keys"]
    return {"apiKey": key["api_key"], "secret": key["secret"]}


@pytest.fixture(scope="module")
def trading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paper]:
    starter = PaperStarter(tmp_path_factory.mktemp("trading"))
    yield starter("--accounts")
    starter.stop()


@pytest.fixture
async def spot(trading: Paper, request: pytest.FixtureRequest) -> AsyncIterator[ccxt.async_support.binance]:
    keys = keys_of(trading.url, f"spot-{request.node.name[:50]}")
    exchange = ccxt.async_support.binance(ccxt_config(trading.url) | keys)
    await exchange.load_markets()
    yield exchange
    await exchange.close()


@pytest.fixture
async def futures(
    trading: Paper, request: pytest.FixtureRequest
) -> AsyncIterator[ccxt.async_support.binanceusdm]:
    keys = keys_of(trading.url, f"futures-{request.node.name[:50]}")
    exchange = ccxt.async_support.binanceusdm(ccxt_config(trading.url) | keys)
    exchange.enableRateLimit = False  # its own politeness would be most of the time that these tests take
    await exchange.load_markets()
    yield exchange
    await exchange.close()


async def test_a_market_order_and_what_it_leaves(spot: ccxt.async_support.binance) -> None:
    order = await spot.create_order(PAIR, "market", "buy", 0.01)
    assert (order["status"], order["filled"]) == ("closed", 0.01)
    assert order["fee"] == {"currency": "BTC", "cost": pytest.approx(1e-05)}
    balance = await spot.fetch_balance()
    assert balance["BTC"]["free"] == pytest.approx(0.00999)
    assert balance["USDT"]["total"] == pytest.approx(5000 - order["cost"])
    (trade,) = await spot.fetch_my_trades(PAIR)
    assert (trade["order"], trade["takerOrMaker"], trade["amount"]) == (order["id"], "taker", 0.01)


async def test_a_limit_order_lives_until_it_is_cancelled(spot: ccxt.async_support.binance) -> None:
    price = (await spot.fetch_ticker(PAIR))["last"]
    order = await spot.create_order(PAIR, "limit", "buy", 0.01, price * 0.9, {"clientOrderId": "mine"})
    assert (order["status"], order["clientOrderId"]) == ("open", "mine")
    assert (await spot.fetch_balance())["USDT"]["used"] == pytest.approx(order["price"] * 0.01)
    assert [row["id"] for row in await spot.fetch_open_orders(PAIR)] == [order["id"]]
    assert (await spot.fetch_order(order["id"], PAIR))["status"] == "open"
    with pytest.raises(ccxt.InvalidOrder):
        await spot.create_order(PAIR, "limit", "buy", 0.01, price * 0.9, {"clientOrderId": "mine"})
    assert (await spot.cancel_order(order["id"], PAIR))["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        await spot.cancel_order(order["id"], PAIR)
    assert (await spot.fetch_balance())["USDT"]["used"] == 0
    assert [row["status"] for row in await spot.fetch_orders(PAIR)] == ["canceled"]


async def test_every_kind_of_spot_order_that_bots_use(spot: ccxt.async_support.binance) -> None:
    price = (await spot.fetch_ticker(PAIR))["last"]
    await spot.create_order(PAIR, "market", "buy", 0.02)
    maker = await spot.create_order(PAIR, "limit", "sell", 0.005, price * 1.1, {"postOnly": True})
    assert (maker["status"], maker["postOnly"]) == ("open", True)
    stop = await spot.create_order(PAIR, "limit", "sell", 0.005, price * 0.94, {"stopPrice": price * 0.95})
    assert (await spot.fetch_order(stop["id"], PAIR))["triggerPrice"] == pytest.approx(price * 0.95, rel=1e-3)
    ioc = await spot.create_order(PAIR, "limit", "buy", 0.01, price * 0.9, {"timeInForce": "IOC"})
    assert (ioc["status"], ioc["filled"]) == ("expired", 0)
    fok = await spot.create_order(PAIR, "limit", "buy", 0.01, price * 1.01, {"timeInForce": "FOK"})
    assert fok["status"] == "closed"
    spent = await spot.create_market_buy_order_with_cost(PAIR, 100)
    assert spent["cost"] == pytest.approx(100, rel=0.01)
    assert len(await spot.cancel_all_orders(PAIR)) == 2


async def test_refusals_are_ccxts_own_errors(spot: ccxt.async_support.binance) -> None:
    price = (await spot.fetch_ticker(PAIR))["last"]
    with pytest.raises(ccxt.InsufficientFunds):
        await spot.create_order(PAIR, "limit", "buy", 10, price)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await spot.create_order(PAIR, "limit", "buy", 0.01, price * 1.01, {"postOnly": True})
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await spot.create_order(PAIR, "limit", "buy", 0.01, price, {"stopPrice": price * 0.9})
    with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
        await spot.create_order(PAIR, "limit", "buy", 0.00005, price)
    with pytest.raises(ccxt.OrderNotFound):
        await spot.fetch_order("1", PAIR)


async def test_a_read_only_key_is_told_so(trading: Paper) -> None:
    keys = keys_of(trading.url, "reader", keys=[{"can_trade": False}])
    exchange = ccxt.async_support.binance(ccxt_config(trading.url) | keys)
    with pytest.raises(ccxt.AuthenticationError):
        await exchange.create_order(PAIR, "market", "buy", 0.01)
    exchange.options["hasAlreadyAuthenticatedSuccessfully"] = False
    restrictions = await exchange.sapi_get_account_apirestrictions()
    assert (restrictions["enableSpotAndMarginTrading"], restrictions["enableWithdrawals"]) == (False, False)
    exchange.secret = "another"
    with pytest.raises(ccxt.AuthenticationError):
        await exchange.fetch_balance()
    await exchange.close()


async def test_a_perpetual_from_its_settings_to_its_end(futures: ccxt.async_support.binanceusdm) -> None:
    assert (await futures.set_leverage(5, SWAP))["leverage"] == 5
    await futures.set_margin_mode("isolated", SWAP)
    with pytest.raises(ccxt.MarginModeAlreadySet):
        await futures.set_margin_mode("isolated", SWAP)
    assert (await futures.fetch_leverage(SWAP))["longLeverage"] == 5
    order = await futures.create_order(SWAP, "market", "sell", 0.02)
    assert (order["status"], order["filled"]) == ("closed", 0.02)
    (position,) = await futures.fetch_positions([SWAP])
    assert (position["side"], position["contracts"], position["leverage"]) == ("short", 0.02, 5)
    assert position["marginMode"] == "isolated"
    assert position["entryPrice"] == pytest.approx(order["average"])
    assert position["liquidationPrice"] > position["entryPrice"] * 1.15
    trigger = {"stopPrice": order["average"] * 1.05, "reduceOnly": True}
    stop = await futures.create_order(SWAP, "market", "buy", 0.02, None, trigger)
    assert [row["id"] for row in await futures.fetch_open_orders(SWAP, params={"stop": True})] == [stop["id"]]
    assert (await futures.fetch_order(stop["id"], SWAP, {"stop": True}))["status"] == "open"
    await futures.cancel_order(stop["id"], SWAP, {"stop": True})
    closed = await futures.create_order(SWAP, "market", "buy", 0.02, None, {"reduceOnly": True})
    assert closed["status"] == "closed"
    assert await futures.fetch_positions([SWAP]) == []
    trades = await futures.fetch_my_trades(SWAP)
    fees = sum(trade["fee"]["cost"] for trade in trades)
    profit = sum(float(trade["info"]["realizedPnl"]) for trade in trades)
    assert (await futures.fetch_balance())["USDT"]["total"] == pytest.approx(5000 + profit - fees)


async def test_what_a_futures_bot_asks_before_it_trades(futures: ccxt.async_support.binanceusdm) -> None:
    assert (await futures.fetch_position_mode(SWAP))["hedged"] is False
    assert (await futures.fapiprivate_get_multiassetsmargin())["multiAssetsMargin"] is False
    (tiers,) = (await futures.fetch_leverage_tiers([SWAP])).values()
    assert tiers[0]["maxLeverage"] == 125
    assert (await futures.fetch_trading_fee(SWAP))["taker"] == 0.0005
    assert await futures.fetch_funding_history(SWAP) == []
    # ccxt takes the class of an error from the address; at one of our own it is the general one.
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        await futures.create_order(SWAP, "market", "buy", 50)


async def test_nothing_acknowledged_is_lost_by_a_kill(start_paper: PaperStarter) -> None:
    paper = start_paper("--state", "state.sqlite")
    keys = keys_of(paper.url, "bot")
    exchange = ccxt.async_support.binance(ccxt_config(paper.url) | keys)
    price = (await exchange.fetch_ticker(PAIR))["last"]
    placed = [await exchange.create_order(PAIR, "limit", "buy", 0.001, price * 0.5) for _ in range(20)]
    bought = await exchange.create_order(PAIR, "market", "buy", 0.01)
    paper.process.kill()
    paper.process.wait(timeout=10)
    await exchange.close()
    again = start_paper("--state", "state.sqlite")
    exchange = ccxt.async_support.binance(ccxt_config(again.url) | keys)
    assert {row["id"] for row in await exchange.fetch_open_orders(PAIR)} == {row["id"] for row in placed}
    assert (await exchange.fetch_order(bought["id"], PAIR))["cost"] == bought["cost"]
    assert (await exchange.fetch_balance())["BTC"]["free"] == pytest.approx(0.00999)
    await exchange.close()


def test_an_exchange_in_this_process_comes_back_to_its_state(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite"
    with PaperExchange(symbols="BTC/USDT", state=state) as paper:
        keys = keys_of(paper.url, "bot")
        order = ccxt.binance(paper.ccxt_config(**keys)).create_order(PAIR, "market", "buy", 0.01)
    with PaperExchange(symbols="BTC/USDT", state=state) as paper:
        again = ccxt.binance(paper.ccxt_config(**keys))
        assert again.fetch_order(order["id"], PAIR)["cost"] == order["cost"]
