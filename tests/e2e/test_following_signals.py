"""A real bot follows signals: asserted on Freqtrade's own database and REST API, and on the ledger besides.

The tests share one bot (it takes long to boot), each on a pair of its own. The bot is killed by one of them and
started again; whichever comes after runs on the new process.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from quantbus_contracts.mongo.controls import ControlStore
from quantbus_contracts.mongo.risk_states import RiskStateStore
from quantbus_contracts.schema import Control, ControlKind, RiskState
from tests.e2e.stack import (
    CONSUMER,
    ONE_MINUTE,
    PAIRS,
    STRATEGY,
    Stack,
    early_in_a_bar,
    last_closed,
    next_closed,
    running_stack,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

BTC, ETH, SOL, XRP, ADA, DOT, LTC, BNB = PAIRS


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("e2e")) as running:
        yield running


def test_an_entry_is_filled_once_however_often_it_is_published_and_an_exit_closes_it(stack: Stack) -> None:
    entry = stack.bus.publish(BTC, "enter_long")
    trade = stack.trade_of(entry)
    row = stack.bus.end_of(entry)
    assert (row.state.value, row.trade_id, row.side) == ("filled", trade["id"], "enter_long")
    assert row.price == trade["open_rate"]
    assert row.amount == trade["amount"]
    moments = [row.available_at, row.seen_at, row.accepted_at, row.ordered_at, row.filled_at]
    assert all(earlier <= later for earlier, later in pairwise(m for m in moments if m is not None))

    stack.bus.publish(BTC, "enter_long", ts=entry.ts)
    stack.await_loops(3)
    assert len(stack.bot.trades(BTC)) == 1
    (status,) = [item for item in stack.bot.ask("/status") if item["pair"] == BTC]
    assert status["enter_tag"] == entry.signal_id

    leave = stack.bus.publish(BTC, "exit_long", ts=next_closed(entry.ts))
    closed = stack.await_closed(BTC)
    assert closed["exit_reason"] == f"exit_signal:{leave.signal_id}"
    row = stack.bus.end_of(leave)
    assert (row.state.value, row.trade_id, row.side, row.price) == (
        "filled",
        closed["id"],
        "exit_long",
        closed["close_rate"],
    )
    assert len(stack.bot.trades(BTC)) == 1


def test_what_may_not_trade_is_refused_with_its_reason(stack: Stack) -> None:
    now = early_in_a_bar(seconds_left=10)
    future = stack.bus.publish(SOL, "enter_long", ts=ONE_MINUTE.floor(now))
    expired = stack.bus.publish(
        ETH, "enter_long", valid_until=ONE_MINUTE.floor(now) + timedelta(milliseconds=1)
    )
    short = stack.bus.publish(XRP, "enter_short")
    late = stack.bus.publish(ADA, "enter_long", ts=last_closed() - 3 * ONE_MINUTE.delta)
    for signal, reason in (
        (expired, "expired"),
        (short, "spot_short"),
        (late, "expired"),
        (future, "future_stamped"),
    ):
        row = stack.bus.end_of(signal, within=75)
        assert (row.state.value, row.reason) == ("refused", reason)
        assert stack.bot.trades(signal.pair) == []


def test_a_control_and_a_risk_row_are_obeyed(stack: Stack) -> None:
    held = f"pair:{ETH}"
    controls, risk = ControlStore(stack.bus.connection), RiskStateStore(stack.bus.connection)
    now = stack.bus.connection.server_now()
    said = {"source": "operator", "reason": "e2e", "at": now, "by": "e2e"}
    controls.put(Control(scope=held, kind=ControlKind.BLOCK, **said))
    half = {"level": "warn", "stake_scale": 0.5, "reason": "e2e", "at": now, "by": "e2e"}
    risk.put(RiskState(strategy_id=STRATEGY, pair=ETH, **half))
    if (former := stack.bus.published.get(ETH)) is not None:
        next_closed(former.ts)  # about the same bar it would be a revision
    early_in_a_bar(seconds_left=25)
    entry = stack.bus.publish(ETH, "enter_long")
    stack.bus.await_seen(entry)
    row = stack.bus.row(entry)
    assert row is not None
    assert row.reason == "blocked"
    assert stack.bot.trades(ETH) == []
    assert controls.lift(held, "operator", by="e2e")
    trade = stack.trade_of(entry)
    assert trade["stake_amount"] == pytest.approx(10.0, rel=0.05), "half of the bot's 20"
    controls.put(Control(scope=held, kind=ControlKind.FLATTEN, **said))
    closed = stack.await_closed(ETH)
    assert closed["exit_reason"] == "flatten"
    assert stack.bus.end_of(entry).state.value == "filled"
    assert controls.lift(held, "operator", by="e2e")


def test_an_entry_revised_to_an_exit_closes_the_trade_it_opened(stack: Stack) -> None:
    entry = stack.bus.publish(DOT, "enter_long")
    stack.trade_of(entry)
    stack.bus.end_of(entry)
    stack.bus.publish(DOT, "exit_long", ts=entry.ts)
    closed = stack.await_closed(DOT)
    assert closed["exit_reason"] == f"revised:{entry.signal_id}"
    row = stack.bus.end_of(entry, version=2)
    assert (row.state.value, row.reason) == ("filled", "revised")


def test_without_the_bus_nothing_is_entered_a_known_exit_goes_on_and_the_loop_too(stack: Stack) -> None:
    held = stack.bus.publish(LTC, "enter_long")
    stack.trade_of(held)
    stack.venue.without_book |= {"LTCUSDT", "ADAUSDT"}  # neither can be priced, so neither can be acted upon
    leave = stack.bus.publish(LTC, "exit_long", ts=held.ts)
    wanted = stack.bus.publish(ADA, "enter_long")
    stack.bus.await_seen(leave, version=2)
    stack.bus.await_seen(wanted)
    stack.bus.hang()
    try:
        silence = stack.await_loops(4)
        stack.venue.without_book.clear()
        closed = stack.await_closed(LTC)
        assert closed["exit_reason"] == f"revised:{held.signal_id}"
        stack.bus.kill()
        silence = max(silence, stack.await_loops(4))
        assert stack.bot.trades(ADA) == []
        assert silence < 4, f"the loop was silent for {silence:.1f} s; read {stack.bot.log}"
    finally:
        stack.bus.revive()
    row = stack.bus.end_of(leave, version=2)
    assert (row.state.value, row.price) == ("filled", closed["close_rate"])
    row = stack.bus.end_of(wanted, within=180)
    assert row.state.value in ("filled", "refused")
    assert len(stack.bot.trades(ADA)) == (1 if row.state.value == "filled" else 0)


def test_a_killed_bot_opens_no_second_trade_and_takes_what_came_meanwhile(stack: Stack) -> None:
    before = stack.bus.publish(BNB, "enter_long")
    stack.trade_of(before)
    stack.bot.kill()
    stack.bus.publish(BNB, "enter_long", ts=before.ts)
    meanwhile = stack.bus.publish(XRP, "enter_long")
    stack.bot.start()
    row = stack.bus.end_of(before)
    assert row.state.value == "filled"
    row = stack.bus.end_of(meanwhile, within=180)
    assert (row.state.value, len(stack.bot.trades(XRP))) in (("filled", 1), ("refused", 0))
    stack.await_loops(3)
    assert [trade["enter_tag"] for trade in stack.bot.trades(BNB)] == [before.signal_id]


def test_the_bot_gives_signs_of_life_and_only_ever_reads_from_the_venue(stack: Stack) -> None:
    (beat,) = [beat for beat in stack.bus.heartbeats() if beat.process == "executor"]
    assert beat.instance == CONSUMER
    assert beat.detail["unsent_ledger_rows"] == 0
    assert stack.venue.methods == {"GET"}
