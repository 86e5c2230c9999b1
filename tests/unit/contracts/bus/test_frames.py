"""Data frames become rows: cells without a value are absent fields, an index of times is ``ts``."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.bus.frames import is_frame, rows_of_frame
from quantbus_contracts.errors import ContractError

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TIMES = pd.date_range(NOON, periods=3, freq="1min")
polars = pytest.importorskip("polars", reason="polars is not installed")


def as_pandas(columns: dict[str, list[Any]]) -> Any:
    return pd.DataFrame(columns)


def as_polars(columns: dict[str, list[Any]]) -> Any:
    return polars.DataFrame(columns)


def as_lazy(columns: dict[str, list[Any]]) -> Any:
    return polars.LazyFrame(columns)


@pytest.fixture(params=[as_pandas, as_polars, as_lazy])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_columns_are_fields(make: Any) -> None:
    frame = make({"pair": ["A/B", "C/D"], "ts": [NOON, NOON + timedelta(minutes=1)], "score": [0.5, -1.0]})
    assert is_frame(frame)
    assert rows_of_frame(frame) == [
        {"pair": "A/B", "ts": NOON, "score": 0.5},
        {"pair": "C/D", "ts": NOON + timedelta(minutes=1), "score": -1.0},
    ]


def test_cells_without_a_value_are_absent(make: Any) -> None:
    frame = make(
        {
            "action": ["enter_long", None, None],
            "score": [None, 0.5, float("nan")],
            "weight": [float("nan"), float("nan"), 0.1],
            "valid_until": [None, NOON, None],
            "note": [None, "n", None],
        }
    )
    assert rows_of_frame(frame) == [
        {"action": "enter_long"},
        {"score": 0.5, "valid_until": NOON, "note": "n"},
        {"weight": 0.1},
    ]


def test_a_row_without_any_opinion_keeps_its_nan_to_be_refused_for_it(make: Any) -> None:
    [row] = rows_of_frame(make({"pair": ["A/B"], "score": [float("nan")], "stop_price": [float("nan")]}))
    assert row.keys() == {"pair", "score"}
    assert row["score"] != row["score"]


def test_infinity_is_a_value_and_not_an_absence(make: Any) -> None:
    assert rows_of_frame(make({"score": [float("inf")]})) == [{"score": float("inf")}]


def test_an_index_of_times_is_ts() -> None:
    rows = rows_of_frame(pd.DataFrame({"score": [0.1, 0.2, 0.3]}, index=TIMES))
    assert [row["ts"] for row in rows] == [NOON + timedelta(minutes=n) for n in range(3)]
    assert all(type(row["ts"]) is datetime for row in rows)


def test_a_column_ts_goes_before_the_index() -> None:
    [row, *_] = rows_of_frame(pd.DataFrame({"ts": TIMES + pd.Timedelta("1h"), "score": 0.1}, index=TIMES))
    assert row["ts"] == NOON + timedelta(hours=1)


def test_levels_of_an_index_are_fields_where_they_are_called_so() -> None:
    index = pd.MultiIndex.from_product([["BINANCE:AB"], TIMES], names=["symbol", "datetime"])
    rows = rows_of_frame(pd.DataFrame({"score": 0.1}, index=index))
    assert rows[2] == {"symbol": "BINANCE:AB", "ts": NOON + timedelta(minutes=2), "score": 0.1}


def test_a_plain_index_says_nothing() -> None:
    assert rows_of_frame(pd.DataFrame({"score": [0.1]}, index=[7])) == [{"score": 0.1}]


def test_values_become_pythons_own() -> None:
    frame = pd.DataFrame(
        {
            "a": np.array([1], dtype="int32"),
            "b": np.array([0.5], dtype="float32"),
            "c": pd.Series([pd.NA], dtype="Int64"),
            "d": pd.Categorical(["x"]),
            "e": pd.Series([np.float64(0.25)], dtype=object),
            "f": pd.Series([pd.NaT]),
            "g": pd.Series([np.datetime64("2026-01-05T12:00:00", "us")], dtype=object),
        }
    )
    [row] = rows_of_frame(frame)
    assert row == {"a": 1, "b": 0.5, "d": "x", "e": 0.25, "g": NOON.replace(tzinfo=None)}
    assert not any(type(value).__module__.startswith(("numpy", "pandas")) for value in row.values())


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ContractError, match="score"):
        rows_of_frame(pd.DataFrame([[1.0, 2.0]], columns=["score", "score"]))


def test_an_empty_frame_has_no_rows(make: Any) -> None:
    assert rows_of_frame(make({"score": []})) == []


@pytest.mark.parametrize("other", [[], {}, "text", 7, None, [{"score": 1}], pd.Series([1.0])])
def test_what_is_no_frame_is_not_taken_for_one(other: object) -> None:
    assert not is_frame(other)


cells = st.none() | st.floats() | st.just(0.5)


@given(st.lists(st.tuples(cells, cells), max_size=8))
def test_pandas_and_polars_give_the_same_rows(values: list[tuple[float | None, float | None]]) -> None:
    columns = {
        "score": [score for score, _ in values],
        "stop_price": [price for _, price in values],
    }
    one = rows_of_frame(pd.DataFrame(columns, dtype="float64"))
    other = rows_of_frame(
        polars.DataFrame(columns, schema={"score": polars.Float64, "stop_price": polars.Float64})
    )
    for left, right, (score, _) in zip(one, other, values, strict=True):
        if score is None:  # pandas has no null among floats: it reads as the NaN that it is
            left.pop("score", None)
        assert str(left) == str(right)
