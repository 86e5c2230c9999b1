"""Fifty kills at random moments under a stream of signals, in dry run and with an account; and the naive control."""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from quantbus_contracts.schema import Signal
from tests.e2e.killing.nursery import ForkedBot
from tests.e2e.killing.test_kill_instants import NAIVE
from tests.e2e.killing.theatre import ONE_MINUTE, Theatre, theatre

pytestmark = [pytest.mark.soak, pytest.mark.timeout(5_400)]

PAIRS = [f"{letter}{other}/USDT" for letter in "ABCDEF" for other in ("AA", "BB", "CC", "DD")]
KILLS = int(os.environ.get("KILLS", "50"))
SIGNALS = int(os.environ.get("SIGNALS", "150"))
LIFE = (3.0, 18.0)
"""How many seconds a bot lives; the first four or so go into its start, and some lives are too short to do anything."""
CONTROL_KILLS = 10
ORDER_DELAY = 0.25
"""The venue has an order for so long before it says so: the time in which order-then-record forgets it."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with theatre(tmp_path_factory.mktemp("soak"), PAIRS) as running:
        yield running


class Publisher(threading.Thread):
    """Publishes every other bar of each pair, entry and exit in turn, until told to stop."""

    def __init__(self, stage: Theatre) -> None:
        super().__init__(daemon=True)
        self._stage = stage
        self._over = threading.Event()
        self.signals: list[Signal] = []

    def run(self) -> None:
        last = None
        turn = 0
        while not self._over.is_set():
            closed = ONE_MINUTE.last_closed(datetime.now(UTC))
            if closed != last:
                last = closed
                action = "enter_long" if turn % 4 < 2 else "exit_long"
                chosen = PAIRS[turn % 2 :: 2]
                self.signals += self._stage.publish(dict.fromkeys(chosen, action))
                turn += 1
            self._over.wait(0.2)

    def stop(self) -> None:
        self._over.set()
        self.join()


def live_and_die(bot: ForkedBot, publisher: Publisher, chance: random.Random) -> None:
    """Start and kill a bot at random moments, until there were kills and signals enough."""
    while bot.kills < KILLS or len(publisher.signals) < SIGNALS:
        bot.start()
        time.sleep(chance.uniform(*LIFE))
        bot.kill()
    bot.start()


def test_fifty_kills_cost_no_order_and_no_signal(stage: Theatre) -> None:
    keys = stage.open_account("live")
    publisher = Publisher(stage)
    figures: dict[str, Any] = {}
    with ExitStack() as ending:
        dry, _ = ending.enter_context(stage.bot("dry"))
        live, venue = ending.enter_context(stage.bot("live", keys))
        venue.order_delay = ORDER_DELAY
        publisher.start()
        lives = [
            threading.Thread(target=live_and_die, args=(bot, publisher, random.Random(seed)))  # noqa: S311
            for seed, bot in enumerate((dry, live))
        ]
        for life in lives:
            life.start()
        for life in lives:
            life.join()
        publisher.stop()
        for name, bot in (("dry", dry), ("live", live)):
            rows = stage.await_ends(name, publisher.signals, within=300)
            figures[name] = {"kills": bot.kills, **told(stage, name, publisher.signals, rows)}
        dry.kill()
        live.kill()
    bought = Counter({pair: len(filled(stage, keys, pair, "buy")) for pair in PAIRS})
    sold = Counter({pair: len(filled(stage, keys, pair, "sell")) for pair in PAIRS})
    figures["live"] |= {"orders at the venue": bought.total() + sold.total()}
    (stage.folder / "figures.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
    print(json.dumps(figures, indent=2))  # noqa: T201
    for name in ("dry", "live"):
        assert figures[name]["entered twice"] == 0
        assert figures[name]["entries missed"] == {}
        assert figures[name]["unknown"] == 0
    entered = Counter(
        row.pair
        for row in stage.rows("live").values()
        if (row.side, row.state.value) == ("enter_long", "filled")
    )
    assert bought == entered


def filled(stage: Theatre, keys: dict[str, str], pair: str, side: str) -> list[dict[str, Any]]:
    return [order for order in stage.orders(keys, pair) if order["side"] == side and order["filled"]]


def told(stage: Theatre, name: str, signals: list[Signal], rows: dict[str, Any]) -> dict[str, Any]:
    """Return what a report says about a bot."""
    entries = [signal for signal in signals if signal.action == "enter_long"]
    missed = Counter(
        f"{rows[signal.signal_id].state.value}: {rows[signal.signal_id].reason}"
        for signal in entries
        if rows[signal.signal_id].state.value != "filled"
    )
    tags = Counter(trade["enter_tag"] for trade in stage.trades(name))
    claims = stage.claims(name)
    return {
        "signals": len(signals),
        "final states": dict(Counter(f"{row.side} {row.state.value}" for row in rows.values())),
        "trades": tags.total(),
        "entered twice": sum(count - 1 for count in tags.values()),
        "entries missed": dict(missed),
        "unknown": sum(row.state.value == "unknown" for row in rows.values()),
        "claims released and claimed again": sum(claim["attempts"] - 1 for claim in claims),
        "orders adopted": stage.log(name).count("was at the venue and not in Freqtrade's database"),
    }


def test_order_then_record_orders_twice(stage: Theatre) -> None:
    keys = stage.open_account("naive")
    chance = random.Random(7)  # noqa: S311
    with stage.bot("naive", keys, strategy_file=NAIVE, strategy="OrderThenRecord") as (bot, venue):
        venue.order_delay = ORDER_DELAY
        stage.publish(dict.fromkeys(PAIRS, "enter_long"))
        while bot.kills < CONTROL_KILLS:
            bot.start()
            time.sleep(chance.uniform(*LIFE))
            bot.kill()
        bot.start()
        time.sleep(40)
        bot.kill()
    orders = sum(len(filled(stage, keys, pair, "buy")) for pair in PAIRS)
    print(json.dumps({"naive": {"kills": bot.kills - 1, "signals": len(PAIRS), "orders": orders}}))  # noqa: T201
    assert orders > len(PAIRS)
