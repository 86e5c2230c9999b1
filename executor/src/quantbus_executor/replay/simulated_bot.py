"""The policy in a simulated live loop: the follower of the live bot, asked every few seconds of the past.

In place of Freqtrade stands what it does with the follower's answers: slots, the lock to the end of a bar after an
exit, the stop of last resort, and market orders that are filled at once. Within a bar the price goes straight from
open to close: nothing better is known of it.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count

import pandas as pd

from quantbus_executor.assembly import BusPorts, assemble
from quantbus_executor.backtest.archive import Archive
from quantbus_executor.backtest.book import Lists, MemoryBook
from quantbus_executor.backtest.moments import SteppedClock
from quantbus_executor.backtest.rehearsal import over_the_past
from quantbus_executor.backtest.still_bus import MemoryLedger, NoHeartbeats, NoRestraints
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.replay.outcome import Outcome, ReplayedTrade
from quantbus_executor.replay.plan import ReplayPlan
from quantbus_executor.replay.simulated_trades import SimulatedOrder, SimulatedTrade

__all__ = ["OUTSIDE", "simulate"]

OUTSIDE = "stop_loss"
"""Freqtrade's word for an exit by its own stop."""

_TWO_ROWS = pd.DataFrame({"close": [0.0, 0.0]})
_DEFAULT_STOP = -0.10


def simulate(
    plan: ReplayPlan,
    *,
    every: timedelta,
    fee: float,
    at_moment: Callable[[datetime], None] = lambda moment: None,
) -> Outcome:
    """Live through the plan with a loop ``every`` so often; ``at_moment`` is told each moment of the past."""
    bot = _Bot(plan, fee)
    for moment in _moments(plan, every):
        at_moment(moment)
        bot.loop(moment)
    return bot.outcome()


def _moments(plan: ReplayPlan, every: timedelta) -> Iterator[datetime]:
    """Yield the loops: one at each open, and from there on ``every`` so often to the bar's end."""
    for open_time in plan.timeframe.range(plan.start, plan.end):
        moment = open_time
        while moment < open_time + plan.timeframe.delta:
            yield moment
            moment += every


class _Bot:
    """One bot with a wallet of its config, from flat."""

    def __init__(self, plan: ReplayPlan, fee: float) -> None:
        self._plan = plan
        self._fee = fee
        self._clock = SteppedClock(plan.start)
        settings = over_the_past(plan.settings)
        archive = Archive(self._clock, settings.rules.clock_skew)
        for pair, signals in plan.signals.items():
            archive.keep(pair, signals)
        self._lists = Lists()
        self._ledger = MemoryLedger()
        self._journal = Journal(self._ledger, settings.consumer_id)
        ports = BusPorts(
            signals=archive,
            restraints=NoRestraints(self._clock),
            ledger=self._ledger,
            journal=self._journal,
            heartbeats=NoHeartbeats(),
        )
        self._follower = assemble(settings, ports, MemoryBook(self._lists), self._clock)
        self._bars = {pair: _rows(plan.bars(pair)) for pair in plan.pairs}
        self._numbers = count(1)
        self._wallet = float(plan.config.get("dry_run_wallet", 1_000))
        self._slots = float(plan.config.get("max_open_trades", 1))
        self._stop = float(plan.config.get("stoploss", _DEFAULT_STOP))

    def loop(self, moment: datetime) -> None:
        """Do what Freqtrade does in a loop: ask the bus, leave, enter."""
        self._clock.set(moment)
        self._follower.on_loop(self._plan.pairs)
        for trade in self._open():
            self._maybe_leave(trade, moment)
        for pair in self._plan.pairs if len(self._follower.entries) else ():
            if self._may_enter(pair):
                self._maybe_enter(pair, moment)

    def outcome(self) -> Outcome:
        self._journal.flush()
        trades = [*self._lists.bt_trades, *self._lists.bt_trades_open]
        replayed = [self._replayed(trade) for trade in trades if isinstance(trade, SimulatedTrade)]
        rows = {row.signal_id: row for row in self._ledger.rows()}
        return Outcome("simulated", sorted(replayed, key=lambda trade: (trade.opened_at, trade.pair)), rows)

    def _open(self) -> list[SimulatedTrade]:
        return [trade for trade in self._lists.bt_trades_open if isinstance(trade, SimulatedTrade)]

    def _price(self, pair: str, moment: datetime) -> float:
        open_time = self._plan.timeframe.floor(moment)
        bar = self._bars[pair][open_time]
        share = (moment - open_time) / self._plan.timeframe.delta
        return float(bar["open"] + (bar["close"] - bar["open"]) * share)

    def _maybe_leave(self, trade: SimulatedTrade, moment: datetime) -> None:
        price = self._price(trade.pair, moment)
        stop, away = self._pulled_stop(trade, price), -1 if trade.is_short else 1
        if (price - stop) * away <= 0:
            self._leave(trade, moment, stop, OUTSIDE)
            return
        reason = self._follower.exits.reason(trade, price)
        if reason is not None:
            self._leave(trade, moment, price, reason)

    def _pulled_stop(self, trade: SimulatedTrade, price: float) -> float:
        """Return the trade's stop after the signal's own, if it has one, has pulled it nearer."""
        away, leverage = -1 if trade.is_short else 1, trade.leverage or 1.0
        distance = self._follower.stops.distance(trade, price)
        wanted = [price * (1 - away * abs(distance) / leverage)] if distance is not None else []
        known = [trade.stop_loss] if trade.stop_loss is not None else []
        stop = (min if trade.is_short else max)([*known, *wanted], default=0.0)
        trade.stop_loss = stop
        return stop

    def _leave(self, trade: SimulatedTrade, moment: datetime, price: float, reason: str) -> None:
        side = "buy" if trade.is_short else "sell"
        order = SimulatedOrder(f"{trade.id}-out", side, reason, moment, price, trade.amount)
        trade.orders.append(order)
        trade.is_open, trade.close_date_utc, trade.close_rate, trade.exit_reason = (
            False,
            moment,
            price,
            reason,
        )
        self._lists.bt_trades_open.remove(trade)
        self._lists.bt_trades.append(trade)
        self._wallet += trade.profit(self._fee)
        self._follower.on_fill(trade, order)

    def _may_enter(self, pair: str) -> bool:
        busy = any(trade.pair == pair for trade in self._open())
        return not busy and (self._slots < 0 or len(self._open()) < self._slots)

    def _is_locked(self, pair: str, side: str, moment: datetime) -> bool:
        """Tell whether Freqtrade's lock holds: the side that was left is not entered again within the bar."""
        begin = self._plan.timeframe.floor(moment)
        return any(
            trade.pair == pair
            and trade.is_short == (side == "short")
            and trade.close_date_utc is not None
            and trade.close_date_utc >= begin
            for trade in self._lists.bt_trades
        )

    def _maybe_enter(self, pair: str, moment: datetime) -> None:
        entries = self._follower.entries
        last = entries.mark(_TWO_ROWS, pair).iloc[-1]
        side = "long" if last["enter_long"] else "short" if last["enter_short"] else None
        if side is None or self._is_locked(pair, side, moment):
            return
        tag, price = str(last["enter_tag"]), self._price(pair, moment)
        free = self._wallet - sum(trade.stake_amount for trade in self._open())
        leverage = self._follower.leverage.of(pair, tag, 1.0, self._most_leverage())
        stake = entries.stake(pair, tag, self._proposed(free), self._wallet, free, leverage=leverage)
        if stake <= 0 or not entries.confirm(pair, tag, side, price, stake * leverage / price):
            return
        number, amount = next(self._numbers), stake * leverage / price
        stop = price * (1 + (-1 if side == "short" else 1) * self._stop / leverage)
        trade = SimulatedTrade(
            number, pair, tag, moment, side == "short", price, amount, stake, leverage, stop
        )
        order = SimulatedOrder(
            f"{number}-in", "sell" if side == "short" else "buy", tag, moment, price, amount
        )
        trade.orders.append(order)
        self._lists.bt_trades_open.append(trade)
        self._follower.on_fill(trade, order)

    def _proposed(self, free: float) -> float:
        amount = self._plan.config.get("stake_amount")
        ratio = float(self._plan.config.get("tradable_balance_ratio", 0.99))
        if isinstance(amount, int | float):
            return min(float(amount), free)
        return min(self._wallet * ratio / max(self._slots, 1.0), free)

    def _most_leverage(self) -> float:
        return 1.0 if self._plan.config.get("trading_mode", "spot") == "spot" else 125.0

    def _replayed(self, trade: SimulatedTrade) -> ReplayedTrade:
        return ReplayedTrade(
            pair=trade.pair,
            side="short" if trade.is_short else "long",
            enter_tag=trade.enter_tag,
            opened_at=trade.open_date_utc,
            open_rate=trade.open_rate,
            stake=trade.stake_amount,
            exit_reason=trade.exit_reason,
            closed_at=trade.close_date_utc,
            close_rate=trade.close_rate,
            profit=trade.profit(self._fee) if trade.close_rate is not None else None,
        )


def _rows(bars: pd.DataFrame) -> dict[datetime, dict[str, float]]:
    rows = zip(bars["date"], bars["open"], bars["close"], strict=True)
    return {date.to_pydatetime(): {"open": opened, "close": closed} for date, opened, closed in rows}
