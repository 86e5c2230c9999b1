"""What a client sees of its orders when things go wrong: unmodified ccxt with a key of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import ccxt
import httpx
import pytest

from quantbus_contracts.testing import FrozenClock
from quantbus_services.paper_exchange import PaperExchange

pytestmark = pytest.mark.integration
BOARDS = ("BTC/USDT", "BTC/USDT:USDT")
AMOUNT = 0.01
_NUMBERS = count(1)


@dataclass
class Bench:
    """An exchange on a clock that stands, and a client with an account."""

    clock: FrozenClock
    client: ccxt.binance
    control: httpx.Client

    def switch(self, name: str, **settings: object) -> None:
        self.control.put(f"/paper/faults/{name}", json=settings).raise_for_status()

    def injected(self, name: str) -> int:
        return int(self.control.get("/paper/faults").json()["injected"].get(name, 0))

    def buy(self, pair: str, client_id: str) -> Any:
        return self.client.create_order(pair, "market", "buy", AMOUNT, params={"newClientOrderId": client_id})

    def lose(self, pair: str, client_id: str, error: type[Exception]) -> None:
        """Place an order and get no answer."""
        self.client.timeout = 500
        with pytest.raises(error):
            self.buy(pair, client_id)
        self.client.timeout = 20_000

    def find(self, pair: str, client_id: str) -> Any:
        return self.client.fetch_order(None, pair, {"origClientOrderId": client_id})

    def trades(self, pair: str) -> list[Any]:
        return list(self.client.fetch_my_trades(pair))

    def free(self, pair: str) -> float:
        kind = "swap" if ":" in pair else "spot"
        return float(self.client.fetch_balance({"type": kind})["USDT"]["free"])


@pytest.fixture(scope="module")
def running() -> Iterator[Bench]:
    clock = FrozenClock(datetime(2026, 1, 5, 12, 0, 20, tzinfo=UTC))
    with PaperExchange(
        clock=clock, symbols="BTC/USDT,ETH/USDT", seed=7, history="2d", accounts=True
    ) as paper:
        client = ccxt.binance(paper.ccxt_config(enableRateLimit=False, timeout=20_000))
        client.milliseconds = lambda: int(clock.now().timestamp() * 1000)
        client.load_markets()
        with httpx.Client(base_url=paper.url, trust_env=False) as control:
            yield Bench(clock, client, control)
        client.close()


@pytest.fixture
def bench(running: Bench) -> Bench:
    """A fresh account, no fault."""
    running.control.delete("/paper/faults").raise_for_status()
    running.clock.advance(timedelta(seconds=30))
    money = {"USDT": "10000"}
    asked = {"name": f"bot{next(_NUMBERS)}", "spot": money, "futures": money, "keys": [{}]}
    [key] = running.control.post("/paper/accounts", json=asked).raise_for_status().json()["keys"]
    running.client.apiKey, running.client.secret = key["api_key"], key["secret"]
    running.client.options["timeDifference"] = 0
    return running


@pytest.mark.parametrize("pair", BOARDS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("timeout_after_acceptance", ccxt.RequestTimeout),
        ("accepted_but_503", ccxt.OperationFailed),
        ("accepted_but_504", ccxt.OperationFailed),
    ],
)
def test_an_order_whose_answer_is_lost_is_found_by_its_client_order_id(
    bench: Bench, pair: str, fault: str, error: type[Exception]
) -> None:
    bench.switch(fault, times=1)

    bench.lose(pair, "lost-1", error)

    order = bench.find(pair, "lost-1")
    assert (order["status"], order["filled"]) == ("closed", AMOUNT)
    assert sum(trade["amount"] for trade in bench.trades(pair)) == AMOUNT
    assert bench.injected(fault) > 0


@pytest.mark.parametrize("pair", BOARDS)
def test_an_order_lost_on_the_way_there_is_not_found(bench: Bench, pair: str) -> None:
    bench.switch("timeout_before_acceptance", times=1)
    before = bench.free(pair)

    bench.lose(pair, "never-1", ccxt.RequestTimeout)

    with pytest.raises(ccxt.OrderNotFound):
        bench.find(pair, "never-1")
    assert (bench.trades(pair), bench.free(pair)) == ([], before)
    assert bench.buy(pair, "never-1")["filled"] == AMOUNT


@pytest.mark.parametrize("pair", BOARDS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [("insufficient_balance", ccxt.ExchangeError), ("order_rejected", ccxt.ExchangeError)],
)
def test_a_refused_order_leaves_the_account_as_it_was(
    bench: Bench, pair: str, fault: str, error: type[Exception]
) -> None:
    before = bench.free(pair)
    bench.switch(fault, times=1)

    with pytest.raises(error) as caught:
        bench.buy(pair, "refused-1")

    assert not isinstance(caught.value, ccxt.OperationFailed)
    assert (bench.trades(pair), bench.free(pair)) == ([], before)
    with pytest.raises(ccxt.OrderNotFound):
        bench.find(pair, "refused-1")
    assert bench.buy(pair, "refused-2")["filled"] == AMOUNT


@pytest.mark.parametrize("pair", BOARDS)
def test_a_fill_told_twice_has_one_trade_id(bench: Bench, pair: str) -> None:
    bench.buy(pair, "twice-1")
    once = bench.trades(pair)
    bench.switch("fill_reported_twice")

    twice = bench.trades(pair)

    assert len(twice) == 2 * len(once)
    assert {trade["id"] for trade in twice} == {trade["id"] for trade in once}
    assert sum({trade["id"]: trade["amount"] for trade in twice}.values()) == AMOUNT


@pytest.mark.parametrize("pair", BOARDS)
def test_a_fill_told_late_comes_in_the_end(bench: Bench, pair: str) -> None:
    bench.switch("fill_reported_late", seconds=10)
    bench.buy(pair, "late-1")

    assert bench.trades(pair) == []
    assert bench.find(pair, "late-1")["filled"] == AMOUNT
    bench.clock.advance(timedelta(seconds=11))
    assert sum(trade["amount"] for trade in bench.trades(pair)) == AMOUNT


@pytest.mark.parametrize("pair", BOARDS)
def test_a_clock_that_is_off_is_refused_until_the_client_compares_it_anew(bench: Bench, pair: str) -> None:
    bench.switch("clock_jump", seconds=-3600)

    with pytest.raises(ccxt.InvalidNonce):
        bench.buy(pair, "clock-1")

    bench.client.load_time_difference()
    assert bench.buy(pair, "clock-1")["filled"] == AMOUNT


def test_signed_requests_can_be_refused_as_if_the_key_were_wrong(bench: Bench) -> None:
    bench.switch("auth_error")

    with pytest.raises((ccxt.AuthenticationError, ccxt.DDoSProtection)):
        bench.free("BTC/USDT")
    assert bench.client.fetch_ticker("BTC/USDT")["last"] > 0


def test_when_a_market_is_delisted_holdings_stand_positions_are_settled_and_orders_refused(
    bench: Bench,
) -> None:
    bench.buy("ETH/USDT", "before-1")
    bench.buy("ETH/USDT:USDT", "before-2")
    held = bench.client.fetch_balance({"type": "spot"})["ETH"]["total"]
    bench.switch("delisting", symbol="ETH/USDT")
    bench.clock.advance(timedelta(minutes=2))

    for pair in ("ETH/USDT", "ETH/USDT:USDT"):
        with pytest.raises(ccxt.ExchangeError):
            bench.buy(pair, "after-1")

    assert held > 0
    assert bench.client.fetch_balance({"type": "spot"})["ETH"]["total"] == held
    assert bench.client.fetch_positions(["ETH/USDT:USDT"]) == []
    assert bench.buy("BTC/USDT:USDT", "other-1")["filled"] == AMOUNT
