import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_services.paper_exchange.series import Bars, ceil_to, decimals_of, floor_to
from tests.unit.services.paper_exchange.recordings import MINUTE, START, recording


def aggregate_by_hand(bars: Bars, step_ms: int) -> list[tuple[object, ...]]:
    buckets: dict[int, list[int]] = {}
    for index, moment in enumerate(bars.open_time.tolist()):
        buckets.setdefault(moment // step_ms * step_ms, []).append(index)
    return [
        (
            moment,
            float(bars.open[rows[0]]),
            float(bars.high[rows].max()),
            float(bars.low[rows].min()),
            float(bars.close[rows[-1]]),
            pytest.approx(sum(bars.volume[rows].tolist())),
        )
        for moment, rows in buckets.items()
    ]


@settings(deadline=None)
@given(
    count=st.integers(1, 200),
    offset=st.integers(0, 70),
    step=st.sampled_from([3, 5, 15, 60]),
    without=st.sets(st.integers(1, 199), max_size=60),
)
def test_coarse_bars_are_made_of_the_minutes_inside_them(
    count: int, offset: int, step: int, without: set[int]
) -> None:
    bars = recording(count, start_ms=START + offset * MINUTE, without=without)
    made = bars.aggregate(step * MINUTE)
    rows = zip(made.open_time, made.open, made.high, made.low, made.close, made.volume, strict=True)
    assert [tuple(row) for row in rows] == aggregate_by_hand(bars, step * MINUTE)


def test_no_bars_aggregate_to_no_bars() -> None:
    assert len(Bars.empty().aggregate(MINUTE)) == 0
    assert len(Bars.join([])) == 0


def test_a_range_takes_its_start_and_leaves_its_end() -> None:
    bars = recording(10)
    assert bars.between(START + 2 * MINUTE, START + 5 * MINUTE).open_time.tolist() == [
        START + minute * MINUTE for minute in (2, 3, 4)
    ]
    assert len(bars.between(START + 5 * MINUTE, START + 2 * MINUTE)) == 0


def test_moving_bars_changes_nothing_but_their_time() -> None:
    bars = recording(10)
    moved = bars.shifted(3 * MINUTE)
    assert moved.bar(0).open_time == bars.bar(0).open_time + 3 * MINUTE
    assert moved.bar(4).close == bars.bar(4).close


def test_parts_that_follow_each_other_join() -> None:
    bars = recording(10)
    joined = Bars.join([bars.rows(0, 4), bars.rows(4, 10)])
    assert joined.open_time.tolist() == bars.open_time.tolist()
    assert joined.close.tolist() == bars.close.tolist()


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([1.0, 200.0], 0), ([0.1, 2.0], 1), ([63000.01], 2), ([0.00001234], 8), ([1 / 3], 8)],
)
def test_decimals_are_those_it_takes_to_write_every_value(values: list[float], decimals: int) -> None:
    assert decimals_of(np.array(values)) == decimals


def test_rounding_to_bars_goes_down_or_up_and_keeps_open_times() -> None:
    assert floor_to(MINUTE, START + 1) == START == floor_to(MINUTE, START)
    assert ceil_to(MINUTE, START + 1) == START + MINUTE
    assert ceil_to(MINUTE, START) == START
