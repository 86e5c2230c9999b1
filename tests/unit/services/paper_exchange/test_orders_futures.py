"""USD-M orders: positions, margins, funding, conditional orders and liquidation."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.services.paper_exchange.account_kit import START_USDT, Bench

PATH = "/fapi/v1/order"
CENT = Decimal("1e-8")


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def order(bench: Bench, side: str, amount: str, **more: object) -> Any:
    parameters = {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": amount} | more
    return await bench.ask("POST", PATH, **parameters)


async def conditional(bench: Bench, side: str, kind: str, price: Decimal, **more: object) -> Any:
    parameters = {
        "symbol": "BTCUSDT",
        "side": side,
        "algoType": "CONDITIONAL",
        "type": kind,
        "triggerPrice": f"{price:.2f}",
    }
    return await bench.ask("POST", "/fapi/v1/algoOrder", **(parameters | more))


async def setting(bench: Bench, *, leverage: int, margin: str = "ISOLATED") -> None:
    await bench.ask("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=leverage)
    if margin == "ISOLATED":
        await bench.ask("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType=margin)


async def the_position(bench: Bench) -> Any:
    (row,) = await bench.ask("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT")
    return row


def last(bench: Bench) -> Decimal:
    return bench.price(board="futures")


async def test_a_position_and_its_margin(bench: Bench) -> None:
    await setting(bench, leverage=5)
    placed = await order(bench, "BUY", "0.1")
    entry = Decimal(placed["avgPrice"])
    row = await the_position(bench)
    assert (row["positionAmt"], Decimal(row["entryPrice"])) == ("0.10000000", entry)
    assert Decimal(row["isolatedWallet"]) == entry * Decimal("0.1") / 5
    assert row["marginType"] == "isolated"
    mark = Decimal(row["markPrice"])
    assert Decimal(row["unRealizedProfit"]) == pytest.approx((mark - entry) * Decimal("0.1"), abs=CENT)
    assert Decimal(row["liquidationPrice"]) == pytest.approx(
        entry * Decimal("0.8") / Decimal("0.996"), rel=Decimal("1e-6")
    )
    account = await bench.ask("GET", "/fapi/v3/account")
    fee = Decimal(placed["cumQuote"]) * Decimal("0.0005")
    assert Decimal(account["totalWalletBalance"]) == pytest.approx(START_USDT - fee, abs=CENT)
    free = Decimal(account["availableBalance"])
    assert free == pytest.approx(START_USDT - fee - Decimal(row["isolatedWallet"]), abs=CENT)


async def test_a_round_trip_costs_its_difference_and_two_fees(bench: Bench) -> None:
    opened = await order(bench, "SELL", "0.1")
    bench.wait(minutes=30)
    closed = await order(bench, "BUY", "0.1", reduceOnly="true")
    assert closed["status"] == "FILLED"
    assert await bench.ask("GET", "/fapi/v3/positionRisk") == []
    profit = Decimal(opened["cumQuote"]) - Decimal(closed["cumQuote"])
    fees = (Decimal(opened["cumQuote"]) + Decimal(closed["cumQuote"])) * Decimal("0.0005")
    assert bench.account.wallet["USDT"] == pytest.approx(START_USDT + profit - fees, abs=2 * CENT)
    trades = await bench.ask("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
    assert [Decimal(row["realizedPnl"]) for row in trades] == [0, pytest.approx(profit, abs=CENT)]
    incomes = await bench.ask("GET", "/fapi/v1/income", limit=1000)
    assert sum(Decimal(row["income"]) for row in incomes) == bench.account.wallet["USDT"] - START_USDT
    assert {row["incomeType"] for row in incomes} == {"COMMISSION", "REALIZED_PNL"}


async def test_an_order_may_turn_a_position_around(bench: Bench) -> None:
    await setting(bench, leverage=5)
    await order(bench, "BUY", "0.1")
    turned = await order(bench, "SELL", "0.3")
    row = await the_position(bench)
    assert (row["positionAmt"], row["entryPrice"]) == ("-0.20000000", turned["avgPrice"])
    assert Decimal(row["isolatedWallet"]) == Decimal(turned["avgPrice"]) * Decimal("0.2") / 5


async def test_part_of_a_position_gives_back_its_part_of_the_margin(bench: Bench) -> None:
    await setting(bench, leverage=4)
    await order(bench, "BUY", "0.4")
    whole = Decimal((await the_position(bench))["isolatedWallet"])
    await order(bench, "SELL", "0.1", reduceOnly="true")
    row = await the_position(bench)
    assert row["positionAmt"] == "0.30000000"
    assert Decimal(row["isolatedWallet"]) == pytest.approx(whole * 3 / 4, abs=CENT)


async def test_a_reduce_only_order_never_opens(bench: Bench) -> None:
    reducing = {"symbol": "BTCUSDT", "type": "MARKET", "quantity": "0.1", "reduceOnly": "true"}
    assert await bench.code("POST", PATH, side="SELL", **reducing) == (400, -2022)
    await order(bench, "BUY", "0.05")
    closed = await order(bench, "SELL", "0.1", reduceOnly="true")
    assert (closed["status"], closed["executedQty"]) == ("EXPIRED", "0.05000000")
    assert await bench.ask("GET", "/fapi/v3/positionRisk") == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": "100"}, -2019),
        ({"quantity": "0.0000001"}, -1111),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.001", "type": "LIMIT", "timeInForce": "GTC", "price": "1000"}, -4164),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "50000.001"}, -4014),
        ({"type": "LIMIT", "timeInForce": "GTX", "price": "61000"}, -5022),
        ({"type": "STOP_MARKET", "stopPrice": "50000"}, -4120),
        ({"positionSide": "LONG"}, -4061),
    ],
)
async def test_what_is_wrong_is_refused_in_binances_words(
    bench: Bench, changes: dict[str, str], code: int
) -> None:
    wrong = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"} | changes
    assert await bench.code("POST", PATH, **wrong) == (400, code)
    assert bench.account.wallet == {"USDT": START_USDT}


async def test_open_orders_hold_margin_and_give_it_back(bench: Bench) -> None:
    price = (last(bench) * Decimal("0.9")).quantize(Decimal("0.01"))
    limit = {"type": "LIMIT", "timeInForce": "GTC", "price": f"{price}", "newClientOrderId": "one"}
    await order(bench, "BUY", "1", **limit)
    account = await bench.ask("GET", "/fapi/v3/account")
    assert Decimal(account["totalOpenOrderInitialMargin"]) == price / 20
    assert Decimal(account["availableBalance"]) == START_USDT - price / 20
    duplicate = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "1"} | limit
    assert await bench.code("POST", PATH, **duplicate) == (400, -4116)
    await bench.ask("DELETE", PATH, symbol="BTCUSDT", origClientOrderId="one")
    assert Decimal((await bench.ask("GET", "/fapi/v3/account"))["availableBalance"]) == START_USDT


async def test_a_stop_closes_the_position_by_an_order_of_its_own(bench: Bench) -> None:
    await order(bench, "BUY", "0.1")
    stop = await conditional(
        bench, "SELL", "STOP_MARKET", last(bench) * Decimal("0.999"), quantity="0.1", reduceOnly="true"
    )
    assert (stop["algoStatus"], stop["actualOrderId"]) == ("NEW", "")
    for _ in range(600):
        bench.wait(minutes=1)
        found = await bench.ask("GET", "/fapi/v1/algoOrder", algoId=stop["algoId"])
        if found["algoStatus"] != "NEW":
            break
    assert found["algoStatus"] == "FINISHED"
    placed = await bench.ask("GET", PATH, symbol="BTCUSDT", orderId=found["actualOrderId"])
    assert (placed["status"], placed["type"]) == ("FILLED", "MARKET")
    assert Decimal(placed["avgPrice"]) <= Decimal(stop["triggerPrice"])
    assert await bench.ask("GET", "/fapi/v3/positionRisk") == []


async def test_a_stop_on_the_wrong_side_of_the_price_is_refused(bench: Bench) -> None:
    await order(bench, "BUY", "0.1")
    parameters = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "algoType": "CONDITIONAL",
        "type": "STOP_MARKET",
        "quantity": "0.1",
        "triggerPrice": f"{last(bench) * 2:.2f}",
    }
    assert await bench.code("POST", "/fapi/v1/algoOrder", **parameters) == (400, -2021)


async def test_a_stop_without_a_position_expires_instead_of_opening_one(bench: Bench) -> None:
    await order(bench, "BUY", "0.1")
    stop = await conditional(
        bench, "SELL", "STOP_MARKET", last(bench) * Decimal("0.9995"), closePosition="true"
    )
    await order(bench, "SELL", "0.1", reduceOnly="true")
    for _ in range(600):
        bench.wait(minutes=1)
        found = await bench.ask("GET", "/fapi/v1/algoOrder", clientAlgoId=stop["clientAlgoId"])
        if found["algoStatus"] != "NEW":
            break
    assert found["algoStatus"] == "EXPIRED"
    assert await bench.ask("GET", "/fapi/v3/positionRisk") == []


async def test_a_cancelled_stop_does_nothing(bench: Bench) -> None:
    await order(bench, "BUY", "0.1")
    stop = await conditional(bench, "SELL", "STOP_MARKET", last(bench) * Decimal("0.9995"), quantity="0.1")
    (listed,) = await bench.ask("GET", "/fapi/v1/openAlgoOrders", symbol="BTCUSDT")
    assert listed["algoId"] == stop["algoId"]
    assert await bench.ask("GET", "/fapi/v1/openOrders", symbol="BTCUSDT") == []
    gone = await bench.ask("DELETE", "/fapi/v1/algoOrder", algoId=stop["algoId"])
    assert gone["msg"] == "success"
    bench.wait(hours=6)
    assert (await the_position(bench))["positionAmt"] == "0.10000000"


async def test_funding_is_paid_by_one_side_to_the_other(bench: Bench) -> None:
    await order(bench, "BUY", "0.1")
    bench.wait(hours=8)
    (paid,) = await bench.ask("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
    (rate,) = (await bench.client.get(f"/fapi/v1/fundingRate?symbol=BTCUSDT&startTime={paid['time']}")).json()
    assert rate["fundingTime"] == paid["time"]
    expected = -Decimal("0.1") * Decimal(rate["markPrice"]) * Decimal(rate["fundingRate"])
    assert Decimal(paid["income"]) == pytest.approx(expected, abs=CENT)


async def test_leverage_and_modes_change_only_when_they_may(bench: Bench) -> None:
    change = {"symbol": "BTCUSDT"}
    assert await bench.code("POST", "/fapi/v1/leverage", leverage=126, **change) == (400, -4028)
    assert await bench.code("POST", "/fapi/v1/marginType", marginType="CROSSED", **change) == (400, -4046)
    assert await bench.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false") == (400, -4059)
    await order(bench, "BUY", "0.1")
    assert await bench.code("POST", "/fapi/v1/marginType", marginType="ISOLATED", **change) == (400, -4048)
    assert await bench.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true") == (400, -4068)


async def test_hedged_positions_stand_beside_each_other(bench: Bench) -> None:
    await bench.ask("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    plain = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    assert await bench.code("POST", PATH, **plain) == (400, -4061)
    await order(bench, "BUY", "0.1", positionSide="LONG")
    await order(bench, "SELL", "0.2", positionSide="SHORT")
    rows = await bench.ask("GET", "/fapi/v3/positionRisk")
    assert {row["positionSide"]: row["positionAmt"] for row in rows} == {
        "LONG": "0.10000000",
        "SHORT": "-0.20000000",
    }
    closed = await order(bench, "SELL", "0.3", positionSide="LONG")
    assert closed["executedQty"] == "0.10000000"
    (row,) = await bench.ask("GET", "/fapi/v3/positionRisk")
    assert row["positionSide"] == "SHORT"


@pytest.mark.parametrize("margin", ["ISOLATED", "CROSSED"])
async def test_a_position_without_margin_is_liquidated(bench: Bench, margin: str) -> None:
    await setting(bench, leverage=125, margin=margin)
    if margin == "CROSSED":
        bench.account.wallet["USDT"] = Decimal(60)
    await order(bench, "BUY", "0.1")
    before = bench.account.wallet["USDT"]
    held = await the_position(bench)
    limit = Decimal(held["liquidationPrice"])
    assert 0 < limit < last(bench)
    for _ in range(5_000):
        bench.wait(minutes=10)
        if not await bench.ask("GET", "/fapi/v3/positionRisk"):
            break
    forced = (await bench.ask("GET", "/fapi/v1/allOrders", symbol="BTCUSDT"))[-1]
    assert forced["clientOrderId"].startswith("autoclose-")
    assert bench.account.wallet["USDT"] >= 0
    if margin == "ISOLATED":
        assert before - bench.account.wallet["USDT"] == Decimal(held["isolatedWallet"])


async def test_margin_can_be_added_to_an_isolated_position(bench: Bench) -> None:
    await setting(bench, leverage=10)
    await order(bench, "BUY", "0.1")
    before = await the_position(bench)
    change = {"symbol": "BTCUSDT", "type": 1}
    await bench.ask("POST", "/fapi/v1/positionMargin", amount="50", **change)
    after = await the_position(bench)
    assert Decimal(after["isolatedWallet"]) - Decimal(before["isolatedWallet"]) == 50
    assert Decimal(after["liquidationPrice"]) < Decimal(before["liquidationPrice"])
    assert await bench.code("POST", "/fapi/v1/positionMargin", amount="99999", **change) == (400, -4051)


async def test_the_announced_filters_are_the_ones_that_are_applied(bench: Bench) -> None:
    (market,) = [
        row
        for row in (await bench.client.get("/fapi/v1/exchangeInfo")).json()["symbols"]
        if row["symbol"] == "BTCUSDT"
    ]
    filters = {item["filterType"]: item for item in market["filters"]}
    up, down = (Decimal(filters["PERCENT_PRICE"][name]) for name in ("multiplierUp", "multiplierDown"))
    limit = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001"}
    for side, furthest, away, code in (("BUY", up, 1, -4016), ("SELL", down, -1, -4024)):
        price = f"{last(bench) * furthest + away:.2f}"
        assert await bench.code("POST", PATH, side=side, price=price, **limit) == (400, code)
        price = f"{last(bench) * furthest - away:.2f}"
        assert (await bench.ask("POST", PATH, side=side, price=price, **limit))["status"] == "FILLED"
    far = limit | {"side": "BUY", "price": f"{last(bench) / 2:.2f}"}
    for _ in range(filters["MAX_NUM_ORDERS"]["limit"]):
        await bench.ask("POST", PATH, **far)
    assert await bench.code("POST", PATH, **far) == (400, -2025)
    assert (await order(bench, "BUY", "0.001"))["status"] == "FILLED"


async def test_a_conditional_order_does_not_hide_the_order_of_the_same_client_id(bench: Bench) -> None:
    price = last(bench)
    limit = {"type": "LIMIT", "timeInForce": "GTC", "price": f"{price / 2:.2f}"}
    plain = await order(bench, "BUY", "0.001", newClientOrderId="mine", **limit)
    stop = await conditional(bench, "BUY", "STOP_MARKET", price * 2, quantity="0.001", clientAlgoId="mine")
    found = await bench.ask("GET", PATH, symbol="BTCUSDT", origClientOrderId="mine")
    assert found["orderId"] == plain["orderId"]
    found = await bench.ask("GET", "/fapi/v1/algoOrder", clientAlgoId="mine")
    assert found["algoId"] == stop["algoId"]
