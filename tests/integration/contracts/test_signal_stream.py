"""Following the bus: every revision once, whatever happens to the server meanwhile."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.bus import SignalBus
from quantbus_contracts.embedded import server_status, start_server, stop_server
from quantbus_contracts.errors import BusError, BusUnavailable, ConfigError, ContractError
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.mongo.signal_search import SignalFilter
from quantbus_contracts.mongo.signal_stream import SignalEvent, SignalStream
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Strategy
from quantbus_contracts.testing import make_signal

pytestmark = pytest.mark.integration
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
Shown = list[tuple[str, int]]


DECLARED = Strategy(
    strategy_id="test",
    venue="BINANCE",
    timeframe="1m",
    pairs=tuple(f"{base}/USDT" for base in ("BTC", "ETH", "SOL", "OLD", "LATER", "C0", "C1", "C2", "C3")),
)


@pytest.fixture
def bus(connection: Connection) -> SignalBus:
    made = SignalBus(connection, publisher="tester")
    made.declare(DECLARED)
    return made


@pytest.fixture
def own_home(tmp_path: Path) -> Iterator[Path]:
    """Give a server of the test's own, which it may kill."""
    start_server(tmp_path)
    with closing(connect(MongoSettings(home=tmp_path), app="prepare", timeout_seconds=60)) as connection:
        initialise(connection)
        SignalBus(connection).declare(DECLARED)
    yield tmp_path
    stop_server(tmp_path)


def stream_of(settings: MongoSettings, chosen: SignalFilter | None = None, **given: object) -> SignalStream:
    return SignalStream(lambda: connect(settings, app="stream", timeout_seconds=3), chosen, **given)  # type: ignore[arg-type]


def drain(stream: SignalStream, *, quiet_seconds: float = 1.5) -> list[SignalEvent]:
    found = []
    while (event := stream.next_event(wait_seconds=quiet_seconds)) is not None:
        found.append(event)
    return found


def take(stream: SignalStream, count: int, *, within_seconds: float = 60) -> list[SignalEvent]:
    found: list[SignalEvent] = []
    deadline = time.monotonic() + within_seconds
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} came"
        event = stream.next_event(wait_seconds=1)
        found += [event] if event else []
    return found


def shown(events: list[SignalEvent]) -> Shown:
    return [(event.published.signal.pair, event.published.version) for event in events]


def test_what_is_published_is_handed_out_in_order_each_revision_as_it_was(
    mongo_settings: MongoSettings, bus: SignalBus
) -> None:
    bus.publish([make_signal(pair="OLD/USDT")])
    with stream_of(mongo_settings) as stream:
        bus.publish([make_signal(score=0.1), make_signal(pair="ETH/USDT")])
        bus.publish([make_signal(score=0.2)])
        bus.publish([make_signal(score=0.2)])
        bus.publish([make_signal(score=0.3)])
        events = drain(stream)
    assert shown(events) == [("BTC/USDT", 1), ("ETH/USDT", 1), ("BTC/USDT", 2), ("BTC/USDT", 3)]
    scores = [event.published.signal.score for event in events if event.published.signal.pair == "BTC/USDT"]
    assert scores == [0.1, 0.2, 0.3], "though all were looked up after the last write"
    assert [len(event.published.history) for event in events] == [0, 0, 1, 2]


def test_only_what_was_asked_for_comes(mongo_settings: MongoSettings, bus: SignalBus) -> None:
    with stream_of(mongo_settings, SignalFilter(strategy_id="a", pair="BTC/USDT")) as stream:
        for strategy in ("a", "b"):
            bus.publish([make_signal(strategy_id=strategy), make_signal(strategy_id=strategy, pair="X/Y")])
            bus.publish([make_signal(strategy_id=strategy, score=0.5)])
        assert shown(drain(stream)) == [("BTC/USDT", 1), ("BTC/USDT", 2)]


def test_a_start_in_the_past_joins_the_present_without_a_seam(
    mongo_settings: MongoSettings, bus: SignalBus
) -> None:
    bus.publish([make_signal(pair="OLD/USDT")])
    time.sleep(0.01)
    since = bus.connection.server_now()
    stop = threading.Event()

    def publish() -> None:
        index = 0
        while not stop.is_set():
            bus.publish([make_signal(ts=NOON + timedelta(minutes=index // 3), score=index % 3 / 10)])
            index += 1

    publisher = threading.Thread(target=publish)
    publisher.start()
    time.sleep(0.5)
    with stream_of(mongo_settings, since=since) as stream:
        time.sleep(0.5)
        stop.set()
        publisher.join()
        events = drain(stream)
    marks = [(event.published.signal.ts, event.published.version) for event in events]
    assert len(marks) > 20
    assert marks == sorted(set(marks)), "none twice, all in order"
    assert marks[0] == (NOON, 1)
    steps = {(ts - NOON) // timedelta(minutes=1) * 3 + version - 1 for ts, version in marks}
    assert steps == set(range(len(marks))), "none missing"


def test_a_token_continues_behind_the_last_event(mongo_settings: MongoSettings, bus: SignalBus) -> None:
    with stream_of(mongo_settings) as stream:
        bus.publish([make_signal(pair=f"C{number}/USDT") for number in range(4)])
        events = take(stream, 2)
    bus.publish([make_signal(pair="LATER/USDT")])
    with stream_of(mongo_settings, after=events[1].token) as stream:
        assert shown(drain(stream)) == [("C2/USDT", 1), ("C3/USDT", 1), ("LATER/USDT", 1)]


def test_a_token_of_nothing_is_refused(mongo_settings: MongoSettings) -> None:
    with pytest.raises(BusError, match="token of this bus"):
        stream_of(mongo_settings, after="82AB").open()
    with pytest.raises(ContractError, match="both"):
        stream_of(mongo_settings, after="82AB", since=NOON)


def aged(token: str) -> str:
    """Return the token of a change that happened years before the server was made."""
    return token[:2] + f"{int(datetime(2015, 1, 1, tzinfo=UTC).timestamp()):08X}" + token[10:]


def test_changes_that_the_server_no_longer_keeps_are_read_from_what_stands(
    mongo_settings: MongoSettings, bus: SignalBus
) -> None:
    bus.publish([make_signal(pair="OLD/USDT")])
    time.sleep(0.01)
    with stream_of(mongo_settings) as stream:
        bus.publish([make_signal(score=0.1), make_signal(pair="ETH/USDT")])
        assert shown(take(stream, 2)) == [("BTC/USDT", 1), ("ETH/USDT", 1)]
        stream.close()
        token = stream.token
        assert token is not None
        stream._token = aged(token)
        bus.publish([make_signal(score=0.2), make_signal(pair="SOL/USDT")])
        assert sorted(shown(drain(stream))) == [("BTC/USDT", 2), ("SOL/USDT", 1)]
        bus.publish([make_signal(score=0.3)])
        assert shown(drain(stream)) == [("BTC/USDT", 3)], "the stream goes on behind what was read"
    with pytest.raises(BusError, match="no longer keeps"):
        stream_of(mongo_settings, after=aged(token)).open()


def test_a_row_that_is_no_signal_does_not_hide_the_others(
    mongo_settings: MongoSettings, bus: SignalBus
) -> None:
    with stream_of(mongo_settings) as stream:
        bus.connection.client[mongo_settings.signals_db].command(
            "insert",
            "crypto_signals",
            documents=[{"_id": "bad", "version": "$where"}],
            bypassDocumentValidation=True,
        )
        bus.publish([make_signal()])
        assert shown(drain(stream)) == [("BTC/USDT", 1)]


def test_a_bus_that_never_answered_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="quantbus bus up"):
        stream_of(MongoSettings(home=tmp_path)).open()
    dead = MongoSettings(home=tmp_path, mongo_uri="mongodb://127.0.0.1:9/?replicaSet=x")
    with pytest.raises(BusUnavailable):
        SignalStream(lambda: connect(dead, app="stream", timeout_seconds=0.5)).open()


@pytest.mark.parametrize("kills", [3])
@pytest.mark.proof
def test_killing_the_server_loses_nothing_and_repeats_nothing(own_home: Path, kills: int) -> None:
    """The server comes back, perhaps at another port; the publisher goes on until all is acknowledged."""
    settings = MongoSettings(home=own_home)
    breaks: list[BusUnavailable] = []
    each_round = 60
    total = each_round * (kills + 1)
    published = 0
    with stream_of(settings, on_break=breaks.append) as stream:
        events: list[SignalEvent] = []
        for round_number in range(kills + 1):
            with closing(connect(settings, app="publisher", timeout_seconds=30)) as connection:
                bus = SignalBus(connection, publisher="tester")
                for _ in range(each_round):
                    pair, minute = f"C{published % 3}/USDT", published // 6
                    row = make_signal(
                        pair=pair, ts=NOON + timedelta(minutes=minute), score=published % 6 // 3 / 10
                    )
                    assert bus.publish([row]).ok
                    published += 1
            events += take(stream, 20)  # the rest is still to be handed out when the server dies
            if round_number < kills:
                running = server_status(own_home)
                assert running is not None
                os.kill(running.pid, signal.SIGKILL)
                if round_number == 0:  # once, the stream looks in vain for a while
                    (own_home / "bus.json").rename(own_home / "kept.json")
                    deadline = time.monotonic() + 30
                    while stream.broken_for_seconds == 0 and time.monotonic() < deadline:
                        event = stream.next_event(wait_seconds=0.2)
                        events += [event] if event else []
                    assert stream.broken_for_seconds > 0
                    (own_home / "kept.json").rename(own_home / "bus.json")
                start_server(own_home)
        events += take(stream, total - len(events))
        events += drain(stream)
        assert stream.broken_for_seconds == 0
    assert breaks, "the control: the connection did break"
    marks = [
        (event.published.signal.pair, event.published.signal.ts, event.published.version) for event in events
    ]
    assert len(marks) == len(set(marks)) == total
