"""A real bot on perpetual swaps: shorts, leverage, stops by price, weights, reversals, stale candles, reloads.

The tests share one bot, each on a pair of its own. The bot is killed by the last of them but one and started again.
"""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.embedded import start_server
from quantbus_contracts.schema import Signal, Strategy
from quantbus_contracts.testing import make_signal
from tests.e2e.bot import Bot
from tests.e2e.stack import (
    CONSUMER,
    ONE_MINUTE,
    PAIRS,
    STRATEGY,
    Bus,
    Stack,
    early_in_a_bar,
    environment_of,
    last_closed,
    make_bot,
    run_quantbus,
    start_exchange,
)
from tests.e2e.venue_proxy import VenueProxy
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

SWAPS = tuple(f"{pair}:USDT" for pair in PAIRS)
BTC, ETH, SOL, XRP, ADA, DOT, *_ = SWAPS
WALLET = 10_000.0
RULES = {"max_leverage": 5, "drift_band": 0.03}


class Futures(Stack):
    """A stack whose strategy speaks of swaps."""

    def __init__(self, bus: Bus, bot: Bot, venue: VenueProxy, config: Path) -> None:
        super().__init__(bus, bot, venue)
        self.config = config
        self._signals = SignalBus(bus.connection, publisher="e2e")

    def declare(self) -> None:
        self._signals.declare(
            Strategy(
                strategy_id=STRATEGY,
                venue="BINANCE",
                market_type="swap",
                timeframe="1m",
                pairs=SWAPS,
                cadence_bars=None,
            )
        )

    def publish(
        self, pair: str, action: str | None = None, *, ts: datetime | None = None, **fields: Any
    ) -> Signal:
        signal = make_signal(strategy_id=STRATEGY, pair=pair, action=action, ts=ts or last_closed(), **fields)
        report = self._signals.publish([signal])
        assert report.ok, report.as_dict()
        return signal

    def price(self, pair: str) -> float:
        """Return the middle of the order book as the bot sees it."""
        url = f"{self.venue.url}/fapi/v1/depth?symbol={market(pair)}&limit=5"
        with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310
            book = json.loads(reply.read())
        return (float(book["bids"][0][0]) + float(book["asks"][0][0])) / 2

    def open_trade(self, pair: str) -> dict[str, Any]:
        return next(trade for trade in self.bot.trades(pair) if trade["is_open"])

    def reload(self) -> None:
        """Have the bot read its config again, and wait until it follows signals again."""

        def times_begun() -> int:
            return self.bot.log.read_text(encoding="utf-8").count("following strategy")

        before = times_begun()
        self.bot.tell("/reload_config")
        eventually(lambda: times_begun() > before, within=60, what="the bot to follow again")

    def configure(self, **changes: Any) -> None:
        """Change the bot's config; it counts from the next start, or reload, on."""
        config = json.loads(self.config.read_text(encoding="utf-8"))
        self.config.write_text(json.dumps({**config, **changes}), encoding="utf-8")


def market(pair: str) -> str:
    return pair.partition(":")[0].replace("/", "")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Futures]:
    folder = tmp_path_factory.mktemp("futures")
    home = folder / "home"
    environment = environment_of(home)
    with ExitStack() as ending:
        bus = Bus(start_server(home))
        ending.callback(bus.close)
        run_quantbus(["bus", "init"], environment)
        venue = ending.enter_context(VenueProxy(start_exchange(folder, environment, ending)))
        venue.stale.add(market(XRP))
        bot = make_bot(folder, venue.url, environment, "--futures", pairs=SWAPS)
        futures = Futures(bus, bot, venue, folder / "bot.json")
        config = json.loads(futures.config.read_text(encoding="utf-8"))
        follow = config["external_signal"]
        futures.configure(
            external_signal=follow | {"rules": follow["rules"] | RULES},
            dry_run_wallet=WALLET,
            force_entry_enable=True,
        )
        futures.declare()
        bot.start()
        ending.callback(bot.stop)
        yield futures


def test_a_short_has_the_leverage_and_the_stop_that_its_signal_asks_for(stack: Futures) -> None:
    stop = stack.price(BTC) * 1.02
    short = stack.publish(BTC, "enter_short", leverage=3.0, stop_price=stop)
    stack.trade_of(short)
    row = stack.bus.end_of(short)
    assert (row.state.value, row.side) == ("filled", "enter_short")
    trade = stack.open_trade(BTC)
    assert (trade["is_short"], trade["leverage"]) == (1, 3.0)
    assert trade["stop_loss"] == pytest.approx(stop, rel=1e-3)
    assert trade["initial_stop_loss"] == pytest.approx(trade["open_rate"] * (1 + 0.10 / 3), rel=1e-3)
    assert trade["liquidation_price"] > trade["stop_loss"]
    stack.await_loops(2)
    assert stack.open_trade(BTC)["stop_loss"] == pytest.approx(stop, rel=1e-3)


def test_a_position_follows_the_weight_of_its_signal_up_and_down(stack: Futures) -> None:
    early_in_a_bar(seconds_left=20)
    first = stack.publish(ETH, weight=-0.10, leverage=2.0)
    stack.trade_of(first)
    stack.bus.end_of(first)
    trade = stack.open_trade(ETH)
    capital = WALLET * 0.99
    assert trade["stake_amount"] == pytest.approx(0.10 * capital, rel=0.02)
    stack.publish(ETH, weight=-0.20, leverage=2.0, ts=first.ts)
    row = stack.bus.end_of(first, version=2)
    assert (row.state.value, row.reason, row.side) == ("filled", "resized", "enter_short")
    assert stack.open_trade(ETH)["stake_amount"] == pytest.approx(0.20 * capital, rel=0.02)
    stack.publish(ETH, weight=-0.05, leverage=2.0, ts=first.ts)
    row = stack.bus.end_of(first, version=3)
    assert (row.state.value, row.reason, row.side) == ("filled", "resized", "exit_short")
    trade = stack.open_trade(ETH)
    assert trade["stake_amount"] == pytest.approx(0.05 * capital, rel=0.05)
    placed = orders_of_signals(stack, trade)
    assert [side for side, _ in placed] == ["sell", "sell", "buy"], "one order for each revision"
    assert [tag for _, tag in placed[1:]] == [f"resize:{first.signal_id}:{version}" for version in (2, 3)]
    stack.venue.times_price[market(ETH)] = 0.7  # the short is worth less now; this revision has acted already
    stack.await_loops(3)
    assert orders_of_signals(stack, trade) == placed
    stack.venue.times_price.clear()


def test_a_reversal_leaves_in_one_loop_and_enters_in_the_next_whatever_freqtrade_locks(
    stack: Futures,
) -> None:
    early_in_a_bar(seconds_left=20)
    bar = last_closed()
    long = stack.publish(SOL, "enter_long", ts=bar - ONE_MINUTE.delta)
    stack.trade_of(long)
    turn = stack.publish(SOL, "enter_short", ts=bar)
    stack.trade_of(turn)
    row = stack.bus.end_of(turn)
    first, second = stack.bot.trades(SOL)
    assert first["exit_reason"] == f"reversal:{turn.signal_id}"
    assert (second["is_short"], second["is_open"]) == (1, 1)
    assert (row.state.value, row.side, row.trade_id) == ("filled", "enter_short", second["id"])
    assert len(row.order_ids) == 2
    closed, opened = (datetime.fromisoformat(text) for text in (first["close_date"], second["open_date"]))
    assert (opened - closed).total_seconds() < 15, "not held up until the candle ended"
    locks = [lock for lock in stack.bot.ask("/locks")["locks"] if lock["pair"] == SOL]
    assert {lock["side"] for lock in locks} == {"long"}, (
        "Freqtrade locks the side that was left, and no other"
    )


def test_candles_that_stand_still_keep_an_entry_back_and_no_exit(stack: Futures) -> None:
    early_in_a_bar(seconds_left=20)
    wanted = stack.publish(XRP, "enter_long")
    stack.bus.await_seen(wanted)
    stack.await_loops(3)
    assert stack.bot.trades(XRP) == []
    stack.bot.tell("/forceenter", {"pair": XRP, "side": "long", "ordertype": "market"})
    trade = stack.open_trade(XRP)
    assert trade["enter_tag"] == "force_entry"
    stack.publish(XRP, "exit_long", ts=wanted.ts)
    closed = stack.await_closed(XRP)
    assert closed["exit_reason"] == f"exit_signal:{wanted.signal_id}"
    assert "Outdated history for pair XRP/USDT:USDT" in stack.bot.log.read_text(encoding="utf-8")


def test_a_reload_of_the_config_leaves_no_connection_behind(stack: Futures) -> None:
    before = connections(stack)
    for _ in range(3):
        stack.reload()
        stack.await_loops(2)
    after = connections(stack)
    assert after <= before, f"{before} connections before three reloads, {after} after them"
    assert before > 0
    entry = stack.publish(ADA, "enter_short")
    assert stack.bus.end_of(entry).state.value == "filled"


def test_a_killed_bot_keeps_the_stop_and_obeys_it_without_the_bus(stack: Futures) -> None:
    kept = stack.open_trade(BTC)["stop_loss"]
    stack.bot.kill()
    stack.configure(stoploss=-0.15)  # at its start Freqtrade puts every stop back to this one
    stack.bus.kill()
    try:
        stack.bot.start()
        eventually(
            lambda: stack.open_trade(BTC)["stop_loss"] == pytest.approx(kept, rel=1e-3),
            within=30,
            what="the stop to be where the signal wanted it",
        )
        assert "New stoploss" in stack.bot.log.read_text(encoding="utf-8")
        stack.venue.times_price[market(BTC)] = 1.03
        closed = stack.await_closed(BTC)
        assert closed["exit_reason"] in ("stop_loss", "trailing_stop_loss", "stoploss_on_exchange")
        assert closed["close_rate"] > kept * 0.999
    finally:
        stack.venue.times_price.clear()
        stack.bus.revive()


def test_the_bot_only_ever_reads_from_the_venue(stack: Futures) -> None:
    (beat,) = [beat for beat in stack.bus.heartbeats() if beat.process == "executor"]
    assert beat.instance == CONSUMER
    assert stack.venue.methods == {"GET"}


def orders_of_signals(stack: Futures, trade: dict[str, Any]) -> list[tuple[str, str]]:
    """Return side and tag of a trade's orders, without the stops that Freqtrade lays at the venue."""
    orders = stack.bot.orders(trade["id"])
    return [
        (order["ft_order_side"], order["ft_order_tag"])
        for order in orders
        if order["ft_order_side"] != "stoploss"
    ]


def connections(stack: Futures) -> int:
    """Return how many connections to mongod the bot holds, once it has had the time to close the others."""
    stack.await_loops(2)
    return stack.bot.connections_to(stack.bus.port)
