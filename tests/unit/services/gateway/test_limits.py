"""Token buckets."""

from hypothesis import given
from hypothesis import strategies as st

from quantbus_services.gateway.limits import Buckets


class Ticking:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_served_and_then_the_rate() -> None:
    clock = Ticking()
    buckets = Buckets(2.0, 3, clock)
    assert [buckets.spend("a") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now += 0.5
    assert buckets.spend("a") == 0
    assert buckets.spend("a") == 0.5
    assert buckets.spend("b") == 0


def test_asking_takes_nothing() -> None:
    buckets = Buckets(1.0, 1, Ticking())
    assert [buckets.wait("a") for _ in range(5)] == [0] * 5
    assert buckets.spend("a") == 0
    assert buckets.wait("a") == 1.0


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 10), st.floats(0.5, 20))
def test_no_schedule_gets_more_than_burst_and_rate(pauses: list[float], burst: int, rate: float) -> None:
    clock = Ticking()
    buckets = Buckets(rate, burst, clock)
    served = 0
    for pause in pauses:
        clock.now += pause
        served += buckets.spend("a") == 0
    assert served <= burst + rate * clock.now + 1e-6


def test_memory_is_bounded_and_whoever_was_silent_longest_is_forgotten() -> None:
    buckets = Buckets(0.001, 1, Ticking(), most_names=100)
    buckets.spend("kept")
    for number in range(1_000):
        buckets.wait("kept")
        buckets.spend(f"stranger {number}")
    assert len(buckets) == 100
    assert buckets.wait("kept") > 0
    assert buckets.wait("stranger 0") == 0
