from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ContractError
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.files import FileBars
from quantbus_services.ingestion.transfer.sift import check_spacing, sift

NOON_MS = int(datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp() * 1000)
LATER = datetime(2026, 1, 6, tzinfo=UTC)
MINUTE = Timeframe.parse("1m")
Bar = tuple[int, float, float, float, float, float]


def bar(minute: int, price: float = 10.0) -> Bar:
    return NOON_MS + minute * 60_000, price, price + 1, price - 1, price, 5.0


def file_of(*bars: Bar, first_row: int = 1) -> FileBars:
    columns = list(zip(*bars, strict=True)) if bars else [()] * 6
    names = ("open", "high", "low", "close", "volume")
    return FileBars(
        "import:csv",
        np.arange(first_row, first_row + len(bars), dtype=np.int64),
        np.array(columns[0], dtype=np.int64),
        {name: np.array(column, dtype=np.float64) for name, column in zip(names, columns[1:], strict=True)},
    )


def fates(*bars: Bar, now: datetime = LATER) -> tuple[list[float], list[tuple[int, str]], int]:
    found = sift(file_of(*bars), "BINANCE:BTCUSDT", MINUTE, now)
    minutes = [(value - NOON_MS) / 60_000 for value in found.columns.open_times_ms.tolist()]
    return minutes, [(item.row, item.reason) for item in found.rejections], found.twins


def test_sound_rows_are_sorted_by_time() -> None:
    assert fates(bar(2), bar(0), bar(1)) == ([0, 1, 2], [], 0)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((float("nan"), 11, 9, 10, 5), "open_not_finite"),
        ((10, float("inf"), 9, 10, 5), "high_not_finite"),
        ((10, 8, 9, 10, 5), "high_below_low"),
        ((10, 11, 9, 12, 5), "high_below_body"),
        ((10, 11, 9, 10, -5), "volume_negative"),
        ((10, 11, 0, 10, 5), "low_not_positive"),
    ],
)
def test_a_bad_row_is_refused_and_the_rest_goes_in(values: tuple[float, ...], reason: str) -> None:
    bad: Bar = (NOON_MS + 60_000, *values)  # type: ignore[assignment]  # five values each

    assert fates(bar(0), bad, bar(2)) == ([0, 2], [(2, reason)], 0)


def test_a_misaligned_row_is_refused() -> None:
    odd: Bar = (NOON_MS + 61_000, 10, 11, 9, 10, 5)

    assert fates(bar(0), odd, bar(2)) == ([0, 2], [(2, "misaligned")], 0)


def test_a_bar_that_has_not_closed_is_refused() -> None:
    now = datetime(2026, 1, 5, 12, 1, 59, tzinfo=UTC)

    assert fates(bar(0), bar(1), now=now) == ([0], [(2, "not_closed")], 0)
    assert fates(bar(0), bar(1), now=now + timedelta(seconds=1)) == ([0, 1], [], 0)


def test_rows_that_contradict_an_earlier_one_are_refused_and_repeats_are_counted() -> None:
    assert fates(bar(0), bar(1, 20), bar(1, 21), bar(0), bar(1, 20)) == (
        [0, 1],
        [(3, "duplicate_open_time")],
        2,
    )


def test_times_before_the_first_block_or_beyond_the_calendar_are_refused() -> None:
    ancient: Bar = (60_000, 10, 11, 9, 10, 5)
    beyond: Bar = (10**17, 10, 11, 9, 10, 5)

    assert fates(ancient, bar(0), beyond) == (
        [0],
        [(1, "open_time_implausible"), (3, "open_time_implausible")],
        0,
    )


def test_rejections_name_the_row_of_the_file() -> None:
    bars = file_of(bar(0), (NOON_MS + 60_000, 10, 8, 9, 10, 5), first_row=3)

    found = sift(bars, "BINANCE:BTCUSDT", MINUTE, LATER)

    assert [(item.row, item.field, item.value) for item in found.rejections] == [(4, "high", "8.0")]
    assert found.reasons == {"high_below_low": 1}


def test_an_empty_file_has_nothing_to_write() -> None:
    assert fates() == ([], [], 0)


rows = st.lists(
    st.tuples(
        st.one_of(
            st.integers(-3, 3).map(lambda minute: NOON_MS + minute * 60_000), st.integers(-(2**62), 2**62)
        ),
        *[st.one_of(st.floats(), st.sampled_from([9.0, 10.0, 11.0]))] * 5,
    ),
    max_size=9,
)


@given(rows)
def test_every_row_has_exactly_one_fate_and_what_is_kept_is_sound(bars: list[Bar]) -> None:
    found = sift(file_of(*bars), "BINANCE:BTCUSDT", MINUTE, LATER)

    assert len(found.columns) + len(found.rejections) + found.twins == len(bars)
    assert not found.columns.faulty().any()
    assert (np.diff(found.columns.open_times_ms) > 0).all()


def times(step_minutes: int, count: int = 50) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return NOON_MS + np.arange(count, dtype=np.int64) * step_minutes * 60_000


@pytest.mark.parametrize(("step", "timeframe"), [(1, "1h"), (5, "1m"), (60, "1m"), (60, "1d"), (1440, "4h")])
def test_bars_spaced_otherwise_than_the_timeframe_are_refused(step: int, timeframe: str) -> None:
    with pytest.raises(ContractError, match=f"expected {timeframe} bars.*--timeframe"):
        check_spacing(times(step), Timeframe.parse(timeframe))


@pytest.mark.parametrize("keep", [0.9, 0.3, 0.05])
def test_a_thin_market_with_many_absent_bars_is_no_other_timeframe(keep: float) -> None:
    chosen = np.random.default_rng(1).random(2000) < keep

    check_spacing(times(1, 2000)[chosen], MINUTE)


def test_too_few_rows_prove_nothing() -> None:
    check_spacing(times(5, 5), MINUTE)
    check_spacing(times(1, 0), MINUTE)
