"""Rows of bars as bytes: what numpy reads is what the driver reads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.bar_arrays import FIELDS
from quantbus_contracts.errors import BusError
from quantbus_contracts.mongo.raw_bars import bars_of_raw, batch_of
from quantbus_contracts.timeframe import Timeframe

MINUTE, DAY = Timeframe.parse("1m"), Timeframe.parse("1d")
START = datetime(2024, 2, 28, tzinfo=UTC)
Read = list[tuple[Any, ...]]

floats = st.floats(allow_nan=False, width=64)
numbers = st.tuples(floats, floats, floats, floats, floats)
moments = st.integers(-(10**12), 4 * 10**12).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)


def row(symbol: str, moment: datetime, values: Any, **more: Any) -> dict[str, Any]:
    stored: dict[str, Any] = {
        "_id": f"{symbol}|{int(moment.timestamp() * 1000)}",
        "datetime": moment,
        "symbol": symbol,
        **dict(zip(FIELDS, values, strict=True)),
        "source": "binance",
        "ingested_at": START,
    }
    return stored | more


def read(rows: list[dict[str, Any]], timeframe: Timeframe = MINUTE, fields: tuple[str, ...] = FIELDS) -> Read:
    raw = batch_of(bson.encode({"firstBatch": rows, "id": bson.Int64(0), "ns": "market.crypto_market_1m"}))
    return [
        (symbol, time, *values)
        for symbol, bars in bars_of_raw(raw, timeframe, fields)
        for time, *values in zip(
            bars.open_times_ms.tolist(), *(bars.columns[name].tolist() for name in fields), strict=True
        )
    ]


def plainly(rows: list[dict[str, Any]], fields: tuple[str, ...] = FIELDS) -> Read:
    return [
        (
            item["symbol"],
            round(item["datetime"].timestamp() * 1000),
            *(float(item[name]) for name in fields),
        )
        for item in rows
    ]


@given(
    st.lists(
        st.builds(
            row,
            st.sampled_from(["BINANCE:BTCUSDT", "BINANCE:ETHUSDT", "OKX:X"]),
            moments,
            numbers,
            source=st.sampled_from(["binance", "kraken", "a"]),
        ),
        max_size=200,
    ),
    st.permutations(FIELDS).flatmap(lambda names: st.integers(1, 5).map(lambda n: tuple(names[:n]))),
)
def test_any_mix_of_rows_is_read_as_the_driver_reads_it(rows: Any, fields: tuple[str, ...]) -> None:
    assert read(rows, fields=fields) == plainly(rows, fields)


def test_thousands_of_rows_of_several_symbols_are_read_in_order() -> None:
    rows = [
        row(symbol, START + timedelta(minutes=minute), (minute + 1.0, 2.0, 3.0, 4.0, minute / 8))
        for symbol in ("BINANCE:BTCUSDT", "BINANCE:LONGERUSDT")
        for minute in range(9_000)
    ]
    assert read(rows) == plainly(rows)


@pytest.mark.parametrize(
    "odd",
    [
        {"close": 7},
        {"close": bson.Int64(7)},
        {"extra": {"nested": [1, 2]}},
        {"extra": None},
        {"source": None},
    ],
)
def test_a_row_that_is_laid_out_otherwise_is_read_all_the_same(odd: dict[str, Any]) -> None:
    usual = [
        row("BINANCE:BTCUSDT", START + timedelta(minutes=at), (1.0, 4.0, 0.5, 2.0, at)) for at in range(9)
    ]
    rows = [*usual[:4], usual[4] | odd, *usual[5:]]
    assert read(rows) == plainly(rows)


def test_fields_in_another_order_are_read_by_name() -> None:
    usual = row("BINANCE:BTCUSDT", START, (1.0, 4.0, 0.5, 2.0, 3.0))
    turned = dict(reversed(usual.items()))
    assert read([usual, turned, usual]) == plainly([usual, turned, usual])


def test_a_name_or_symbol_that_differs_by_one_byte_is_noticed() -> None:
    usual = row("BINANCE:BTCUSDT", START, (1.0, 4.0, 0.5, 2.0, 3.0))
    other = row("BINANCE:BTCUSDC", START, (1.5, 4.0, 0.5, 2.0, 3.0))
    assert [found[0] for found in read([usual, other, usual])] == [
        "BINANCE:BTCUSDT",
        "BINANCE:BTCUSDC",
        "BINANCE:BTCUSDT",
    ]


@given(st.lists(st.dates(min_value=datetime(1970, 1, 1).date()), min_size=1, max_size=50))
def test_days_become_their_midnights(days: Any) -> None:
    rows = [
        row("BINANCE:BTCUSDT", START, (1.0, 4.0, 0.5, 2.0, 3.0), date=f"{day:%Y%m%d}".zfill(8))
        for day in days
    ]
    for item in rows:
        del item["datetime"]
    midnights = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    assert [found[1] for found in read(rows, DAY)] == [
        round(moment.timestamp() * 1000) for moment in midnights
    ]


@pytest.mark.parametrize("date", ["20240230", "20241301", "2024 101"])
def test_a_date_that_is_no_day_is_refused(date: str) -> None:
    rows = [row("BINANCE:BTCUSDT", START, (1.0, 4.0, 0.5, 2.0, 3.0), date=date)]
    with pytest.raises(BusError, match="no day"):
        read(rows, DAY)


@pytest.mark.parametrize("broken", [{"close": "high"}, {"datetime": "noon"}])
def test_a_row_that_is_no_bar_is_named(broken: dict[str, Any]) -> None:
    rows = [row("BINANCE:BTCUSDT", START, (1.0, 4.0, 0.5, 2.0, 3.0)) | broken]
    with pytest.raises(BusError, match=r"expected a bar, found the row 'BINANCE:BTCUSDT\|"):
        read(rows)


def test_an_answer_that_is_not_whole_is_refused() -> None:
    with pytest.raises(BusError, match="in one answer"):
        batch_of(bson.encode({"firstBatch": [], "id": bson.Int64(7), "ns": "market.crypto_market_1m"}))
