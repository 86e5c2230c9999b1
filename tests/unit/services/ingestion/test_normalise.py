import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.venue.normalise import is_garbage, to_candles
from tests.unit.services.ingestion.fakes import BTC, MINUTE, NOON, row_of


def minute(index: int) -> datetime:
    return NOON + timedelta(minutes=index)


def test_rows_become_candles_in_time_order() -> None:
    found = to_candles(
        [row_of(minute(1), 7.0), row_of(minute(0), 5.0)], BTC, MINUTE, now=minute(9), source="binance"
    )

    assert [candle.open_time for candle in found.candles] == [minute(0), minute(1)]
    first = found.candles[0]
    assert (first.symbol, first.timeframe, first.source) == ("BINANCE:BTCUSDT", "1m", "binance")
    assert (first.open, first.high, first.low, first.close, first.volume) == (5.0, 7.0, 4.0, 6.0, 5.0)
    assert found.rejections == ()


@pytest.mark.parametrize("seconds", [0, 30, 59.999])
def test_the_forming_candle_is_told_by_the_clock(seconds: float) -> None:
    rows = [row_of(minute(0)), row_of(minute(1))]

    found = to_candles(rows, BTC, MINUTE, now=minute(1) + timedelta(seconds=seconds), source="binance")

    assert [candle.open_time for candle in found.candles] == [minute(0)]
    assert found.forming == 1


def test_a_last_row_that_has_closed_is_taken() -> None:
    found = to_candles([row_of(minute(0)), row_of(minute(1))], BTC, MINUTE, now=minute(2), source="binance")

    assert len(found.candles) == 2
    assert found.forming == 0


def test_of_two_rows_about_one_bar_the_later_counts() -> None:
    found = to_candles(
        [row_of(minute(0), 5.0), row_of(minute(0), 6.0)], BTC, MINUTE, now=minute(9), source="x"
    )

    assert [candle.open for candle in found.candles] == [6.0]


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ([None] * 6, "ts", "open_time_missing"),
        ([], "ts", "open_time_missing"),
        ([-5, 1, 2, 1, 1, 1], "ts", "open_time_missing"),
        ([True, 1, 2, 1, 1, 1], "ts", "open_time_missing"),
        ([10**18, 1, 2, 1, 1, 1], "ts", "open_time_missing"),
        ([int(NOON.timestamp() * 1000) + 1, 1, 2, 1, 1, 1], "ts", "misaligned"),
        ([int(NOON.timestamp() * 1000), 1, 2, None, 1, 1], "low", "low_not_a_number"),
        ([int(NOON.timestamp() * 1000), 1, 2, 1, "1", 1], "close", "close_not_a_number"),
        ([int(NOON.timestamp() * 1000), 1, 2, 1, 1], "volume", "row_too_short"),
        ([int(NOON.timestamp() * 1000), 1, 2, 1, math.nan, 1], "close", "close_not_finite"),
        ([int(NOON.timestamp() * 1000), 1, math.inf, 1, 1, 1], "high", "high_not_finite"),
        ([int(NOON.timestamp() * 1000), 1, 1, 2, 1, 1], "high", "high_below_low"),
        ([int(NOON.timestamp() * 1000), 1, 2, 1, 1, -1], "volume", "volume_negative"),
    ],
)
def test_a_bad_row_is_refused_with_its_reason_and_the_others_go_in(
    row: list[object], field: str, reason: str
) -> None:
    found = to_candles(
        [row_of(minute(-1)), row, row_of(minute(1))], BTC, MINUTE, now=minute(9), source="binance"
    )

    assert [(item.row, item.field, item.reason) for item in found.rejections] == [(1, field, reason)]
    assert [candle.open_time for candle in found.candles] == [minute(-1), minute(1)]


anything = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))


@given(st.lists(st.lists(anything, max_size=8), max_size=8))
def test_no_row_whatever_raises_and_each_has_one_fate(rows: list[list[object]]) -> None:
    found = to_candles(rows, BTC, MINUTE, now=datetime(2030, 1, 1, tzinfo=UTC), source="binance")

    assert len(found.candles) + len(found.rejections) + found.forming <= len(rows)
    assert len({item.row for item in found.rejections}) == len(found.rejections)


@pytest.mark.parametrize(
    "answer", [None, "<html>", {}, [[None] * 6], [row_of(NOON), [None] * 6], ["a"], [[1, 2]]]
)
def test_an_answer_that_holds_no_candles_is_garbage(answer: object) -> None:
    assert is_garbage(answer)


@pytest.mark.parametrize("answer", [[], [row_of(NOON)], [[1, None, None, None, None, None]]])
def test_an_empty_answer_or_a_bad_price_is_no_garbage(answer: object) -> None:
    assert not is_garbage(answer)


def test_daily_bars_close_at_midnight() -> None:
    day = datetime(2026, 1, 4, tzinfo=UTC)

    before = to_candles(
        [row_of(day)], BTC, Timeframe.parse("1d"), now=day + timedelta(hours=23.9), source="x"
    )
    after = to_candles([row_of(day)], BTC, Timeframe.parse("1d"), now=day + timedelta(days=1), source="x")

    assert (len(before.candles), len(after.candles)) == (0, 1)
