"""What a real Freqtrade refuses without a word is named in the ledger; what the bus missed is told it later.

One bot with two slots and little money; each refusal on a pair of its own. The last test kills bus and bot.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.embedded import start_server
from quantbus_contracts.mongo.account_books import AccountBooks
from quantbus_contracts.schema import Execution, Signal
from quantbus_contracts.testing import make_signal
from tests.e2e.bus_view import CONSUMER, ONE_MINUTE, PAIRS, STRATEGY, last_closed
from tests.e2e.stack import (
    Bus,
    Stack,
    early_in_a_bar,
    environment_of,
    make_bot,
    run_quantbus,
    start_exchange,
)
from tests.e2e.venue_proxy import VenueProxy
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

BTC, ETH, SOL, XRP, ADA, DOT, LTC, BNB = PAIRS
WALLET, STAKE = 32.0, 20.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("refusals")


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    environment = environment_of(folder / "home")
    with ExitStack() as ending:
        bus = Bus(start_server(folder / "home"))
        ending.callback(bus.close)
        run_quantbus(["bus", "init"], environment)
        bus.declare()
        venue = ending.enter_context(VenueProxy(start_exchange(folder, environment, ending)))
        bot = make_bot(folder, venue.url, environment)
        config = json.loads((folder / "bot.json").read_text(encoding="utf-8"))
        config |= {
            "max_open_trades": 2,
            "dry_run_wallet": WALLET,
            "stake_amount": STAKE,
            "force_entry_enable": True,
        }
        config["exchange"]["pair_whitelist"] = [pair for pair in PAIRS if pair != LTC]
        (folder / "bot.json").write_text(json.dumps(config), encoding="utf-8")
        bot.start()
        ending.callback(bot.stop)
        yield Stack(bus, bot, venue)


def publish(stack: Stack, pair: str, **fields: Any) -> Signal:
    """Publish a signal, unless told otherwise an entry about the bar that closed last."""
    given = {"action": "enter_long", "ts": last_closed(), **fields}
    signal = make_signal(strategy_id=STRATEGY, pair=pair, **given)
    publish_all(stack, [signal])
    return signal


def publish_all(stack: Stack, signals: Sequence[Signal]) -> None:
    report = SignalBus(stack.bus.connection, publisher="e2e").publish(signals)
    assert report.ok, report.as_dict()


def await_reason(stack: Stack, signal: Signal, reason: str, *, within: float = 60.0) -> Execution:
    """Return the row of a signal once the ledger gives this reason."""

    def given() -> Execution | None:
        row = stack.bus.row(signal)
        return row if row is not None and row.reason == reason else None

    try:
        return eventually(given, within=within, what=f"{signal.pair}: {reason}")
    except AssertionError:
        raise AssertionError(f"{signal.pair}: expected {reason}, found {stack.bus.row(signal)}") from None


def test_each_refusal_that_freqtrade_keeps_to_itself_is_named(stack: Stack) -> None:
    until = (datetime.now(UTC) + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    stack.bot.tell("/locks", [{"pair": ETH, "until": until, "side": "*", "reason": "e2e"}])
    stack.venue.without_book.add("ADAUSDT")
    early_in_a_bar(seconds_left=30)
    locked, unpriced, foreign = publish(stack, ETH), publish(stack, ADA), publish(stack, LTC)
    tiny = publish(stack, SOL, action=None, weight=0.001)
    await_reason(stack, locked, "locked")
    await_reason(stack, unpriced, "no_price")
    await_reason(stack, foreign, "out_of_whitelist")
    await_reason(stack, tiny, "stake_below_minimum")
    assert [stack.bot.trades(pair) for pair in (ETH, ADA, LTC, SOL)] == [[], [], [], []]


def test_a_signal_that_waited_for_a_pause_to_end_trades_and_too_little_money_or_no_slot_is_told(
    stack: Stack,
) -> None:
    stack.bot.tell("/pause")
    stack.await_loops(2)
    early_in_a_bar(seconds_left=25)
    paused = publish(stack, XRP)
    await_reason(stack, paused, "paused")
    stack.bot.tell("/start")
    stack.trade_of(paused, within=60)
    assert stack.bus.end_of(paused).reason is None
    poor = publish(stack, BTC)
    await_reason(stack, poor, "no_balance")
    stack.bot.tell("/forceenter", {"pair": DOT, "side": "long", "stakeamount": 6.0})
    crowded = publish(stack, BNB)
    await_reason(stack, crowded, "no_slot")
    late = publish(stack, BTC, ts=poor.ts, valid_until=datetime.now(UTC) + timedelta(seconds=8))
    row = stack.bus.end_of(late, version=2)
    assert (row.state.value, row.reason) in [("refused", "no_slot"), ("refused", "no_balance")]


def test_signals_that_newer_ones_hid_come_to_an_end(stack: Stack) -> None:
    early_in_a_bar(seconds_left=10)
    older, newer = (
        make_signal(strategy_id=STRATEGY, pair=SOL, ts=last_closed() - ago * ONE_MINUTE.delta, action=action)
        for ago, action in ((1, "enter_long"), (0, "exit_long"))
    )
    publish_all(stack, [older, newer])
    row = await_reason(stack, older, "superseded")
    assert row.state.value == "superseded"
    assert stack.bus.end_of(newer).reason in ("nothing_to_exit", "below_threshold")


def test_fills_positions_and_balances_reach_a_bus_that_was_dead_and_a_bot_that_was_killed(
    stack: Stack, folder: Path
) -> None:
    books = AccountBooks(stack.bus.connection)
    (trade,) = stack.bot.trades(XRP)

    def held() -> bool:
        return any(row.pair == XRP and row.side == "long" for row in books.positions(consumer_id=CONSUMER))

    eventually(held, within=30, what="the position of XRP on the bus")
    (fill,) = books.fills(signal_id=trade["enter_tag"])
    assert (fill.trade_id, fill.price, fill.amount) == (trade["id"], trade["open_rate"], trade["amount"])
    assert any(row.currency == "USDT" and row.free < WALLET for row in books.balances())
    stack.bus.kill()
    stack.bot.tell("/forceexit", {"tradeid": str(trade["id"]), "ordertype": "market"})
    closed = stack.await_closed(XRP)
    stack.bot.kill()
    assert (folder / "trades.outbox.sqlite").is_file()
    stack.bot.start()  # without a bus: stops and what is known go on
    stack.bus.revive()

    def told() -> bool:
        with contextlib.suppress(Exception):
            fills = [row for row in books.fills(consumer_id=CONSUMER) if row.pair == XRP]
            flat = [row for row in books.positions() if row.pair == XRP and row.side == "flat"]
            return len(fills) == 2 and bool(flat)
        return False

    eventually(told, within=90, what=f"the exit of XRP on the bus; read {stack.bot.log}")
    leave = next(row for row in books.fills(consumer_id=CONSUMER) if row.purpose == "exit")
    assert (leave.price, leave.side, leave.signal_id) == (closed["close_rate"], "sell", None)
    assert not [line for line in stack.bot.log.read_text().splitlines() if "Traceback" in line]
