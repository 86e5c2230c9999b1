"""A bot without Freqtrade: fakes of its trades, and a driver that calls back in Freqtrade's order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pandas as pd

from quantbus_contracts.policy import TradingRules
from quantbus_contracts.ports import RestraintReader
from quantbus_contracts.schema import Execution, PublishedSignal
from quantbus_contracts.testing import (
    FakeControlStore,
    FakeExecutionStore,
    FakeHeartbeatStore,
    FakeRestraintReader,
    FakeRiskStateStore,
    FakeSignalStore,
    FrozenClock,
    make_signal,
)
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.acting.gate import EntryGate
from quantbus_executor.claims.keeper import ClaimKeeper
from quantbus_executor.follower import SignalFollower
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.patience import Patience
from quantbus_executor.hearing.restraints import Restraints, RestraintSettings
from quantbus_executor.heartbeat import Pulse
from quantbus_executor.ledger.bookkeeping import Bookkeeper
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.outbox import Outbox
from quantbus_executor.trades.claimed import UNCLAIMED

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
PAIR = "BTC/USDT"
PAIRS = (PAIR, "ETH/USDT")
ONE_MINUTE = Timeframe.parse("1m")


@dataclass
class FakeOrder:
    """An order as Freqtrade shows it; filled at once unless told otherwise."""

    order_id: str
    ft_order_side: str
    ft_order_tag: str | None
    order_date_utc: datetime
    ft_is_open: bool = False
    safe_price: float = 100.0
    safe_filled: float = 1.0
    order_filled_utc: datetime | None = None
    asked: float | None = None
    """How much a partial exit is to sell; None sells everything."""


@dataclass
class FakeTrade:
    """A trade as Freqtrade shows it."""

    id: int
    pair: str
    enter_tag: str | None
    open_date_utc: datetime
    is_open: bool = True
    is_short: bool = False
    close_date_utc: datetime | None = None
    orders: list[FakeOrder] = field(default_factory=list)
    amount: float = 1.0
    stake_amount: float = 100.0
    open_rate: float = 100.0
    leverage: float = 1.0
    stop_loss: float | None = None
    stop_loss_pct: float | None = None
    custom_data: dict[str, Any] = field(default_factory=dict)

    def get_custom_data(self, key: str, default: Any = None) -> Any:
        return self.custom_data.get(key, default)

    def set_custom_data(self, key: str, value: Any) -> None:
        self.custom_data[key] = value


@dataclass
class FakeBook:
    """Freqtrade's trades: survives a restart of the bot, as its SQLite file does."""

    trades: list[FakeTrade] = field(default_factory=list)

    def open_trades(self) -> Sequence[FakeTrade]:
        return [trade for trade in self.trades if trade.is_open]

    def tagged(self, tag: str) -> Sequence[FakeTrade]:
        return [trade for trade in self.trades if trade.enter_tag == tag]

    def trade(self, trade_id: int) -> FakeTrade | None:
        return next((trade for trade in self.trades if trade.id == trade_id), None)

    def closed_since(self, pair: str, moment: datetime) -> Sequence[FakeTrade]:
        return [
            trade
            for trade in self.trades
            if trade.pair == pair and trade.close_date_utc is not None and trade.close_date_utc > moment
        ]

    def latest(self, count: int) -> Sequence[FakeTrade]:
        return self.trades[::-1][:count]


class Rig:
    """One bus, one venue, one bot that can be killed and started again."""

    def __init__(
        self,
        rules: TradingRules | None = None,
        *,
        most_rows: int = 10_000,
        timeframe: Timeframe = ONE_MINUTE,
        restraints: RestraintSettings | None = None,
    ) -> None:
        self.rules = rules or TradingRules()
        self.timeframe = timeframe
        self.restraint_settings = restraints or RestraintSettings()
        self.most_rows = most_rows
        self.clock = FrozenClock()
        self.bus = FakeSignalStore(clock=self.clock)
        self.ledger = FakeExecutionStore()
        self.beats = FakeHeartbeatStore()
        self.controls = FakeControlStore(clock=self.clock)
        self.risk = FakeRiskStateStore(clock=self.clock)
        self.restraint_reader: RestraintReader = FakeRestraintReader(self.controls, self.risk)
        self.book = FakeBook()
        self.places_orders = True
        self.fills_orders = True
        self.minimum = 5.0
        self.rate = 100.0
        self.capital = 1_000.0
        self.stop_of_last_resort = 0.10
        self.stakes: list[float] = []
        self.changes: list[float] = []
        self._numbers = count(1)
        self.start()

    def start(self) -> None:
        """Start the bot with an empty memory, as after a SIGKILL."""
        self.journal = Journal(self.ledger, "bot", outbox=self.open_outbox(), most_rows=self.most_rows)
        self.feed = SignalFeed(
            self.bus,
            self.clock,
            strategy_id="test",
            timeframe=self.timeframe,
            clock_skew=self.rules.clock_skew,
            max_answer_age=30 * SECOND,
        )
        claims = self.open_claims()
        self.follower = SignalFollower(
            feed=self.feed,
            signals=self.bus,
            journal=self.journal,
            gate=EntryGate(self.book, self.journal, claims),
            bookkeeper=Bookkeeper(
                self.book,
                self.journal,
                signals=self.bus,
                ledger=self.ledger,
                clock=self.clock,
                rules=self.rules,
                claimed=claims or UNCLAIMED,
            ),
            book=self.book,
            pulse=Pulse(self.beats, "bot", self.clock.now()),
            restraints=Restraints(
                self.restraint_reader,
                self.clock,
                strategy_id="test",
                consumer_id="bot",
                settings=self.restraint_settings,
            ),
            rules=self.rules,
            patience=Patience(self.clock, 300 * timedelta(milliseconds=1)),
            claims=claims,
            **self.further_parts(),
        )

    def open_outbox(self) -> Outbox | None:
        """Return what keeps rows until the bus has them; None forgets them with the process."""
        return None

    def further_parts(self) -> dict[str, Any]:
        """Return what else the follower is made of: nothing, as over the past."""
        return {}

    def open_claims(self) -> ClaimKeeper | None:
        """Return what claims orders; None where nothing is claimed."""
        return None

    def publish(
        self,
        action: str | None = "enter_long",
        *,
        ts: datetime | None = None,
        **fields: Any,
    ) -> PublishedSignal:
        """Publish a signal about the bar that closed last; return it as it stands on the bus."""
        ts = ts or self.timeframe.last_closed(self.clock.now())
        signal = make_signal(action=action, ts=ts, timeframe=self.timeframe.name, **fields)
        self.bus.publish([signal])
        return self.bus.signals[signal.signal_id]

    def loop(self, *, passes: timedelta = SECOND) -> None:
        """Run one loop of the bot as Freqtrade does: the query, exits and stops, adjustments, then entries."""
        self.clock.advance(passes)
        self.follower.on_loop(PAIRS)
        for trade in list(self.book.open_trades()):
            self._adjust_stop(trade)
            self._maybe_exit(trade)
        for trade in list(self.book.open_trades()):
            self._maybe_adjust(trade)
        for pair in PAIRS:
            if not any(trade.pair == pair for trade in self.book.open_trades()):
                self._maybe_enter(pair)

    def entries(self) -> list[str | None]:
        """Return the tags of every trade ever opened."""
        return [trade.enter_tag for trade in self.book.trades]

    def row(self, published: PublishedSignal) -> Execution:
        """Return the ledger row of a signal as it stands on the bus."""
        return self.ledger.rows["bot", published.signal_id]

    def fate(self, published: PublishedSignal) -> tuple[str, str | None]:
        """Return state and reason of a signal as they stand on the bus, after the outbox was sent."""
        self.journal.flush()
        row = self.row(published)
        return row.state.value, row.reason

    def fill(self, trade: FakeTrade, order: FakeOrder) -> None:
        """Fill an order, as the venue does, and tell the bot."""
        order.ft_is_open, order.safe_filled = False, 1.0
        order.order_filled_utc = self.clock.now()
        if order.ft_order_side == ("buy" if trade.is_short else "sell"):
            self._give_up(trade, order)
        self.follower.on_fill(trade, order)
        if trade.is_open:
            self._adjust_stop(trade, after_fill=True)

    def _maybe_enter(self, pair: str) -> None:
        last = self.follower.entries.mark(pd.DataFrame({"close": [1.0, 2.0]}), pair).iloc[-1]
        side = "long" if last["enter_long"] else "short" if last["enter_short"] else None
        if side is None:
            return
        tag = str(last["enter_tag"])
        leverage = self.follower.leverage.of(pair, tag, 1.0, 20.0)
        stake = self.follower.entries.stake(pair, tag, 100.0, self.capital, 1_000.0, self.minimum, leverage)
        if not stake:
            return
        self.stakes.append(stake)
        amount = stake * leverage / self.rate
        if self.follower.entries.confirm(pair, tag, side, self.rate, amount) and self.places_orders:
            self.send_entry(pair, tag, side, stake, leverage)

    def send_entry(self, pair: str, tag: str, side: str, stake: float, leverage: float) -> None:
        """Send the order of an entry, and note the trade once the venue has it."""
        self.open_trade(pair, tag, side, stake=stake, leverage=leverage)

    def open_trade(
        self,
        pair: str,
        tag: str | None,
        side: str = "long",
        *,
        stake: float = 100.0,
        leverage: float = 1.0,
    ) -> FakeTrade:
        """Open a trade with one order, filled unless `fills_orders` is off."""
        number = next(self._numbers)
        now = self.clock.now()
        trade = FakeTrade(number, pair, tag, now, is_short=side == "short", leverage=leverage)
        trade.stake_amount, trade.amount = stake, stake * leverage / self.rate
        away = self.stop_of_last_resort / leverage
        trade.open_rate, trade.stop_loss_pct = self.rate, -self.stop_of_last_resort
        trade.stop_loss = self.rate * (1 + away if trade.is_short else 1 - away)
        order = FakeOrder(
            f"order-{number}", "buy" if side == "long" else "sell", tag, now, True, safe_filled=0.0
        )
        trade.orders.append(order)
        self.book.trades.append(trade)
        if self.fills_orders:
            self.fill(trade, order)
        return trade

    def _maybe_exit(self, trade: FakeTrade) -> None:
        reason = self.follower.exits.reason(trade, self.rate)
        if reason is None or not self.places_orders:
            return
        side = "buy" if trade.is_short else "sell"
        order = FakeOrder(f"exit-{trade.id}", side, reason, self.clock.now(), True, safe_filled=0.0)
        trade.orders.append(order)
        if self.fills_orders:
            self.fill(trade, order)

    def _adjust_stop(self, trade: FakeTrade, *, after_fill: bool = False) -> None:
        """Move the stop as Freqtrade does: a share of the stake from the current rate, towards the market only."""
        held = trade.stop_loss or 0.0
        if self.rate >= held if trade.is_short else self.rate <= held:
            return  # it is stopped out already, and does not ask
        own = self.stop_of_last_resort if after_fill else None
        distance = self.follower.stops.distance(trade, self.rate, own)
        if distance:
            self._lay_stop(trade, self.rate, distance, refresh=after_fill)

    def _lay_stop(self, trade: FakeTrade, rate: float, share: float, *, refresh: bool = False) -> None:
        away = abs(share) / trade.leverage
        stop = rate * (1 + away if trade.is_short else 1 - away)
        held = trade.stop_loss or 0.0
        if refresh or (stop < held if trade.is_short else stop > held):
            trade.stop_loss, trade.stop_loss_pct = stop, -abs(share)

    def _maybe_adjust(self, trade: FakeTrade) -> None:
        """Adjust a position as Freqtrade does; a reduction counts in what was staked, not in what it is worth."""
        change = self.follower.resizing.change(
            trade, self.rate, lambda: self.capital, self.minimum, self.capital
        )
        if change is None or not self.places_orders:
            return
        stake, tag = change
        adds = stake > 0
        self.changes.append(stake)
        side = "buy" if adds != trade.is_short else "sell"
        amount = stake * trade.leverage / self.rate if adds else -stake * trade.amount / trade.stake_amount
        order = FakeOrder(f"adjust-{next(self._numbers)}", side, tag, self.clock.now(), True)
        order.safe_filled, order.asked = 0.0, amount
        trade.orders.append(order)
        if self.fills_orders:
            if adds:
                trade.open_rate = (trade.open_rate * trade.amount + self.rate * amount) / (
                    trade.amount + amount
                )
                trade.amount += amount
                trade.stake_amount += stake
            self._lay_stop(trade, trade.open_rate, trade.stop_loss_pct or 0.0)  # as Freqtrade moves it along
            self.fill(trade, order)

    def _give_up(self, trade: FakeTrade, order: FakeOrder) -> None:
        """Take what an order of the exit side sold off the trade; close it once nothing is left."""
        sold = order.asked if order.asked is not None else trade.amount
        trade.stake_amount *= 1 - sold / trade.amount
        trade.amount -= sold
        if trade.amount <= 0:
            trade.is_open, trade.close_date_utc = False, self.clock.now()
