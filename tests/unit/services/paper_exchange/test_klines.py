import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_services.paper_exchange.binance.answers import kline_page, kline_rows
from quantbus_services.paper_exchange.binance.queries import Query
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.series import Bars
from tests.unit.services.paper_exchange.recordings import MINUTE, START, market_of, recording

COUNT = 2_500
GAPS = {*range(100, 160), *range(900, 1_850), 2_000}
WHOLE = market_of(recording(COUNT))
HOLED = market_of(recording(COUNT, without=GAPS))
KNOWN = frozenset({"symbol", "interval", "startTime", "endTime", "limit"})
NOW = START + 2_400 * MINUTE + 17_000

Row = list[str | int]


def rows(market: Market, now_ms: int = NOW, **parameters: object) -> list[Row]:
    sent = {"symbol": "BTCUSDT", "interval": "1m"} | {name: str(value) for name, value in parameters.items()}
    page = kline_page(market, Query(sent.items(), KNOWN), now_ms)
    answer: list[Row] = json.loads(kline_rows(page.bars, page.timeframe.seconds * 1000))
    return answer


def by_the_book(bars: Bars, start: int | None, end: int | None, limit: int) -> list[int]:
    """Binance's rule over a list of open times: oldest first from startTime, else the newest."""
    times = [
        moment
        for moment in bars.open_time.tolist()
        if moment <= NOW and (start is None or moment >= start) and (end is None or moment <= end)
    ]
    return times[:limit] if start is not None else times[-limit:]


moments = st.one_of(
    st.none(),
    st.just(0),
    st.integers(START - 50 * MINUTE, NOW + 50 * MINUTE),
    st.integers(-50, COUNT).map(lambda minute: START + minute * MINUTE),
)


@settings(max_examples=200, deadline=None)
@given(start=moments, end=moments, limit=st.integers(1, 1000), holed=st.booleans())
def test_paging_follows_the_rule_whatever_is_asked(
    start: int | None, end: int | None, limit: int, holed: bool
) -> None:
    market = HOLED if holed else WHOLE
    bars = recording(COUNT, without=GAPS if holed else ())
    asked = {"startTime": start, "endTime": end, "limit": limit}
    answer = rows(market, **{name: value for name, value in asked.items() if value is not None})
    assert [row[0] for row in answer] == by_the_book(bars, start, end, limit)


def test_without_a_limit_five_hundred_rows_come_and_never_more_than_a_thousand() -> None:
    assert len(rows(WHOLE)) == 500
    assert len(rows(WHOLE, limit=5000)) == 1000


def test_the_last_row_is_the_bar_in_progress() -> None:
    last = rows(WHOLE, limit=2)[-1]
    assert last[0] == START + 2_400 * MINUTE
    assert last[6] == START + 2_401 * MINUTE - 1


def test_a_row_has_binances_twelve_columns() -> None:
    bar = recording(COUNT).bar(10)
    (row,) = rows(WHOLE, startTime=START + 10 * MINUTE, limit=1)
    assert len(row) == 12
    assert row[0] == bar.open_time
    assert [float(value) for value in row[1:6]] == [bar.open, bar.high, bar.low, bar.close, bar.volume]
    assert row[1] == f"{bar.open:.8f}"
    assert row[6] == bar.open_time + MINUTE - 1
    assert float(row[7]) == pytest.approx(bar.quote_volume)


def test_paging_forward_by_the_last_open_time_meets_every_bar_once() -> None:
    seen: list[object] = []
    since = 0
    while page := rows(HOLED, startTime=since, limit=300):
        seen += [row[0] for row in page]
        since = int(page[-1][0]) + 1
    assert seen == by_the_book(recording(COUNT, without=GAPS), 0, None, COUNT)


def test_a_coarser_interval_has_the_bucket_in_progress_last() -> None:
    answer = rows(WHOLE, interval="1h", limit=3)
    assert [row[0] for row in answer] == [START + hour * 60 * MINUTE for hour in (38, 39, 40)]
    assert float(answer[-1][1]) == recording(COUNT).bar(2_400).open


def test_both_bounds_are_inclusive() -> None:
    opened = START + 5 * MINUTE
    assert [row[0] for row in rows(WHOLE, startTime=opened, endTime=opened)] == [opened]
    assert rows(WHOLE, endTime=opened, limit=1)[0][0] == opened
    assert rows(WHOLE, endTime=opened - 1, limit=1)[0][0] == opened - MINUTE


def test_a_range_that_ends_before_it_starts_is_empty() -> None:
    assert rows(WHOLE, startTime=START + 5 * MINUTE, endTime=START) == []
