"""A real bot is killed at each instant at which it may die, in dry run and with an account: it orders once.

The naive control (order first, record then) is killed at the worst of them, and orders twice.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.mongo.leases import LeaseStore
from quantbus_contracts.schema import Execution, Signal
from tests.e2e.killing.deadly_venue import DeadlyVenue, Instant, Trap
from tests.e2e.killing.nursery import ForkedBot
from tests.e2e.killing.theatre import Theatre, theatre
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PAIRS = [f"{name}/USDT" for name in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "BNB", "TRX", "ATOM")]
DRY_PAIRS = [f"{name}/USDT" for name in ("AVAX", "DOGE", "LINK", "UNI", "XLM")]
"""Of the dry run alone: what the tests before it have published may still be entered by its bot."""
NAIVE = Path(__file__).with_name("OrderThenRecord.py")
ORDER = "/api/v3/order"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with theatre(tmp_path_factory.mktemp("killing"), PAIRS + DRY_PAIRS) as running:
        yield running


def die(
    bot: ForkedBot, venue: DeadlyVenue, method: str, path: str, instant: Instant, after: str | None = None
) -> Trap:
    """Let the bot die at its next request of this kind; start it if it is not running."""
    trap = venue.trap = Trap(method, path, instant, bot.kill, after, armed=after is None)
    if not bot.is_alive:
        bot.start()
    return trap


def await_death(trap: Trap, bot: ForkedBot) -> None:
    eventually(lambda: trap.has_killed, within=90, what=f"the bot to die at {trap}; read {bot.log}")


def assert_bought_once(stage: Theatre, keys: dict[str, str], signal: Signal, row: Execution) -> None:
    buys = [order for order in stage.orders(keys, signal.pair) if order["side"] == "buy"]
    assert len(buys) == 1, f"{signal.pair}: {buys}"
    assert (row.state.value, row.order_ids) == ("filled", (buys[0]["id"],))
    assert row.amount == pytest.approx(buys[0]["filled"])


def test_a_bot_with_an_account_orders_once_whenever_it_dies(stage: Theatre) -> None:
    keys = stage.open_account("careful")
    with stage.bot("careful", keys) as (bot, venue):
        signals: dict[str, Signal] = {}

        def enter(pair: str) -> None:
            (signals[pair],) = stage.publish({pair: "enter_long"})

        before, unserved, late, unanswered, noted = PAIRS[:5]
        enter(before)
        await_death(die(bot, venue, "GET", "/depth", "never served"), bot)  # priced, and not claimed yet
        assert stage.claims("careful") == []
        for pair, instant in (
            (unserved, "never served"),
            (late, "served late"),
            (unanswered, "served, never answered"),
        ):
            enter(pair)
            trap = die(bot, venue, "POST", ORDER, instant)  # type: ignore[arg-type]
            await_death(trap, bot)
        asked = die(bot, venue, "GET", "/allOrders", "never served")  # while it finds out
        await_death(asked, bot)
        asked = die(bot, venue, "GET", "/allOrders", "served, never answered")
        await_death(asked, bot)
        enter(noted)
        trap = die(
            bot, venue, "GET", "/account", "never served", after="POST"
        )  # right after the trade is noted
        await_death(trap, bot)
        bot.start()
        rows = stage.await_ends("careful", list(signals.values()), within=120)
        bot.stop()
    for signal in signals.values():
        assert_bought_once(stage, keys, signal, rows[signal.signal_id])
    assert {claim["state"] for claim in stage.claims("careful")} == {"placed"}
    assert len(stage.trades("careful")) == len(signals)
    assert bot.kills == 7


def test_a_bot_that_dies_while_an_order_is_cancelled_does_not_order_again(stage: Theatre) -> None:
    deep = {"price_side": "same", "use_order_book": True, "order_book_top": 20}
    patient = {"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": False}
    keys = stage.open_account("patient")
    waits: dict[str, Any] = {
        "unfilledtimeout": {"entry": 3, "exit": 3, "unit": "seconds"},
        "entry_pricing": deep,
    }
    with stage.bot("patient", keys, order_types=patient, **waits) as (bot, venue):
        signals = []
        for pair, instant in ((PAIRS[5], "never served"), (PAIRS[6], "served, never answered")):
            signals += stage.publish({pair: "enter_long"})
            trap = die(bot, venue, "DELETE", ORDER, instant)  # type: ignore[arg-type]
            await_death(trap, bot)
        bot.start()
        rows = stage.await_ends("patient", signals, within=120)
        bot.stop()
    for signal in signals:
        orders = stage.orders(keys, signal.pair)
        assert [(order["side"], order["status"]) for order in orders] == [("buy", "canceled")]
        row = rows[signal.signal_id]
        assert (row.state.value, row.reason) == ("rejected", "order_cancelled")


def test_a_dry_run_that_is_killed_at_random_enters_once_and_misses_nothing(stage: Theatre) -> None:
    chance = random.Random(5)  # noqa: S311  # moments, not secrets
    with stage.bot("dry") as (bot, venue):
        signals = []
        for pair in DRY_PAIRS[:3]:
            signals += stage.publish({pair: "enter_long"})
            await_death(die(bot, venue, "GET", "/depth", "served, never answered"), bot)
        for pair in DRY_PAIRS[3:5]:
            signals += stage.publish({pair: "enter_long"})
            bot.start()
            time.sleep(chance.uniform(1.0, 6.0))
            bot.kill()
        bot.start()
        rows = stage.await_ends("dry", signals, within=120)
        bot.stop()
    assert {row.state.value for row in rows.values()} == {"filled"}
    tags = Counter(trade["enter_tag"] for trade in stage.trades("dry"))
    assert {tags[signal.signal_id] for signal in signals} == {1}
    assert set(tags.values()) == {1}, "nor did what other tests published enter twice"


def test_a_second_bot_on_the_account_is_refused_and_the_first_goes_on(stage: Theatre) -> None:
    keys = stage.open_account("shared")
    with stage.bot("first", keys) as (first, _), stage.bot("second", keys) as (second, _):
        first.start()
        eventually(lambda: "first" in traders(stage), within=90, what="a lease")
        second.start()
        eventually(lambda: not second.is_alive, within=90, what="the second bot to be refused")
        assert "found consumer first trading it" in second.log.read_text(encoding="utf-8")
        assert first.is_alive
        first.stop()
        second.start()
        eventually(lambda: "second" in traders(stage), within=90, what="an account that is free at once")


def traders(stage: Theatre) -> set[str]:
    """Return which bots hold an account."""
    return {lease.consumer_id for lease in LeaseStore(stage.connection).all()}


def test_a_bot_that_orders_first_and_records_then_orders_twice(stage: Theatre) -> None:
    """The control: were this to order once, the tests above would prove nothing."""
    keys = stage.open_account("naive")
    with stage.bot("naive", keys, strategy_file=NAIVE, strategy="OrderThenRecord") as (bot, venue):
        stage.publish({PAIRS[7]: "enter_long"})
        await_death(die(bot, venue, "POST", ORDER, "served, never answered"), bot)
        bot.start()
        eventually(lambda: bought_twice(stage, keys), within=60, what="a second order of one signal")
        bot.kill()
    assert len(bought_twice(stage, keys)) == 1


def bought_twice(stage: Theatre, keys: dict[str, str]) -> list[str]:
    """Return the pairs in which an account has bought more than once."""
    return [pair for pair in PAIRS if len(stage.orders(keys, pair)) > 1]
