"""Coarser bars of finer ones."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.bar_arrays import FIELDS, BarArrays
from quantbus_contracts.errors import ContractError
from quantbus_contracts.resample import resample
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe

MINUTE, FIVE = Timeframe.parse("1m"), Timeframe.parse("5m")
MS = 60_000


def bars(minutes: list[int], rows: list[tuple[float, ...]]) -> BarArrays:
    columns = np.array(rows, dtype=np.float64).reshape(len(minutes), 5)
    return BarArrays(
        np.array(minutes, dtype=np.int64) * MS,
        {name: columns[:, at].copy() for at, name in enumerate(FIELDS)},
    )


def rows_of(made: BarArrays) -> list[tuple[float, ...]]:
    return list(
        zip(made.open_times_ms.tolist(), *(made.columns[name].tolist() for name in FIELDS), strict=True)
    )


cents = st.integers(1, 10**8).map(lambda value: value / 100)
volumes = st.integers(0, 10**10).map(lambda value: value / 10**5)
prices = st.tuples(cents, cents, cents, cents).map(lambda four: (four[0], max(four), min(four), four[3]))
series = st.dictionaries(st.integers(0, 600), st.tuples(prices, volumes), max_size=120).map(
    lambda found: (sorted(found), [(*found[at][0], found[at][1]) for at in sorted(found)])
)


def by_hand(minutes: list[int], rows: list[tuple[float, ...]], step: int, *, whole: bool) -> list[Any]:
    buckets: dict[int, list[tuple[float, ...]]] = {}
    for minute, row in zip(minutes, rows, strict=True):
        buckets.setdefault(minute // step, []).append(row)
    return [
        (
            bucket * step * MS,
            members[0][0],
            max(row[1] for row in members),
            min(row[2] for row in members),
            members[-1][3],
            float(sum(Decimal(repr(row[4])) for row in members)),
        )
        for bucket, members in sorted(buckets.items())
        if len(members) == step or not whole
    ]


@given(series, st.sampled_from(["3m", "5m", "15m", "1h"]))
def test_a_whole_bucket_is_what_its_bars_say_and_other_buckets_are_dropped(
    given_bars: Any, name: str
) -> None:
    minutes, rows = given_bars
    target = Timeframe.parse(name)
    made = resample(bars(minutes, rows), MINUTE, target)
    assert rows_of(made) == by_hand(minutes, rows, target.seconds // 60, whole=True)


@given(series, st.sampled_from(["3m", "5m", "15m", "1h"]))
def test_kept_buckets_are_made_of_what_is_there(given_bars: Any, name: str) -> None:
    minutes, rows = given_bars
    target = Timeframe.parse(name)
    made = resample(bars(minutes, rows), MINUTE, target, partial="keep")
    assert rows_of(made) == by_hand(minutes, rows, target.seconds // 60, whole=False)


@given(series)
def test_two_steps_give_what_one_gives(given_bars: Any) -> None:
    minutes, rows = given_bars
    quarter = resample(bars(minutes, rows), MINUTE, Timeframe.parse("15m"))
    twice = resample(quarter, Timeframe.parse("15m"), Timeframe.parse("1h"))
    assert rows_of(twice) == rows_of(resample(bars(minutes, rows), MINUTE, Timeframe.parse("1h")))


@given(series, st.integers(0, 120))
def test_a_bucket_does_not_depend_on_what_else_is_resampled(given_bars: Any, cut: int) -> None:
    minutes, rows = given_bars
    whole = bars(minutes, rows)
    part = resample(whole.between(cut * 5 * MS, 10**12), MINUTE, FIVE)
    assert rows_of(part) == [row for row in rows_of(resample(whole, MINUTE, FIVE)) if row[0] >= cut * 5 * MS]


def test_volumes_add_up_as_decimal_numbers() -> None:
    made = resample(
        bars(list(range(5)), [(1.0, 1.0, 1.0, 1.0, share) for share in (0.1, 0.1, 0.2, 0.2, 0.2)]),
        MINUTE,
        FIVE,
    )
    assert made.columns["volume"].tolist() == [0.8]


def test_volumes_that_are_no_decimal_numbers_add_up_in_order() -> None:
    odd = [0.1 + 2**-50, 1e17, 3.3, 7.7, 1e-12]
    made = resample(bars(list(range(5)), [(1, 1, 1, 1, value) for value in odd]), MINUTE, FIVE)
    assert made.columns["volume"].tolist() == [pytest.approx(sum(odd), rel=1e-15)]


@pytest.mark.parametrize("name", SUPPORTED_TIMEFRAMES)
def test_bars_become_themselves_in_their_own_timeframe(name: str) -> None:
    frame = Timeframe.parse(name)
    own = BarArrays(np.array([0, frame.seconds * 1000]), {"close": np.array([1.0, 2.0])})
    assert resample(own, frame, frame) is own


def test_some_fields_are_enough() -> None:
    made = resample(bars([0, 1, 2, 3, 4], [(1, 4, 0.5, 2, 1)] * 5).only(["close", "high"]), MINUTE, FIVE)
    assert {name: column.tolist() for name, column in made.columns.items()} == {"close": [2.0], "high": [4.0]}


def test_no_bars_make_no_bars() -> None:
    assert len(resample(BarArrays.empty(FIELDS), MINUTE, FIVE)) == 0


@pytest.mark.parametrize(("source", "target"), [("5m", "1m"), ("3m", "5m"), ("8h", "12h")])
def test_what_does_not_divide_is_refused(source: str, target: str) -> None:
    with pytest.raises(ContractError, match=f"whole {source} bars make up, found {target}"):
        resample(BarArrays.empty(FIELDS), Timeframe.parse(source), Timeframe.parse(target))


@pytest.mark.parametrize("times", [[MS, 0], [0, 0], [0, 30_000]])
def test_bars_out_of_order_or_of_another_timeframe_are_refused(times: list[int]) -> None:
    with pytest.raises(ContractError, match="expected bars"):
        resample(BarArrays(np.array(times), {"close": np.ones(2)}), MINUTE, FIVE)


def test_an_unknown_way_with_partial_buckets_is_refused() -> None:
    with pytest.raises(ContractError, match="drop, keep, found 'fill'"):
        resample(BarArrays.empty(FIELDS), MINUTE, FIVE, partial="fill")  # type: ignore[arg-type]
