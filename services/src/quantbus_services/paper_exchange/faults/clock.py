"""The fault that moves the exchange's clock, and how it is moved."""

from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from quantbus_contracts.clock import Clock
from quantbus_services.paper_exchange.faults.spec import FaultSpec, Parameter

__all__ = ["CLOCK", "MovableClock", "Tilt"]

CLOCK = (
    FaultSpec(
        "clock_jump",
        "clock",
        "its clock jumps and stays off while the fault is on, then jumps back",
        "notices by the `Date` of the answers or by −1021, measures the difference anew before it believes "
        "that a bar is closed; each bar is stored once, when it is closed at the venue",
        "tests/integration/ingestion/test_faults.py::test_a_clock_that_jumps_makes_no_bar_partial",
        None,
        parameters=MappingProxyType(
            {"seconds": Parameter(600.0, "how far it jumps; negative is back", least=-86_400, most=86_400)}
        ),
    ),
)


class MovableClock(Clock, Protocol):
    """A clock that can be made to jump."""

    @property
    def speed(self) -> float:
        """Return how many of its seconds pass in one of the machine's."""
        ...

    def jump(self, by: timedelta) -> None:
        """Show a time that is ``by`` later from now on."""
        ...


class Tilt:
    """How far a fault has moved the exchange's clock, and the time as it would be without."""

    def __init__(self, clock: MovableClock) -> None:
        """Start with a clock that is right."""
        self._clock = clock
        self._by = timedelta(0)

    def now_ms(self) -> int:
        """Return the time without the jump, in Unix milliseconds."""
        return int((self._clock.now() - self._by).timestamp() * 1000)

    def date(self) -> datetime:
        """Return the time that the exchange shows."""
        return self._clock.now()

    def to(self, by: timedelta) -> bool:
        """Let the clock be off by ``by``; return whether that was a jump."""
        if by == self._by:
            return False
        self._clock.jump(by - self._by)
        self._by = by
        return True
