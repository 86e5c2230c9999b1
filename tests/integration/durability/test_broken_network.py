"""Publishing through a network that breaks: bounded in time, honest in the report, never a second revision."""

import random
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from quantbus_contracts import SignalBus
from quantbus_contracts.embedded import EmbeddedServer
from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import PublishReport, Signal
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from tests.fixtures.bus_load import scores_of
from tests.fixtures.tcp_proxy import Direction, Fault, TcpProxy, running_proxy

pytestmark = [pytest.mark.proof, pytest.mark.integration]
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TIMEOUT_SECONDS = 1.0
LONGEST_SECONDS = 14.0
"""Four tries with a time-out each, and up to two seconds for taking back what a try had begun."""
EACH = 10
COMMANDS = ["find", "aggregate", "insert", "update", "commitTransaction"]
BREAKS = ["request_lost", "reply_lost", "reply_lost_twice"]
CASES = [(command, how) for command in COMMANDS for how in BREAKS]
CASES += [(command, "silence") for command in ("find", "insert", "commitTransaction")]


@dataclass
class Breaker:
    """Breaks the connection when a command comes by, as often as it is told to."""

    proxy: TcpProxy
    command: str
    how: str
    fired: int = 0

    def is_command(self, chunk: bytes) -> bool:
        """Tell whether the bytes hold the first field of such a command: its name, of text or number."""
        return any(b"%b%b\0" % (kind, self.command.encode()) in chunk for kind in (b"\x02", b"\x10"))

    def __call__(self, direction: Direction, chunk: bytes) -> None:
        times = 2 if self.how == "reply_lost_twice" else 1
        if direction != "to_server" or self.fired >= times or not self.is_command(chunk):
            return
        self.fired += 1
        if self.how == "request_lost":
            self.proxy.to_server.reset_after = 0
        elif self.how == "silence":
            self.proxy.to_client.black_hole = True
        else:
            self.proxy.to_client.reset_after = 0


@pytest.fixture
def proxy(mongo_server: EmbeddedServer) -> Iterator[TcpProxy]:
    with running_proxy(mongo_server.port) as made:
        yield made


@pytest.fixture
def through_proxy(proxy: TcpProxy, mongo_settings: MongoSettings) -> Iterator[Connection]:
    uri = SecretStr(f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true")
    settings = mongo_settings.model_copy(update={"mongo_uri": uri})
    with closing(connect(settings, app="test", timeout_seconds=TIMEOUT_SECONDS)) as made:
        made.server_now()
        yield made


def batch(first: int, score: float) -> list[Signal]:
    return [make_signal(ts=START + timedelta(minutes=first + n), score=score) for n in range(EACH)]


def stored(connection: Connection) -> list[list[float | None]]:
    """Return the scores of all revisions of each signal, in the order of their bars."""
    found = SignalReader(connection).range(
        "test", Timeframe.parse("1m"), "BTC/USDT", START, START + timedelta(days=1)
    )
    return [scores_of(item) for item in found]


def timed_publish(bus: SignalBus, rows: list[Signal]) -> PublishReport | None:
    """Publish within the time-out; None if the bus was said to be unavailable."""
    begun = time.monotonic()
    try:
        return bus.publish(rows)
    except BusUnavailable:
        return None
    finally:
        assert time.monotonic() - begun < LONGEST_SECONDS, "publishing is bounded in time"


def publish_until_ok(bus: SignalBus, rows: list[Signal]) -> None:
    for _ in range(100):
        report = timed_publish(bus, rows)
        if report is not None and report.ok:
            return
    pytest.fail("100 attempts were not enough")


@pytest.mark.parametrize(("command", "how"), CASES)
def test_a_break_makes_no_row_stand_twice_and_the_report_claims_nothing_untrue(
    proxy: TcpProxy, through_proxy: Connection, connection: Connection, command: str, how: str
) -> None:
    SignalBus(connection).publish(batch(0, 0.1) + batch(EACH, 0.2))
    rows = batch(0, 0.1) + batch(EACH, 0.3) + batch(2 * EACH, 0.3)  # unchanged, revised, new
    bus = SignalBus(through_proxy)
    proxy.seen = breaker = Breaker(proxy, command, how)
    report = timed_publish(bus, rows)
    assert breaker.fired, f"no {command} came by"
    before = stored(connection)
    written = sum(len(scores) for scores in before) - 2 * EACH
    if report is None:
        assert written == 0, "a bus that is called unavailable has taken nothing"
    else:
        assert report.inserted + report.revised <= written, "acknowledged rows stand"
        assert report.inserted + report.revised + report.unknown >= written, (
            "no row is called untouched wrongly"
        )
        assert (report.stale, report.rejected) == (0, 0)
    if how != "silence" and not (report is None and command in ("find", "aggregate")):
        assert report is not None
        assert report.ok, "a connection that can be made again is made again, and the rows are settled"
    proxy.to_client.black_hole = False
    again = bus.publish(rows)
    assert again.ok
    assert again.inserted + again.revised == 2 * EACH - written
    assert stored(connection) == [[0.1]] * EACH + [[0.2, 0.3]] * EACH + [[0.3]] * EACH


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("command", ["update", "commitTransaction"])
def test_our_own_revision_is_not_taken_for_a_faster_publishers(
    proxy: TcpProxy, through_proxy: Connection, command: str, how: str
) -> None:
    bus = SignalBus(through_proxy)
    (first,), (second,) = batch(0, 0.1)[:1], batch(0, 0.2)[:1]
    bus.publish([first])
    proxy.seen = breaker = Breaker(proxy, command, how)
    report = bus.publish([second], expected_versions={second.signal_id: 1})
    assert breaker.fired
    assert (report.revised, report.stale) == (1, 0)


def test_a_slow_network_is_only_slow(proxy: TcpProxy, through_proxy: Connection) -> None:
    proxy.to_client.delay_seconds = proxy.to_server.delay_seconds = 0.05
    bus = SignalBus(through_proxy)
    assert bus.publish(batch(0, 0.1)).inserted == EACH
    assert bus.publish(batch(0, 0.2)).revised == EACH


def test_a_write_that_arrives_after_everyone_gave_up_is_still_one_revision(
    proxy: TcpProxy, through_proxy: Connection, connection: Connection
) -> None:
    late, other = SignalBus(through_proxy, publisher="late"), SignalBus(connection, publisher="other")
    late.publish(batch(0, 0.1))

    def hold(direction: Direction, chunk: bytes) -> None:
        if direction == "to_server" and b"\x02update\0" in chunk:
            proxy.to_server.hold = True

    proxy.seen = hold
    report = timed_publish(late, batch(0, 0.2))
    assert report is not None
    assert report.unknown == EACH
    assert other.publish(batch(0, 0.3)).revised == EACH
    proxy.seen = lambda direction, chunk: None
    proxy.to_server.hold = False
    assert late.publish(batch(0, 0.2)).ok
    for scores in stored(connection):
        assert scores in ([0.1, 0.3, 0.2], [0.1, 0.2, 0.3, 0.2]), "each publish is one revision at most"


def test_a_server_that_answers_nobody_is_called_unavailable_in_time(
    proxy: TcpProxy, through_proxy: Connection, connection: Connection
) -> None:
    proxy.to_client.black_hole = True
    assert timed_publish(SignalBus(through_proxy), batch(0, 0.1)) is None
    assert stored(connection) == []


def test_publishers_behind_a_network_that_keeps_breaking_complete_without_doubles(
    proxy: TcpProxy, through_proxy: Connection, connection: Connection
) -> None:
    chance = random.Random(5)  # noqa: S311  # when to break is no secret
    breaks = 0

    def disturb(direction: Direction, chunk: bytes) -> None:
        nonlocal breaks
        if chance.random() < 0.05:
            breaks += 1
            fault: Fault = getattr(proxy, direction)
            fault.reset_after = 0

    proxy.seen = disturb
    bus = SignalBus(through_proxy)
    for score in (0.1, 0.2, 0.3):
        for first in range(0, 6 * EACH, EACH):
            publish_until_ok(bus, batch(first, score))
    assert breaks > 3, "the network did break"
    assert stored(connection) == [[0.1, 0.2, 0.3]] * (6 * EACH)
