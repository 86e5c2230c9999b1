from datetime import datetime, timedelta

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.testing import FrozenClock
from quantbus_research.workflows import BusClock


class Surroundings:
    """A bus that knows the time, an own clock that does not, and a counter of seconds."""

    def __init__(self) -> None:
        self.bus, self.own = FrozenClock(), FrozenClock()
        self.seconds = 0.0
        self.answers_after = 0.0
        self.down = False
        self.clock = BusClock(self.ask, own=self.own, elapsed=lambda: self.seconds)

    def ask(self) -> datetime:
        if self.down:
            raise BusUnavailable("away")
        self.seconds += self.answers_after
        return self.bus.now()

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self.bus.advance(timedelta(seconds=seconds))
        self.own.advance(timedelta(seconds=seconds))


def test_it_tells_the_time_of_the_bus_whatever_the_own_clock_says() -> None:
    here = Surroundings()
    here.own.advance(timedelta(minutes=-10))
    assert here.clock.now() == here.own.now()
    assert here.clock.set()
    assert here.clock.now() == here.bus.now()
    assert here.clock.ahead == timedelta(minutes=10)
    here.pass_by(7.0)
    assert here.clock.now() == here.bus.now()


def test_setting_the_own_clock_changes_nothing_once_the_bus_has_told() -> None:
    here = Surroundings()
    here.clock.set()
    here.own.advance(timedelta(hours=5))
    here.pass_by(3.0)
    assert here.clock.now() == here.bus.now()


def test_a_bus_that_is_away_or_slow_leaves_it_going_on_as_it_was() -> None:
    here = Surroundings()
    here.clock.set()
    here.down = True
    here.pass_by(3.0)
    assert not here.clock.set()
    assert here.clock.now() == here.bus.now()
    here.down, here.answers_after = False, 4.0
    assert not here.clock.set(), "an answer that took so long says too little"
