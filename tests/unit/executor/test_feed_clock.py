"""A machine whose clock is wrong: what is newest is judged by the database's clock all the same."""

from datetime import timedelta

import pytest

from quantbus_contracts.testing import FakeSignalStore, FrozenClock, make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.hearing.feed import SignalFeed

ONE_MINUTE = Timeframe.parse("1m")
PAIR = "BTC/USDT"
SKEW = timedelta(seconds=2)


def test_a_clock_that_is_wrong_at_the_start_hides_no_row_behind_an_older_one() -> None:
    here, there = FrozenClock(), FrozenClock()
    bus = FakeSignalStore(clock=there)
    older = ONE_MINUTE.last_closed(there.now())
    bus.publish([make_signal(ts=older)])
    there.advance(ONE_MINUTE.delta)  # and we are 60 s behind
    bus.publish([make_signal(action="exit_long", ts=older + ONE_MINUTE.delta)])
    feed = _feed(bus, here)
    assert feed.refresh([PAIR])
    newest = feed.newest(PAIR)
    assert newest is not None
    assert newest.signal.action == "exit_long"


@pytest.mark.parametrize("step", [timedelta(seconds=-90), timedelta(seconds=90)])
def test_a_clock_that_is_set_anew_while_the_bot_runs_changes_nothing(step: timedelta) -> None:
    here, there = FrozenClock(), FrozenClock()
    bus = FakeSignalStore(clock=there)
    feed = _feed(bus, here)
    feed.refresh([PAIR])
    closed = ONE_MINUTE.last_closed(there.now())
    bus.publish([make_signal(ts=closed), make_signal(action="exit_long", ts=closed + ONE_MINUTE.delta)])
    here.advance(step)
    feed.refresh([PAIR])
    newest = feed.newest(PAIR)
    assert newest is not None
    assert newest.signal.ts == closed, "the bar after it is open yet"
    assert feed.now() == there.now()


def _feed(bus: FakeSignalStore, clock: FrozenClock) -> SignalFeed:
    return SignalFeed(
        bus,
        clock,
        strategy_id="test",
        timeframe=ONE_MINUTE,
        clock_skew=SKEW,
        max_answer_age=timedelta(seconds=30),
    )
