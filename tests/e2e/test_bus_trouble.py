"""Bus trouble with the real bot: what a loop loses by it is measured beside a Freqtrade that knows no bus.

Figures are printed at the end (`-s` shows them). All tests share one pair of bots; each opens its own pairs.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from quantbus_contracts.testing import make_signal
from tests.e2e.bus_view import BusView
from tests.e2e.stack import PAIRS, STRATEGY, early_in_a_bar, last_closed
from tests.e2e.trouble import Trouble, running_trouble
from tests.fixtures.own_mongod import running_set
from tests.fixtures.poison import POISONS, poisoned, sound_row, write_past_validators
from tests.fixtures.tcp_proxy import Fault

pytestmark = pytest.mark.timeout(600)

BTC, ETH, SOL, XRP, ADA, DOT, LTC, BNB = PAIRS
MOST_ADDED_SILENCE = 2.0
MANY = 40
"""Poisoned documents, of which each takes two loops; all of them meet the follower without Freqtrade elsewhere."""


@pytest.fixture(scope="module")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trouble]:
    with running_trouble(tmp_path_factory.mktemp("trouble")) as running:
        running.quiet("nothing wrong", 3)
        yield running
        print(f"\nlongest silence of a loop in seconds, load {os.getloadavg()[0]:.1f}")  # noqa: T201
        for name, (ours, alone) in running.seen.items():
            print(f"  {name:<42} {ours:5.2f}   Freqtrade alone {alone:5.2f}")  # noqa: T201
        for note in running.notes:
            print(f"  {note}")  # noqa: T201


def assert_bounded(trouble: Trouble) -> None:
    for name, (ours, alone) in trouble.seen.items():
        assert ours <= alone + MOST_ADDED_SILENCE, (
            f"{name}: silent for {ours:.1f} s, alone {alone:.1f} s; read {trouble.ours.log}"
        )


def entered(trouble: Trouble, pair: str, *, within: float = 30.0) -> str:
    """Publish an entry into a pair and wait until it is traded; return the signal's id."""
    signal = trouble.bus.publish(pair, "enter_long")
    trouble.ours.trade_of(pair, signal.signal_id, within=within)
    return signal.signal_id


@contextmanager
def repeating(action: Callable[[], None], every: float) -> Iterator[None]:
    """Do something again and again meanwhile."""
    halt = threading.Event()

    def repeat() -> None:
        while not halt.wait(every):
            action()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    yield
    halt.set()
    thread.join(5)


@pytest.mark.e2e
def test_a_slow_or_broken_network_costs_a_loop_little_and_a_merely_slow_one_no_entry(
    trouble: Trouble,
) -> None:
    network = trouble.network
    network.to_server, network.to_client = Fault(delay_seconds=0.03), Fault(delay_seconds=0.03)
    early_in_a_bar(seconds_left=12)
    begun = time.time()
    entered(trouble, BTC)
    trouble.silence("60 ms there and back", begun)
    for name, fault in {
        "240 ms there and back": Fault(delay_seconds=0.12),
        "400 ms there and back": Fault(delay_seconds=0.2),
        "2 s there and back": Fault(delay_seconds=1.0),
        "answers lost": Fault(black_hole=True),
        "answers held back": Fault(hold=True),
    }.items():
        network.to_server = Fault(delay_seconds=fault.delay_seconds)
        network.to_client = fault
        trouble.quiet(name, 2.5)
        trouble.lift()

    def reset() -> None:
        network.to_client.reset_after = 0

    with repeating(reset, 0.02):
        trouble.quiet("every answer a reset", 2.5)
    trouble.lift()
    assert_bounded(trouble)
    assert [trade["is_open"] for trade in trouble.ours.trades(BTC)] == [1]


@pytest.mark.e2e
def test_a_killed_bus_stops_no_stop_and_its_return_brings_entries_back(trouble: Trouble) -> None:
    early_in_a_bar(seconds_left=8)
    entered(trouble, LTC)
    begun = time.time()
    trouble.node.kill()
    try:
        trouble.venue.times_price["LTCUSDT"] = 0.8
        closed = trouble.ours.await_closed(LTC)
        assert closed["exit_reason"] == "stop_loss"
        trouble.quiet("mongod killed", 3)
    finally:
        trouble.venue.times_price.clear()
        trouble.node.start()
    trouble.server.await_primary()
    entered(trouble, ETH, within=60)
    trouble.silence("mongod killed and back again", begun)
    assert_bounded(trouble)


@pytest.mark.e2e
def test_poison_is_not_traded_and_delays_nothing(trouble: Trouble) -> None:
    giants = ["note: a giant", "history: a giant", "an unknown giant", "note: no text at all"]
    mixed = random.Random(7).sample(list(POISONS), len(POISONS))  # noqa: S311
    names = list(dict.fromkeys([*giants, *mixed]))[:MANY]
    spoilt = (XRP, ADA, DOT, BNB)
    collection = trouble.bus.connection.collection("crypto_signals")
    begun, delays = time.time(), []
    for start in range(0, len(names), len(spoilt)):
        collection.delete_many({"pair": {"$in": list(spoilt)}})
        early_in_a_bar(seconds_left=3)
        now = trouble.bus.connection.server_now()
        rows = [
            poisoned(
                name,
                sound_row(
                    make_signal(strategy_id=STRATEGY, pair=pair, action="enter_long", ts=last_closed()), now
                ),
            )
            for name, pair in zip(names[start:], spoilt, strict=False)
        ]
        write_past_validators(trouble.bus.connection, rows)
        if start == 0:
            published = time.time()
            entered(trouble, SOL, within=15)
            delays.append(time.time() - published)
        trouble.ours.await_loops(2)
    published = time.time()
    trouble.bus.publish(SOL, "exit_long")
    trouble.ours.await_closed(SOL, within=15)
    delays.append(time.time() - published)
    trouble.silence(f"{len(names)} poisoned documents", begun)
    assert_bounded(trouble)
    assert max(delays) < 8, delays
    for pair in spoilt:
        assert trouble.ours.trades(pair) == []


@pytest.mark.proof
def test_a_bus_of_three_fails_over_within_seconds(trouble: Trouble, tmp_path: Path) -> None:
    with running_set(tmp_path / "three", nodes=3) as three, closing(BusView(three.uri)) as bus:
        bus.declare()
        trouble.follow(three.uri)
        signal = bus.publish(ADA, "enter_long")
        trouble.ours.trade_of(ADA, signal.signal_id, within=60)
        begun = time.time()
        three.await_primary().kill()
        signal = bus.publish(DOT, "enter_long")
        acknowledged = time.time()
        trouble.ours.trade_of(DOT, signal.signal_id, within=60)
        trouble.notes.append(
            f"primary killed: {acknowledged - begun:.1f} s to the next publish, "
            f"{time.time() - acknowledged:.1f} s more to its order"
        )
        trouble.silence("primary of three killed", begun)
        assert bus.end_of(signal).state.value == "filled"
    trouble.follow(trouble.address)
    assert_bounded(trouble)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_minute_without_the_bus_costs_no_stop_no_exit_and_no_second_entry(trouble: Trouble) -> None:
    """Three positions are open: one is stopped, one was to be left before, one is kept."""
    early_in_a_bar(seconds_left=20)
    tags = {pair: entered(trouble, pair) for pair in (XRP, LTC, BNB)}
    trouble.venue.without_book.add("LTCUSDT")
    leave = trouble.bus.publish(LTC, "exit_long", ts=trouble.bus.published[LTC].ts)
    trouble.bus.await_seen(leave, version=2)
    begun = time.time()
    trouble.node.kill()
    time.sleep(15)
    trouble.venue.times_price["XRPUSDT"] = 0.8
    assert trouble.ours.await_closed(XRP)["exit_reason"] == "stop_loss"
    trouble.venue.without_book.clear()
    assert str(trouble.ours.await_closed(LTC)["exit_reason"]).startswith("revised:")
    trouble.venue.times_price.clear()
    time.sleep(max(0.0, begun + 60 - time.time()))
    trouble.silence("a minute without the bus", begun)
    trouble.node.start()
    trouble.server.await_primary()
    back = time.time()
    entered(trouble, SOL, within=90)
    trouble.notes.append(f"bus back after a minute: {time.time() - back:.1f} s to an order")
    trouble.silence("a minute without the bus, and its return", begun)
    assert trouble.bus.end_of(leave, version=2).state.value == "filled"
    for pair, tag in tags.items():
        assert [trade["enter_tag"] for trade in trouble.ours.trades(pair)].count(tag) == 1
    assert_bounded(trouble)
