"""Laws of the candle: one rule for a bar, applied to values and to columns alike."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.schema import Candle
from quantbus_contracts.testing import make_candle
from quantbus_contracts.timeframe import Timeframe

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
numbers = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, 1e16, 1e19, math.nan, math.inf, -math.inf])
rows = st.tuples(numbers, numbers, numbers, numbers, numbers, st.sampled_from([0, 0, 0, 1, 59_999, 30_000]))


def is_valid(row: tuple[float, float, float, float, float, int]) -> bool:
    open_, high, low, close, volume, offset = row
    try:
        make_candle(
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=volume,
            open_time=NOON + timedelta(milliseconds=offset),
        )
    except ValidationError:
        return False
    return True


@given(st.lists(rows, min_size=1, max_size=30))
def test_columns_and_values_obey_the_same_rule(
    table: list[tuple[float, float, float, float, float, int]],
) -> None:
    base = int(NOON.timestamp() * 1000)
    times = np.array([base + index * 60_000 + row[5] for index, row in enumerate(table)], dtype=np.int64)
    prices = [np.array([row[column] for row in table]) for column in range(5)]
    columns = CandleColumns("BINANCE:BTCUSDT", Timeframe.parse("1m"), "test", times, *prices)
    faults = columns.faults()
    assert [fault.row for fault in faults] == [index for index, row in enumerate(table) if not is_valid(row)]
    assert all(fault.reason for fault in faults)
    assert len(columns.valid()) == len(table) - len(faults)


def test_valid_columns_are_sorted_and_the_last_of_twins_stands() -> None:
    base = int(NOON.timestamp() * 1000)
    times = np.array([base + 60_000, base, base + 60_000], dtype=np.int64)
    ones = np.ones(3)
    columns = CandleColumns(
        "A:BC", Timeframe.parse("1m"), "t", times, ones, ones, ones, ones, np.array([1.0, 2.0, 3.0])
    )
    assert [(bar[0], bar[5]) for bar in columns.valid().bars(0, 9)] == [
        (NOON, 2.0),
        (NOON + timedelta(minutes=1), 3.0),
    ]


@pytest.mark.parametrize(
    ("given_fields", "message"),
    [
        ({"high": 98.0}, "high_below_low"),
        ({"high": 100.5}, "high_below_body"),
        ({"low": 100.5}, "low_above_body"),
        ({"close": math.nan}, "finite"),
        ({"volume": -1.0}, "volume_negative"),
        ({"open": 0.0}, "open_not_positive"),
        ({"open_time": NOON + timedelta(seconds=7)}, "misaligned"),
        ({"extra": 1}, "Extra inputs"),
    ],
)
def test_a_bar_that_breaks_the_contract_is_refused(given_fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make_candle(**given_fields)


def test_equal_keys_mean_the_same_bar() -> None:
    assert make_candle(close=100.5).key == make_candle().key
    assert make_candle(symbol="OKX:BTCUSDT").key != make_candle().key


def test_a_candle_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_candle().close = 1.0  # type: ignore[misc]


def test_a_zero_volume_flat_bar_is_a_bar() -> None:
    assert isinstance(make_candle(open=1.0, high=1.0, low=1.0, close=1.0, volume=0.0), Candle)
