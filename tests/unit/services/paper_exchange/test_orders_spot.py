"""Spot orders: what they are refused for, how they are filled, and what they cost."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.services.paper_exchange.account_kit import START_USDT, Bench

PATH = "/api/v3/order"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def total(bench: Bench, asset: str) -> Decimal:
    return bench.account.balance(asset).total


async def until_filled(bench: Bench, order: Any, *, minutes: int = 240) -> Any:
    for _ in range(minutes):
        bench.wait(minutes=1)
        found = await bench.found(order)
        if found["status"] == "FILLED":
            return found
    raise AssertionError(f"{order} was not filled within {minutes} minutes")


async def test_a_market_purchase_pays_the_asks_and_a_fee_in_what_it_buys(bench: Bench) -> None:
    book = (await bench.client.get("/api/v3/depth?symbol=BTCUSDT&limit=5")).json()
    order = await bench.order(side="BUY", type="MARKET", quantity="0.01")
    (fill,) = order["fills"]
    assert (order["status"], order["executedQty"]) == ("FILLED", "0.01000000")
    assert (fill["price"], fill["commissionAsset"]) == (book["asks"][0][0], "BTC")
    assert Decimal(fill["commission"]) == Decimal("0.00001")
    assert total(bench, "BTC") == Decimal("0.00999")
    assert total(bench, "USDT") == START_USDT - Decimal(order["cummulativeQuoteQty"])


async def test_a_market_sale_pays_its_fee_in_quote_currency(bench: Bench) -> None:
    await bench.order(side="BUY", type="MARKET", quantity="0.01")
    before = total(bench, "USDT")
    order = await bench.order(side="SELL", type="MARKET", quantity="0.009")
    earned = Decimal(order["cummulativeQuoteQty"])
    assert total(bench, "USDT") - before == earned - Decimal(order["fills"][0]["commission"])
    assert Decimal(order["fills"][0]["commission"]) == (earned / 1000).quantize(Decimal("1e-8"))


async def test_a_large_order_walks_the_book_level_by_level(bench: Bench) -> None:
    bench.account.balance("USDT").free = Decimal(10_000_000)
    levels = (await bench.client.get("/api/v3/depth?symbol=BTCUSDT&limit=20")).json()["asks"]
    amount = sum((Decimal(size) for _, size in levels[:3]), Decimal(0)) - Decimal("0.00001")
    order = await bench.order(side="BUY", type="MARKET", quantity=f"{amount}")
    assert [fill["price"] for fill in order["fills"]] == [price for price, _ in levels[:3]]
    assert [fill["qty"] for fill in order["fills"]][:2] == [size for _, size in levels[:2]]


async def test_spending_an_amount_of_quote_currency(bench: Bench) -> None:
    order = await bench.order(side="BUY", type="MARKET", quoteOrderQty="100")
    spent = Decimal(order["cummulativeQuoteQty"])
    assert order["status"] == "FILLED"
    assert 0 <= 100 - spent < Decimal(order["fills"][0]["price"]) * Decimal("0.00001")
    assert order["origQty"] == order["executedQty"]


async def test_a_limit_order_waits_for_its_price_and_is_then_a_maker(bench: Bench) -> None:
    limit = bench.price() * Decimal("0.9995")
    order = await bench.limit("BUY", limit, "0.01")
    assert (order["status"], order["fills"]) == ("NEW", [])
    locked = bench.account.balance("USDT").locked
    assert locked == Decimal(order["price"]) * Decimal("0.01")
    await until_filled(bench, order)
    (fill,) = await bench.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT")
    assert (fill["isMaker"], fill["price"]) == (True, order["price"])
    assert bench.account.balance("USDT").locked == 0


async def test_a_maker_gets_no_more_than_was_traded_at_its_price(bench: Bench) -> None:
    bench.account.balance("USDT").free = Decimal(100_000_000)
    order = await bench.limit("BUY", bench.price() * Decimal("0.9998"), "100")
    for _ in range(240):
        bench.wait(seconds=10)
        found = await bench.found(order)
        if found["status"] == "PARTIALLY_FILLED":
            break
    else:
        raise AssertionError("expected the price to come to the limit within 40 minutes")
    fills = await bench.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT")
    tape = {
        trade["time"]: Decimal(trade["qty"])
        for trade in (await bench.client.get("/api/v3/trades?symbol=BTCUSDT&limit=1000")).json()
    }
    assert all(Decimal(fill["qty"]) <= tape[fill["time"]] for fill in fills)
    assert sum(Decimal(fill["qty"]) for fill in fills) == Decimal(found["executedQty"])
    cancelled = await bench.ask("DELETE", PATH, symbol="BTCUSDT", orderId=order["orderId"])
    assert (cancelled["status"], cancelled["executedQty"]) == ("CANCELED", found["executedQty"])
    assert bench.account.balance("USDT").locked == 0


async def test_a_limit_beyond_the_book_is_a_taker_at_the_books_price(bench: Bench) -> None:
    order = await bench.limit("BUY", bench.price() * Decimal("1.01"), "0.01")
    assert order["status"] == "FILLED"
    assert Decimal(order["fills"][0]["price"]) < Decimal(order["price"])
    assert bench.account.balance("USDT").locked == 0


async def test_immediate_or_cancel_keeps_what_it_got(bench: Bench) -> None:
    bench.account.balance("USDT").free = Decimal(100_000_000)
    best, size = (await bench.client.get("/api/v3/depth?symbol=BTCUSDT&limit=5")).json()["asks"][0]
    amount = f"{Decimal(size) + 1}"
    order = await bench.limit("BUY", Decimal(best), amount, timeInForce="IOC")
    assert (order["status"], order["executedQty"]) == ("EXPIRED", size)
    assert bench.account.balance("USDT").locked == 0


async def test_fill_or_kill_is_all_or_nothing(bench: Bench) -> None:
    bench.account.balance("USDT").free = Decimal(100_000_000)
    best, size = (await bench.client.get("/api/v3/depth?symbol=BTCUSDT&limit=5")).json()["asks"][0]
    killed = await bench.limit("BUY", Decimal(best), f"{Decimal(size) + 1}", timeInForce="FOK")
    assert (killed["status"], killed["executedQty"]) == ("EXPIRED", "0.00000000")
    filled = await bench.limit("BUY", Decimal(best), size, timeInForce="FOK")
    assert filled["status"] == "FILLED"


async def test_a_maker_only_order_that_would_take_is_refused(bench: Bench) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01"}
    high, low = bench.price() * Decimal("1.01"), bench.price() * Decimal("0.99")
    assert await bench.code("POST", PATH, price=f"{high:.2f}", **order) == (400, -2010)
    assert (await bench.ask("POST", PATH, price=f"{low:.2f}", **order))["orderId"]


async def test_a_stop_loss_limit_sells_once_its_price_has_come(bench: Bench) -> None:
    await bench.order(side="BUY", type="MARKET", quantity="0.01")
    stop = bench.price() * Decimal("0.999")
    parameters = {
        "side": "SELL",
        "type": "STOP_LOSS_LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.009",
        "stopPrice": f"{stop:.2f}",
        "price": f"{stop * Decimal('0.99'):.2f}",
    }
    order = await bench.order(**parameters)
    waiting = await bench.found(order)
    assert (waiting["status"], waiting["isWorking"]) == ("NEW", False)
    assert bench.account.balance("BTC").locked == Decimal("0.009")
    filled = await until_filled(bench, order)
    (_, fill) = await bench.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT")
    assert filled["isWorking"] is True
    assert fill["isMaker"] is False
    assert Decimal(filled["price"]) <= Decimal(fill["price"]) <= stop
    above = {"stopPrice": f"{bench.price() * 2:.2f}"}
    assert await bench.code("POST", PATH, symbol="BTCUSDT", **(parameters | above)) == (400, -2010)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": "0.000001"}, -1013),
        ({"quantity": "0.010001"}, -1013),
        ({"price": "50000.001"}, -1013),
        ({"quantity": "0.00001"}, -1013),
        ({"quantity": "0.0000000001"}, -1111),
        ({"quantity": "1"}, -2010),
        ({"quantity": "x"}, -1100),
        ({"quantity": ""}, -1102),
        ({"timeInForce": ""}, -1102),
        ({"timeInForce": "GTX"}, -1115),
        ({"type": "ICEBERG"}, -1116),
        ({"side": "HOLD"}, -1117),
        ({"symbol": "NOPE"}, -1121),
        ({"newClientOrderId": "with space"}, -1100),
    ],
)
async def test_what_is_wrong_is_refused_in_binances_words(
    bench: Bench, changes: dict[str, str], code: int
) -> None:
    order = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": "50000.00",
    }
    assert await bench.code("POST", PATH, **(order | changes)) == (400, code)
    assert total(bench, "USDT") == bench.account.balance("USDT").free == START_USDT


async def test_an_open_client_id_is_taken_and_free_again_afterwards(bench: Bench) -> None:
    order = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.001",
        "price": "30000.00",
        "newClientOrderId": "mine",
    }
    first = await bench.ask("POST", PATH, **order)
    assert await bench.code("POST", PATH, **order) == (400, -2010)
    found = await bench.ask("GET", PATH, symbol="BTCUSDT", origClientOrderId="mine")
    assert found["orderId"] == first["orderId"]
    assert len(await bench.ask("GET", "/api/v3/openOrders")) == 1
    await bench.ask("DELETE", PATH, symbol="BTCUSDT", origClientOrderId="mine")
    second = await bench.ask("POST", PATH, **order)
    assert second["orderId"] > first["orderId"]


async def test_an_order_that_has_ended_cannot_be_cancelled(bench: Bench) -> None:
    order = await bench.order(side="BUY", type="MARKET", quantity="0.01")
    named = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    assert await bench.code("DELETE", PATH, **named) == (400, -2011)
    assert await bench.code("GET", PATH, symbol="BTCUSDT", orderId=1) == (400, -2013)
    assert await bench.code("GET", PATH, symbol="BTCUSDT") == (400, -1102)


async def test_a_test_order_changes_nothing(bench: Bench) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    assert await bench.ask("POST", f"{PATH}/test", **order) == {}
    assert await bench.ask("GET", "/api/v3/allOrders", symbol="BTCUSDT") == []


async def test_fills_and_orders_page_on_by_number(bench: Bench) -> None:
    orders = [await bench.order(side="BUY", type="MARKET", quantity="0.001") for _ in range(5)]
    page = await bench.ask(
        "GET", "/api/v3/allOrders", symbol="BTCUSDT", orderId=orders[1]["orderId"], limit=2
    )
    assert [row["orderId"] for row in page] == [orders[1]["orderId"], orders[2]["orderId"]]
    newest = await bench.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT", limit=2)
    assert [row["orderId"] for row in newest] == [order["orderId"] for order in orders[3:]]
    of_one = await bench.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT", orderId=orders[0]["orderId"])
    assert [row["orderId"] for row in of_one] == [orders[0]["orderId"]]


async def test_the_announced_filters_are_the_ones_that_are_applied(bench: Bench) -> None:
    (market,) = (await bench.client.get("/api/v3/exchangeInfo?symbol=BTCUSDT")).json()["symbols"]
    filters = {item["filterType"]: item for item in market["filters"]}
    step, tick = Decimal(filters["LOT_SIZE"]["stepSize"]), Decimal(filters["PRICE_FILTER"]["tickSize"])
    least = Decimal(filters["NOTIONAL"]["minNotional"])
    price = bench.price() / 2 // tick * tick
    amount = least / price // step * step + step
    await bench.limit("BUY", price, f"{amount}")
    too_little = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": f"{price}"}
    code = await bench.code("POST", PATH, symbol="BTCUSDT", quantity=f"{amount - 2 * step}", **too_little)
    assert code == (400, -1013)


async def test_what_an_exchange_with_accounts_does_not_have_is_said_to_be_no_such_route(bench: Bench) -> None:
    for method, path in (
        ("POST", "/api/v3/userDataStream"),
        ("PUT", "/fapi/v1/order"),
        ("POST", "/api/v3/time"),
    ):
        assert await bench.code(method, path) == (404, -5000)
