"""What may be asked of the market, and what a range means."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from quantbus_contracts.bar_arrays import FIELDS
from quantbus_contracts.errors import ContractError, UnknownInstrument
from quantbus_contracts.market import MarketQuery

BTC = "BINANCE:BTCUSDT"
JANUARY = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("20240101", "20240131"),
        ("2024-01-01", "2024-01-31"),
        (date(2024, 1, 1), date(2024, 1, 31)),
        JANUARY,
        ("2024-01-01T00:00Z", "2024-02-01T00:00:00+00:00"),
        ("2024-01-01T02:00+02:00", date(2024, 1, 31)),
        (pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-02-01", tz="UTC")),
        (JANUARY[0].astimezone(timezone(timedelta(hours=-5))), "20240131"),
    ],
)
def test_both_days_are_in_and_an_instant_at_the_end_is_not(start: Any, end: Any) -> None:
    query = MarketQuery.of(BTC, start, end)
    assert (query.start, query.end) == JANUARY


def test_one_day_is_a_range() -> None:
    query = MarketQuery.of(BTC, "20240229", "20240229", timeframe="1m")
    assert query.end - query.start == timedelta(days=1)


@pytest.mark.parametrize(
    ("microsecond", "first"), [(0, 0), (1, 1000), (999, 1000), (1000, 1000), (999_001, 1_000_000)]
)
def test_an_instant_between_milliseconds_means_the_next_one(microsecond: int, first: int) -> None:
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    query = MarketQuery.of(BTC, begin + timedelta(microseconds=microsecond), begin + timedelta(days=1))
    assert query.start == begin + timedelta(microseconds=first)
    assert MarketQuery.of(BTC, begin, begin + timedelta(microseconds=microsecond)).end == query.start


@pytest.mark.parametrize(
    "naive", [datetime(2024, 1, 1), "2024-01-01T00:00", pd.Timestamp("2024-01-01"), pd.NaT]
)
@pytest.mark.parametrize("name", ["start", "end"])
def test_a_naive_datetime_is_refused(naive: Any, name: str) -> None:
    bounds: dict[str, Any] = {"start": "20240101", "end": "20240131"} | {name: naive}
    with pytest.raises(ContractError, match=rf"^{name}: expected an aware datetime.*naive.*time zone"):
        MarketQuery.of(BTC, **bounds)


@pytest.mark.parametrize("odd", ["yesterday", "2024-13-01", "20240230", 20240101, None, "2024-1-1"])
def test_what_is_no_time_is_refused(odd: Any) -> None:
    with pytest.raises(ContractError, match=r"^start: expected a day such as '20240131'"):
        MarketQuery.of(BTC, odd, "20240131")


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ContractError, match="start before end"):
        MarketQuery.of(BTC, "20240102", "20231230")


def test_times_far_outside_are_as_good_as_the_first_and_the_last() -> None:
    query = MarketQuery.of(BTC, date.min, date.max)
    assert query.start.year == 1970
    assert query.end.year == 9000


def test_symbols_are_sorted_each_once_in_the_spelling_of_the_bus() -> None:
    query = MarketQuery.of(["OKX:ETH/USDT:USDT", "BINANCE:BTC/USDT", BTC], *JANUARY)
    assert query.symbols == (BTC, "OKX:ETHUSDT.P")


@pytest.mark.parametrize("odd", ["BTC/USDT", "btcusdt", "BINANCE:", "BINANCE:BTC USDT", 7, "BINANCE:/USDT"])
def test_what_is_no_symbol_is_refused(odd: Any) -> None:
    with pytest.raises(UnknownInstrument):
        MarketQuery.of([BTC, odd], *JANUARY)


def test_no_symbol_at_all_is_refused() -> None:
    with pytest.raises(ContractError, match="at least one symbol"):
        MarketQuery.of([], *JANUARY)


def test_fields_come_as_they_are_asked_for() -> None:
    assert MarketQuery.of(BTC, *JANUARY).fields == FIELDS
    assert MarketQuery.of(BTC, *JANUARY, fields="close").fields == ("close",)
    assert MarketQuery.of(BTC, *JANUARY, fields=["volume", "open"]).fields == ("volume", "open")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("clsoe", "'clsoe'; did you mean 'close'"),
        (["close", "vwap"], "open, high, low, close, volume, found 'vwap'$"),
        ([], "at least one field"),
        (["close", "close"], "each once"),
    ],
)
def test_unknown_fields_are_refused_with_what_there_is(fields: Any, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        MarketQuery.of(BTC, *JANUARY, fields=fields)


def test_an_unknown_type_or_timeframe_is_refused_with_what_there_is() -> None:
    with pytest.raises(ContractError, match="'crypto', the only one there is, found 'stock'"):
        MarketQuery.of(BTC, *JANUARY, type="stock")
    with pytest.raises(ContractError, match=r"1m, 3m, 5m.*found '7m'"):
        MarketQuery.of(BTC, *JANUARY, timeframe="7m")


def test_bars_that_are_made_need_all_of_those_they_are_made_of() -> None:
    begin = datetime(2024, 1, 1, 0, 10, tzinfo=UTC)
    query = MarketQuery.of(BTC, begin, begin + timedelta(hours=2), timeframe="1h", made_from="1m")
    assert query.stored_range == (begin.replace(hour=1, minute=0), begin.replace(hour=3, minute=0))
    assert query.stored_timeframe.name == "1m"


def test_equal_questions_are_equal_as_plain_values() -> None:
    one = MarketQuery.of([BTC, "OKX:X"], "20240101", "20240131", timeframe="1h")
    other = MarketQuery.of(["OKX:X", "BINANCE:BTC/USDT"], *JANUARY, FIELDS, "1h")
    assert one.as_dict() == other.as_dict()
