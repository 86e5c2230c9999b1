"""Disagreements planted for real: an account at the paper exchange, a bot's API over HTTP, rows in a real mongod."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from quantbus_contracts.mongo.account_books import AccountBooks
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.schema import AccountMarket, Holding
from quantbus_contracts.testing import make_execution
from quantbus_services.monitor.reconciliation.kinds import KINDS
from quantbus_services.paper_exchange import PaperExchange
from tests.integration.monitor.theatre import AMOUNTS, Theatre, Trader, exchange, settled, theatre

pytestmark = [pytest.mark.integration, pytest.mark.proof, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def paper() -> Iterator[PaperExchange]:
    with exchange() as made:
        yield made


@pytest.fixture
async def stage(
    request: pytest.FixtureRequest,
    paper: PaperExchange,
    connection: Connection,
    async_connection: AsyncConnection,
) -> AsyncIterator[Theatre]:
    market: AccountMarket = getattr(request, "param", "swap")
    with theatre(paper, connection, async_connection, market) as made:
        yield made
        await made.mend()
        await made.close()


def entered(plant: Callable[[Trader, dict[str, Any]], object]) -> Callable[[Trader], object]:
    """Let the bot enter; then do something to its trade."""

    def done(trader: Trader) -> object:
        return plant(trader, trader.enter())

    return done


def ordered_without_trade(trader: Trader) -> None:
    signal = trader.publish(trader.pair("ETH"))
    now = trader.now()
    row = make_execution(
        signal, state="ordered", side="enter_long", available_at=now, seen_at=now, ordered_at=now
    )
    ExecutionWriter(trader.connection).record([row])


def filled_without_trade(trader: Trader) -> None:
    trade = trader.enter()
    trader.order(trade["pair"], "sell", trade["amount"])
    trader.api.open.clear()


def twice(trader: Trader) -> None:
    signal = trader.publish(trader.pair("BTC"))
    trader.enter(signal=signal)
    trader.enter(signal=signal)


def flat_on_the_bus(trader: Trader, trade: dict[str, Any]) -> None:
    row = Holding(
        consumer_id="bot", strategy_id="demo", pair=trade["pair"], side="flat", at=trader.now(), dry_run=False
    )
    AccountBooks(trader.connection).record([row])


def sold(trader: Trader, trade: dict[str, Any]) -> None:
    if trader.market == "spot":
        trader.cancel(trade)  # or its coins are locked
    amount = AMOUNTS["BTC"] * 0.99 if trader.market == "spot" else trade["amount"]
    trader.order(trade["pair"], "sell", amount)


def left_open(trader: Trader, trade: dict[str, Any]) -> None:
    price = float(trader.venue.fetch_ticker(trade["pair"])["last"]) * 1.03
    made = trader.venue.create_order(trade["pair"], "limit", "sell", trade["amount"] / 2, price)
    trade["orders"].append(trader.told(made["id"], "sell", is_open=False))


def lost_order(trader: Trader, trade: dict[str, Any]) -> None:
    trade["orders"].append(trader.told("424242", "sell", is_open=True))
    trade["has_open_orders"] = True


def foreign_order(trader: Trader) -> None:
    pair = trader.pair("ETH")
    price = float(trader.venue.fetch_ticker(pair)["last"]) * 0.98
    trader.venue.create_order(pair, "limit", "buy", AMOUNTS["ETH"], price)


def foreign_round_trip(trader: Trader) -> None:
    for side in ("buy", "sell"):
        trader.order(trader.pair("ETH"), side, AMOUNTS["ETH"])


def of_another_bot(trader: Trader) -> None:
    trader.consumer = "bot2"
    trader.enter()


def deposited(trader: Trader) -> None:
    board = "futures" if trader.market == "swap" else "spot"
    asked = {"account": trader.account, "board": board, "asset": "USDT", "amount": "500"}
    httpx.post(f"{trader.url}/paper/deposits", json=asked).raise_for_status()


def venue_fails(trader: Trader) -> None:
    httpx.put(f"{trader.url}/paper/faults/unavailable", json={"every": 1}).raise_for_status()


PLANTS: dict[str, Callable[[Trader], object]] = {
    "trade_without_signal": entered(lambda _, trade: trade.update(enter_tag="force_entry")),
    "trade_of_another_consumer": of_another_bot,
    "wrong_side": entered(
        lambda trader, trade: trader.write(trader.rows[trade["enter_tag"]], trade, 1.0, "enter_short")
    ),
    "open_against_signal": entered(lambda trader, trade: trader.publish(trade["pair"], "exit_long")),
    "filled_without_trade": filled_without_trade,
    "signal_without_trade": ordered_without_trade,
    "duplicate_trades": twice,
    "books_differ": entered(flat_on_the_bus),
    "account_flat": entered(sold),
    "account_holds_unknown": lambda trader: trader.order(trader.pair("ETH"), "buy", AMOUNTS["ETH"]),
    "amount_differs": entered(lambda trader, trade: trader.order(trade["pair"], "buy", trade["amount"])),
    "account_side_differs": entered(
        lambda trader, trade: trader.order(trade["pair"], "sell", 2 * trade["amount"])
    ),
    "order_unknown_to_bot": foreign_order,
    "order_left_open": entered(left_open),
    "order_unknown_at_venue": entered(lost_order),
    "stop_missing": entered(lambda trader, trade: trader.cancel(trade)),
    "fill_unknown_to_bot": foreign_round_trip,
    "balance_differs": deposited,
    "account_unknown": venue_fails,
}
SPOT_TOO = ("account_flat", "account_holds_unknown", "amount_differs", "stop_missing", "balance_differs")
CASES = [("swap", kind) for kind in PLANTS] + [("spot", kind) for kind in SPOT_TOO]


def test_every_kind_is_planted() -> None:
    assert set(PLANTS) == set(KINDS)


@pytest.mark.parametrize(("stage", "kind"), CASES, indirect=["stage"])
async def test_what_is_planted_is_found_within_two_cycles(stage: Theatre, kind: str) -> None:
    assert await stage.cycle() == []
    PLANTS[kind](stage.trader)
    assert kind in await stage.two_cycles()
    assert bool(stage.blocks()) == any(KINDS[one].blocks for one in stage.kinds())
    assert KINDS[kind].blocks <= bool(stage.blocks())


@pytest.mark.parametrize("stage", ["spot", "swap"], indirect=True)
async def test_a_bot_that_trades_as_it_says_raises_no_alarm(stage: Theatre) -> None:
    trader = stage.trader
    for base in ("BTC", "ETH", "BTC"):
        trade = trader.enter(base)
        assert await stage.cycle() == []
        settled()
        assert await stage.cycle() == []
        trader.leave(trade)
        assert await stage.cycle() == []
    settled()
    assert await stage.cycle() == []
    note = stage.check.note
    assert note.startswith("three sides, signals, bot and account live-")


async def test_what_was_found_stands_while_the_account_is_unknown_and_goes_once_it_is_explained(
    stage: Theatre,
) -> None:
    trader = stage.trader
    trade = trader.enter()
    trader.order(trade["pair"], "sell", trade["amount"])
    found = await stage.two_cycles()
    assert "account_flat" in found
    assert stage.blocks() == [f"pair:{trade['pair']}"]
    venue_fails(trader)
    found = await stage.cycle()
    assert {"account_flat", "account_unknown"} <= set(found)
    assert stage.blocks() == [f"pair:{trade['pair']}"]
    await stage.mend()
    trader.order(trade["pair"], "buy", trade["amount"])
    found = await stage.two_cycles()
    assert not {"account_flat", "account_unknown"} & set(found)
    assert stage.blocks() == []


async def test_a_dry_run_compares_two_sides_and_says_so(stage: Theatre) -> None:
    stage.trader.api.config["dry_run"] = True
    stage.trader.order(stage.trader.pair("ETH"), "buy", AMOUNTS["ETH"])
    assert await stage.two_cycles() == []
    assert stage.check.note.startswith("two sides")
