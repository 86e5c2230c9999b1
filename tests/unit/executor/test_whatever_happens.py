"""Whatever happens: no signal enters twice, out of its time or overtaken, and each comes to an end."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from quantbus_contracts.policy import CatchUp, Debounce, TradingRules, entry_interval, wish_of
from quantbus_contracts.schema import FINAL_STATES
from tests.unit.executor.rig import MINUTE, PAIRS, SECOND, FakeTrade, Rig

ACTIONS = ("enter_long", "exit_long", "enter_short", "exit_short", None, None)


class WatchedRig(Rig):
    """Looks at each entry as it is ordered; never sends an exit while another order is open, as Freqtrade."""

    def send_entry(self, pair: str, tag: str, side: str, stake: float, leverage: float) -> None:
        now = self.clock.now()
        closed = [
            item
            for item in self.bus.signals.values()
            if item.signal.pair == pair and item.signal.closes_at <= now
        ]
        newest = max(closed, key=lambda item: item.signal.ts)
        assert newest.signal_id == tag, "it was overtaken"
        assert now in entry_interval(newest, self.rules)
        assert wish_of(newest.signal, self.rules).take == side
        super().send_entry(pair, tag, side, stake, leverage)

    def _maybe_exit(self, trade: FakeTrade) -> None:
        if not any(order.ft_is_open for order in trade.orders):
            super()._maybe_exit(trade)


def rules_of(chance: random.Random) -> TradingRules:
    return TradingRules(
        can_short=chance.random() < 0.7,
        drift_band=chance.choice([None, 0.02, 0.1]),
        max_leverage=chance.choice([1.0, 5.0]),
        tolerance_bars=chance.choice([0, 1, 2]),
        debounce=Debounce(
            minimum_hold=chance.choice([None, 90 * SECOND]), cool_down=chance.choice([None, 60 * SECOND])
        ),
        catch_up=chance.choice(list(CatchUp)),
        act_on_old_exits=chance.random() < 0.8,
        score_exit=chance.choice([0.0, -0.2, 0.2]),
    )


def publish(rig: Rig, chance: random.Random) -> None:
    fields: dict[str, Any] = {"pair": chance.choice(PAIRS)}
    action = chance.choice(ACTIONS)
    if action is None:
        fields[chance.choice(["weight", "score"])] = round(chance.uniform(-1, 1), 2)
    if chance.random() < 0.3:
        fields["stop_price"] = round(rig.rate * chance.uniform(0.85, 1.15), 2)
    if chance.random() < 0.2:
        fields["leverage"] = chance.choice([1.0, 3.0, 20.0])
    if chance.random() < 0.05:
        fields["origin"] = "backfill"
    ts = rig.timeframe.last_closed(rig.clock.now()) - MINUTE * chance.choice([0, 0, 0, 0, 1, 2, -1])
    was_down, rig.bus.down = rig.bus.down, False  # the publisher reaches the bus, the bot may not
    rig.publish(action, ts=ts, **fields)
    rig.bus.down = was_down


def turn(rig: Rig, name: str) -> None:
    setattr(rig, name, not getattr(rig, name))


def lose_the_bus(rig: Rig, _: random.Random) -> None:
    rig.bus.down = not rig.bus.down


def close(rig: Rig, trade: FakeTrade) -> None:
    """End a trade as a person or a stop does; Freqtrade forgets one of which nothing was filled."""
    for order in trade.orders:
        order.ft_is_open = False
    trade.is_open, trade.close_date_utc = False, rig.clock.now()
    if not any(order.safe_filled for order in trade.orders):
        rig.book.trades.remove(trade)


def close_one(rig: Rig, chance: random.Random) -> None:
    if trades := list(rig.book.open_trades()):
        close(rig, chance.choice(trades))


def move_the_market(rig: Rig, chance: random.Random) -> None:
    rig.rate *= chance.uniform(0.93, 1.07)


EVENTS: tuple[tuple[int, Callable[[Rig, random.Random], None]], ...] = (
    (35, publish),
    (3, lambda rig, _: rig.start()),
    (4, lose_the_bus),
    (3, lambda rig, _: turn(rig, "fills_orders")),
    (3, lambda rig, _: turn(rig, "places_orders")),
    (7, move_the_market),
    (2, close_one),
    (43, lambda rig, _: None),
)


def at_the_venue(rig: Rig, chance: random.Random) -> None:
    """Fill what rests, some of it, and stop out what the market has passed."""
    for trade in list(rig.book.open_trades()):
        for order in trade.orders:
            if order.ft_is_open and rig.fills_orders and chance.random() < 0.5:
                rig.fill(trade, order)
        stop = trade.stop_loss or 0.0
        if trade.is_open and (rig.rate >= stop if trade.is_short else rig.rate <= stop):
            close(rig, trade)


def settle(rig: Rig) -> None:
    """Let everything work again, until the time of every signal is over."""
    rig.bus.down, rig.fills_orders, rig.places_orders = False, True, True
    for trade in list(rig.book.open_trades()):
        for order in trade.orders:
            if order.ft_is_open:
                rig.fill(trade, order)
    for passes in (*[40 * SECOND] * 8, *[5 * MINUTE] * 4):
        rig.loop(passes=passes)
    rig.journal.flush()


@pytest.mark.parametrize("seed", range(8))
def test_no_signal_enters_twice_or_out_of_its_time_and_each_comes_to_one_end(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # what happens, not a secret
    rig = WatchedRig(rules_of(chance))
    events = [event for _, event in EVENTS]
    for _ in range(chance.randint(60, 160)):
        (event,) = chance.choices(events, [weight for weight, _ in EVENTS])
        event(rig, chance)
        at_the_venue(rig, chance)
        rig.loop(passes=chance.choice([1, 2, 5, 20, 40, 60]) * timedelta(seconds=1))
    settle(rig)
    tags = rig.entries()
    assert len(tags) == len(set(tags))
    unfinished = [row for row in rig.ledger.rows.values() if row.state not in FINAL_STATES]
    assert unfinished == []
