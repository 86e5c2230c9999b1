from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.testing import FrozenClock
from quantbus_services.ingestion.live.steady_clock import SteadyClock, counted_seconds
from tests.unit.services.ingestion.fakes import NOON


@given(
    st.lists(
        st.tuples(st.floats(0, 1e5), st.timedeltas(timedelta(hours=-3), timedelta(hours=3))), max_size=20
    )
)
def test_it_goes_on_by_what_was_counted_however_the_machines_clock_is_set(
    passing: list[tuple[float, timedelta]],
) -> None:
    machine, counted = FrozenClock(NOON), [0.0]
    clock = SteadyClock(machine, lambda: counted[0])
    for seconds, jump in passing:
        counted[0] += seconds
        machine.advance(jump)
        assert clock.now() == NOON + timedelta(seconds=counted[0])


def test_what_is_counted_grows() -> None:
    first = counted_seconds()
    assert counted_seconds() >= first
