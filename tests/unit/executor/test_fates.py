"""Every signal comes to one end: those that newer ones hid, those that Freqtrade refuses without a word."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from quantbus_contracts.policy import PositionSide, Reason, TradingRules
from quantbus_contracts.schema import FINAL_STATES, Balance, Execution, ExecutionState, Fill, Holding
from quantbus_contracts.testing import FakeAccountBooks, make_execution
from quantbus_executor.ledger.outbox import Outbox
from quantbus_executor.ledger.reports import Reporter, Reports
from quantbus_executor.ledger.sweep import Sweep
from quantbus_executor.trades.overheard import Overheard, reason_of_failure
from tests.unit.executor.rig import MINUTE, PAIR, PAIRS, SECOND, FakeOrder, Rig


@dataclass
class FakeWallet:
    free: float
    total: float


@dataclass
class FakeHouse:
    """Freqtrade's own conditions, as a test sets them."""

    rig: "Bot"
    slots: float = 10
    locked: set[str] = field(default_factory=set)
    candles: dict[str, datetime | None] = field(default_factory=dict)
    depth: bool = False
    paused: bool = False
    has: dict[str, FakeWallet] = field(default_factory=lambda: {"USDT": FakeWallet(900.0, 1_000.0)})

    def free_slots(self) -> float:
        return self.slots - len(self.rig.book.open_trades())

    def is_locked(self, pair: str, side: PositionSide) -> bool:
        return pair in self.locked

    def newest_candle(self, pair: str) -> datetime | None:
        return self.candles.get(pair, self.rig.clock.now() - MINUTE)

    def oldest_candle_allowed(self) -> timedelta:
        return 7 * MINUTE

    def looks_at_depth(self) -> bool:
        return self.depth

    def wallets(self) -> Mapping[str, FakeWallet]:
        return self.has


class Bot(Rig):
    """A bot with Freqtrade's conditions around it, an outbox on the disk, a sweep and reports."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self._folder = folder
        self.books = FakeAccountBooks()
        self.house = FakeHouse(self)
        self.refuses: dict[str, Callable[[], None]] = {}
        super().__init__(**given)

    def open_outbox(self) -> Outbox:
        self.outbox = Outbox(self._folder / "out.sqlite")
        return self.outbox

    def further_parts(self) -> dict[str, Any]:
        sweep = Sweep(
            self.bus,
            self.journal,
            self.outbox,
            self.ledger,
            strategy_id="test",
            timeframe=self.timeframe,
            rules=self.rules,
        )
        reports = Reports(Reporter("bot", "test", dry_run=True), self.book, self.outbox, self.books)
        return {"house": self.house, "sweep": sweep, "reports": reports}

    def _maybe_enter(self, pair: str) -> None:
        newest = self.house.newest_candle(pair)
        if newest is None:
            return  # nothing is analysed
        self.follower.entries.mark(pd.DataFrame({"close": [1.0]}), pair)
        stale = newest < self.clock.now() - self.house.oldest_candle_allowed()
        if self.house.paused or self.house.free_slots() <= 0 or stale or pair in self.house.locked:
            return
        if pair in self.refuses:
            self.refuses[pair]()
            return
        super()._maybe_enter(pair)


@pytest.fixture
def bot(tmp_path: Path) -> Bot:
    made = Bot(tmp_path)
    made.clock.advance(SECOND)
    made.loop()
    return made


def no_slot(bot: Bot) -> None:
    bot.house.slots = 0


def lock(bot: Bot) -> None:
    bot.house.locked.add(PAIR)


def no_candles(bot: Bot) -> None:
    bot.house.candles[PAIR] = None


def stale_candles(bot: Bot) -> None:
    bot.house.candles[PAIR] = bot.clock.now() - 8 * MINUTE


def pause(bot: Bot) -> None:
    bot.house.paused = True


def shallow_market(bot: Bot) -> None:
    bot.house.depth = bot.house.paused = True


def failing(reason: Reason) -> Callable[[Bot], None]:
    def fail(bot: Bot) -> None:
        bot.refuses[PAIR] = lambda: bot.follower.entries.heard(PAIR, reason)

    return fail


@pytest.mark.parametrize(
    ("hinder", "reason"),
    [
        (no_slot, "no_slot"),
        (lock, "locked"),
        (no_candles, "no_candles"),
        (stale_candles, "stale_candles"),
        (pause, "paused"),
        (shallow_market, "depth_of_market"),
        (failing(Reason.NO_PRICE), "no_price"),
        (failing(Reason.NO_BALANCE), "no_balance"),
        (failing(Reason.VENUE_ERROR), "venue_error"),
    ],
)
def test_what_freqtrade_refuses_is_named_while_it_waits_and_when_its_time_is_over(
    bot: Bot, hinder: Callable[[Bot], None], reason: str
) -> None:
    hinder(bot)
    signal = bot.publish()
    bot.loop()
    bot.loop()
    assert bot.fate(signal) == ("seen", reason)
    bot.loop(passes=3 * MINUTE)
    assert bot.fate(signal) == ("refused", reason)
    assert bot.entries() == []


def test_what_passes_in_time_leaves_no_reason_behind(bot: Bot) -> None:
    lock(bot)
    signal = bot.publish()
    bot.loop()
    bot.loop()
    assert bot.fate(signal) == ("seen", "locked")
    bot.house.locked.clear()
    bot.loop()
    assert bot.fate(signal) == ("filled", None)


def test_a_lock_that_ended_with_the_loop_is_named_all_the_same(bot: Bot) -> None:
    lock(bot)
    signal = bot.publish()
    bot.loop()
    bot.house.locked.clear()
    bot.follower.on_loop(PAIRS)
    assert bot.fate(signal) == ("seen", "locked")


def test_a_freqtrade_that_cannot_say_keeps_nothing_from_trading(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> float:
        raise KeyError("no such pair")

    for name in ("free_slots", "is_locked", "newest_candle", "looks_at_depth"):
        monkeypatch.setattr(bot.house, name, fail)
    signal = bot.publish()
    bot.clock.advance(SECOND)
    bot.follower.on_loop(PAIRS)
    bot.follower.on_loop(PAIRS)
    assert bot.follower.entries.confirm(PAIR, signal.signal_id, "long")


def test_too_little_money_for_the_least_stake_is_not_called_a_small_stake(bot: Bot) -> None:
    signal = bot.publish()
    bot.clock.advance(SECOND)
    bot.follower.on_loop(PAIRS)
    stake = bot.follower.entries.stake
    assert stake(PAIR, signal.signal_id, 100.0, 1_000.0, 3.0, 5.0) == 0.0
    assert bot.fate(signal) == ("seen", "no_balance")
    assert stake(PAIR, signal.signal_id, 2.0, 1_000.0, 900.0, 5.0) == 0.0
    assert bot.fate(signal) == ("seen", "stake_below_minimum")


def test_an_order_that_the_venue_refused_ends_the_signal_and_is_not_tried_again(bot: Bot) -> None:
    signal = bot.publish()
    bot.places_orders = False
    bot.loop()
    bot.follower.entries.heard(PAIR, Reason.ORDER_REJECTED)
    bot.places_orders = True
    bot.loop()
    bot.loop()
    assert bot.fate(signal) == ("rejected", "order_rejected")
    assert bot.entries() == []


def test_an_order_that_has_a_trade_was_not_refused_whatever_the_log_says(bot: Bot) -> None:
    signal = bot.publish()
    bot.fills_orders = False
    bot.loop()
    bot.follower.entries.heard(PAIR, Reason.ORDER_REJECTED)
    bot.loop()
    assert bot.fate(signal) == ("ordered", None)


class DependencyException(Exception):
    """Named as Freqtrade's own."""


class PricingError(DependencyException):
    pass


class ExchangeError(DependencyException):
    pass


class InvalidOrderException(ExchangeError):
    pass


class InsufficientFundsError(InvalidOrderException):
    pass


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (DependencyException("Available balance (3 USDT) is lower than stake amount"), Reason.NO_BALANCE),
        (PricingError(), Reason.NO_PRICE),
        (ExchangeError(), Reason.VENUE_ERROR),
        (InvalidOrderException(), Reason.ORDER_REJECTED),
        (InsufficientFundsError(), Reason.ORDER_REJECTED),
    ],
)
def test_freqtrades_log_is_listened_to(failure: Exception, reason: Reason) -> None:
    heard: list[tuple[str, Reason]] = []
    overheard = Overheard(lambda pair, why: heard.append((pair, why)), source="test.freqtradebot")
    log = logging.getLogger("test.freqtradebot")
    overheard.begin()
    try:
        log.warning("Unable to create trade for %s: %s", PAIR, failure)
        log.warning("something else about %s: %s", PAIR, "x")
        log.warning(
            f"Long GTC order with time in force market for {PAIR} is rejected by binance. zero amount is fulfilled."
        )
    finally:
        overheard.end()
    log.warning("Unable to create trade for %s: %s", PAIR, failure)
    assert heard == [(PAIR, reason), (PAIR, Reason.ORDER_REJECTED)]
    assert reason_of_failure(failure) is reason


def test_a_signal_that_a_newer_one_hid_is_superseded(bot: Bot) -> None:
    hidden = bot.publish(ts=bot.timeframe.last_closed(bot.clock.now()) - MINUTE)
    newer = bot.publish("exit_long")
    bot.loop(passes=11 * SECOND)
    assert bot.fate(hidden) == ("superseded", "superseded")
    assert bot.fate(newer)[0] == "refused"


def test_a_revision_that_a_newer_signal_hid_ends_no_doubt_about_an_order(bot: Bot) -> None:
    former = bot.publish(ts=bot.timeframe.last_closed(bot.clock.now()) - MINUTE)
    bot.journal.put(make_execution(former.signal, state=ExecutionState.UNKNOWN, reason="unresolved"))
    bot.publish("exit_long")
    bot.publish(ts=former.signal.ts, score=0.9)
    bot.loop(passes=11 * SECOND)
    assert bot.fate(former) == ("unknown", "unresolved")


def test_what_came_while_the_bot_was_away_ends_as_never_seen_in_time(bot: Bot) -> None:
    bot.loop(passes=11 * SECOND)
    rows = [bot.publish(ts=bot.timeframe.last_closed(bot.clock.advance(MINUTE))) for _ in range(4)]
    bot.clock.advance(10 * MINUTE)
    last = bot.publish()
    bot.start()
    for _ in range(3):
        bot.loop(passes=11 * SECOND)
    assert [bot.fate(row) for row in rows] == [("expired_unseen", "expired")] * 4
    assert bot.fate(last) == ("filled", None)


def test_a_pair_outside_the_whitelist_waits_for_it_and_ends_with_its_reason(bot: Bot) -> None:
    signal, leave = bot.publish(pair="SOL/USDT"), bot.publish("exit_long", pair="XRP/USDT")
    bot.loop(passes=11 * SECOND)
    assert bot.fate(signal) == ("seen", "out_of_whitelist")
    assert bot.fate(leave) == ("refused", "nothing_to_exit")
    bot.loop(passes=3 * MINUTE)
    assert bot.fate(signal) == ("refused", "out_of_whitelist")


def test_rows_of_the_future_and_of_the_past_are_neither_traded_nor_left_open(bot: Bot) -> None:
    closed = bot.timeframe.last_closed(bot.clock.now())
    future = bot.publish(ts=closed + 60 * MINUTE)
    backfill = bot.publish(ts=closed - 60 * MINUTE, origin="backfill", pair="SOL/USDT")
    bot.loop(passes=11 * SECOND)
    assert bot.fate(future) == ("refused", "future_stamped")
    assert ("bot", backfill.signal_id) not in bot.ledger.rows


def test_a_sweep_after_a_restart_leaves_alone_what_was_decided_before(bot: Bot) -> None:
    first = bot.publish()
    bot.loop()
    bot.clock.advance(MINUTE)
    bot.publish("exit_long")
    bot.loop()
    bot.loop(passes=11 * SECOND)
    bot.journal.flush()
    before = dict(bot.ledger.rows)
    bot.start()
    for _ in range(3):
        bot.loop(passes=11 * SECOND)
    assert bot.ledger.rows == before
    assert bot.fate(first) == ("filled", None)


def test_more_signals_than_a_page_are_all_brought_to_an_end(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantbus_executor.ledger.sweep._PAGE", 3)
    bot.loop(passes=11 * SECOND)
    bot.clock.advance(30 * MINUTE)
    start = bot.timeframe.last_closed(bot.clock.now())
    rows = [bot.publish(ts=start - number * MINUTE) for number in range(10)]
    for _ in range(6):
        bot.loop(passes=11 * SECOND)
    bot.journal.flush()
    assert all(bot.row(row).state in FINAL_STATES for row in rows)


def test_a_bus_that_refuses_the_sweep_delays_no_loop_and_loses_nothing(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = bot.publish(ts=bot.timeframe.last_closed(bot.clock.now()) - MINUTE)
    signal = bot.publish()
    bot.ledger.down = True
    bot.loop(passes=11 * SECOND)
    assert bot.entries() == [signal.signal_id]
    bot.ledger.down = False
    bot.loop(passes=11 * SECOND)
    assert bot.fate(hidden) == ("superseded", "superseded")


def test_a_ledger_row_that_nobody_can_read_holds_up_no_sweep(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object, **__: object) -> list[Execution]:
        raise ValueError("a row of another version of quantbus")

    left = bot.publish("exit_long")
    bot.start()
    monkeypatch.setattr(bot.ledger, "of_signal", unreadable)
    monkeypatch.setattr(bot.ledger, "of_consumer", unreadable)
    bot.loop(passes=11 * SECOND)
    bot.clock.advance(5 * MINUTE)
    hidden = bot.publish(pair="ETH/USDT", ts=bot.timeframe.last_closed(bot.clock.now()) - MINUTE)
    bot.publish(pair="ETH/USDT")
    bot.loop(passes=11 * SECOND)
    assert bot.fate(hidden) == ("superseded", "superseded")
    assert ("bot", left.signal_id) not in bot.ledger.rows
    place = bot.outbox.place("sweep")
    assert place is not None
    assert place > left.available_at + 4 * MINUTE


def test_fills_positions_and_balances_are_told_and_flat_is_told_too(bot: Bot) -> None:
    signal = bot.publish()
    bot.loop()
    bot.loop(passes=6 * SECOND)
    (fill,) = bot.books.fills(signal_id=signal.signal_id)
    assert (fill.side, fill.purpose, fill.price, fill.trade_id) == ("buy", "entry", 100.0, 1)
    (holding,) = bot.books.positions()
    assert (holding.side, holding.signal_id, holding.entry_price) == ("long", signal.signal_id, 100.0)
    (balance,) = bot.books.balances()
    assert (balance.currency, balance.free, balance.total) == ("USDT", 900.0, 1_000.0)
    bot.clock.advance(MINUTE)
    bot.publish("exit_long")
    bot.loop()
    bot.loop(passes=6 * SECOND)
    assert [fill.purpose for fill in bot.books.fills()] == ["entry", "exit"]
    assert [row.side for row in bot.books.positions()] == ["flat"]


def test_a_currency_of_which_nothing_is_left_is_told_as_nothing(bot: Bot) -> None:
    bot.house.has["BTC"] = FakeWallet(0.5, 0.5)
    bot.loop(passes=6 * SECOND)
    del bot.house.has["BTC"]
    bot.loop(passes=6 * SECOND)
    left = {row.currency: (row.free, row.total) for row in bot.books.balances()}
    assert left == {"BTC": (0.0, 0.0), "USDT": (900.0, 1_000.0)}
    bot.house.has.clear()
    bot.loop(passes=6 * SECOND)
    assert {row.currency: row.total for row in bot.books.balances()} == {"BTC": 0.0, "USDT": 1_000.0}


def test_what_changed_while_bus_and_bot_were_dead_is_told_after_both_are_back(bot: Bot) -> None:
    bot.publish()
    bot.loop()
    bot.books.down = bot.bus.down = bot.ledger.down = True
    trade = bot.book.trades[0]
    stop = FakeOrder("stop-1", "stoploss", "stop_loss", bot.clock.now(), True, safe_filled=0.0)
    trade.orders.append(stop)
    stop.ft_is_open, stop.safe_filled = False, 1.0
    trade.is_open, trade.close_date_utc = False, bot.clock.now()
    bot.start()  # nobody called back about the stop
    bot.loop()
    bot.books.down = bot.bus.down = bot.ledger.down = False
    bot.loop(passes=6 * SECOND)
    assert [(fill.purpose, fill.side, fill.signal_id) for fill in bot.books.fills()][1:] == [
        ("stop", "sell", None)
    ]
    assert [row.side for row in bot.books.positions()] == ["flat"]


def test_an_unchanged_account_is_told_once(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Fill | Holding | Balance] = []
    monkeypatch.setattr(bot.books, "record", told.extend)
    bot.start()
    for _ in range(5):
        bot.loop(passes=6 * SECOND)
    assert [type(entry) for entry in told] == [Balance]


def test_a_bot_killed_with_a_signal_in_mind_still_brings_it_to_an_end(bot: Bot) -> None:
    lock(bot)
    signal = bot.publish()
    bot.loop()
    bot.loop()
    bot.ledger.rows.clear()  # the bus never got it
    bot.clock.advance(timedelta(days=3))
    bot.start()
    bot.loop()
    assert bot.fate(signal) == ("refused", "locked")


def test_an_unreadable_word_in_the_outbox_stops_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "out.sqlite")
    outbox.lay("execution", "x", '{"no": "row"}')
    outbox.lay("execution", make_execution().signal_id, make_execution().model_dump_json(exclude_none=True))
    bot = Bot(tmp_path, rules=TradingRules())
    bot.loop()
    bot.journal.flush()
    assert ("bot", make_execution().signal_id) in bot.ledger.rows
