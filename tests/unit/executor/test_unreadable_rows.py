"""A pair whose newest row is no signal: what is known of it goes on, and nothing new is begun."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from quantbus_contracts.ports import RestraintSnapshot, SignalSnapshot
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import FakeSignalStore, FrozenClock, make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.restraints import Restraints, RestraintSettings

ONE_MINUTE = Timeframe.parse("1m")
PAIRS = ("BTC/USDT", "ETH/USDT")


@dataclass
class Spoilt(FakeSignalStore):
    """A bus on which the newest rows of some pairs cannot be read."""

    unreadable: tuple[str, ...] = ()

    def newest(
        self,
        strategy_id: str,
        timeframe: Timeframe,
        pairs: Sequence[str],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> SignalSnapshot:
        answer = super().newest(strategy_id, timeframe, pairs, since=since, until=until)
        readable = {pair: item for pair, item in answer.signals.items() if pair not in self.unreadable}
        return replace(answer, signals=readable, unreadable=self.unreadable)


@dataclass
class Rows:
    """Answers about restraints, as given."""

    clock: FrozenClock
    unreadable: tuple[str, ...] = field(default=())

    def in_force(self, strategy_id: str) -> RestraintSnapshot:
        return RestraintSnapshot(self.clock.now(), unreadable=self.unreadable)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def bus(clock: FrozenClock) -> Spoilt:
    return Spoilt(clock=clock)


@pytest.fixture
def feed(bus: Spoilt, clock: FrozenClock) -> SignalFeed:
    return SignalFeed(
        bus,
        clock,
        strategy_id="test",
        timeframe=ONE_MINUTE,
        clock_skew=timedelta(0),
        max_answer_age=timedelta(seconds=30),
    )


def publish(bus: Spoilt, clock: FrozenClock, pair: str) -> PublishedSignal:
    signal = make_signal(pair=pair, ts=ONE_MINUTE.last_closed(clock.now()))
    bus.publish([signal])
    return bus.signals[signal.signal_id]


def test_the_last_signal_of_such_a_pair_is_known_but_not_heard(
    bus: Spoilt, feed: SignalFeed, clock: FrozenClock
) -> None:
    both = [publish(bus, clock, pair) for pair in PAIRS]
    feed.refresh(PAIRS)
    assert feed.heard(PAIRS) == both
    bus.unreadable = PAIRS[:1]
    for _ in range(2):
        feed.refresh(PAIRS)
        assert feed.newest(PAIRS[0]) == both[0]
        assert feed.heard(PAIRS) == both[1:]
        assert feed.unreadable == {PAIRS[0]}
    bus.unreadable = ()
    feed.refresh(PAIRS)
    assert feed.heard(PAIRS) == both


def test_a_pair_that_was_never_readable_is_unknown(bus: Spoilt, feed: SignalFeed, clock: FrozenClock) -> None:
    publish(bus, clock, PAIRS[0])
    bus.unreadable = PAIRS[:1]
    feed.refresh(PAIRS)
    assert feed.newest(PAIRS[0]) is None
    assert feed.may_enter


def test_such_rows_are_told_of_once(bus: Spoilt, feed: SignalFeed, caplog: pytest.LogCaptureFixture) -> None:
    bus.unreadable = PAIRS[:1]
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            feed.refresh(PAIRS)
    (record,) = caplog.records
    assert PAIRS[0] in record.getMessage()


@pytest.mark.parametrize(("fail_open", "known"), [(False, False), (True, True)])
def test_a_control_that_cannot_be_read_stops_entries_unless_these_may_go_on(
    clock: FrozenClock, fail_open: bool, known: bool
) -> None:
    rows = Rows(clock)
    settings = RestraintSettings(fail_open=fail_open)
    restraints = Restraints(rows, clock, strategy_id="test", consumer_id="bot", settings=settings)
    restraints.refresh()
    assert restraints.known
    rows.unreadable = ("all|me",)
    restraints.refresh()
    assert restraints.known is known
    assert restraints.unreadable == ("all|me",)
