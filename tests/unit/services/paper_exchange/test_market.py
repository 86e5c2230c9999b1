from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.series import Bars
from tests.unit.services.paper_exchange.recordings import MINUTE, START, market_of, recording

M1, M5, H1 = (Timeframe.parse(name) for name in ("1m", "5m", "1h"))
HOUR = 60 * MINUTE
COUNT = 300
END = START + COUNT * MINUTE


def served(market: Market, timeframe: Timeframe, now_ms: int) -> list[tuple[float, ...]]:
    bars = market.bars("BTCUSDT", timeframe, 0, now_ms + 10 * HOUR, now_ms)
    columns = (bars.open_time, bars.open, bars.high, bars.low, bars.close, bars.volume, bars.quote_volume)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def everything(market: Market, now_ms: int) -> tuple[object, ...]:
    return (
        served(market, M1, now_ms),
        served(market, M5, now_ms),
        served(market, H1, now_ms),
        market.last_price("BTCUSDT", now_ms),
        market.book("BTCUSDT", 20, now_ms),
        market.trades("BTCUSDT", 0, END * 2, now_ms),
    )


@settings(deadline=None)
@given(minute=st.integers(2, COUNT - 2), elapsed=st.integers(0, MINUTE - 1))
def test_nothing_served_depends_on_bars_after_the_one_in_progress(minute: int, elapsed: int) -> None:
    bars = recording(COUNT)
    altered = Bars.join([bars.rows(0, minute + 1), recording(COUNT, seed=99).rows(minute + 1, COUNT)])
    now = START + minute * MINUTE + elapsed
    assert everything(market_of(bars), now) == everything(market_of(altered), now)


@settings(deadline=None)
@given(minute=st.integers(2, COUNT - 1), elapsed=st.integers(0, MINUTE - 1))
def test_the_last_row_is_the_bar_in_progress_and_the_one_before_is_closed(minute: int, elapsed: int) -> None:
    bars = recording(COUNT)
    now = START + minute * MINUTE + elapsed
    rows = served(market_of(bars), M1, now)
    assert rows[-1][0] == START + minute * MINUTE
    assert rows[-2][1:6] == tuple(
        float(column[minute - 1]) for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)
    )
    assert len(rows) == minute + 1


def test_a_bar_is_exactly_as_recorded_from_the_instant_it_closes() -> None:
    bars = recording(COUNT)
    market = market_of(bars)
    close_time = START + 11 * MINUTE
    before, at = (market.bars("BTCUSDT", M1, START, END, now) for now in (close_time - 1, close_time))
    assert at.bar(10) == bars.bar(10)
    assert before.bar(10).volume <= bars.bar(10).volume
    assert before.bar(10) != bars.bar(10)


@settings(deadline=None)
@given(now=st.integers(START + MINUTE, END - 1), timeframe=st.sampled_from([M5, H1]))
def test_a_coarse_bar_in_progress_is_the_sum_of_its_minutes_so_far(now: int, timeframe: Timeframe) -> None:
    market = market_of(recording(COUNT))
    minutes = market.bars("BTCUSDT", M1, 0, END, now)
    coarse = market.bars("BTCUSDT", timeframe, 0, END, now)
    built = minutes.aggregate(timeframe.seconds * 1000)
    assert coarse.open_time.tolist() == built.open_time.tolist()
    for name in ("open", "high", "low", "close"):
        assert getattr(coarse, name).tolist() == getattr(built, name).tolist()
    np.testing.assert_allclose(coarse.volume, built.volume)


def test_a_first_bucket_that_lacks_minutes_is_not_served() -> None:
    market = market_of(recording(COUNT, start_ms=START + 2 * MINUTE))
    assert served(market, M5, START + 30 * MINUTE)[0][0] == START + 5 * MINUTE


def test_a_gap_in_the_recording_stays_a_gap() -> None:
    market = market_of(recording(COUNT, without={20, 21, 22}))
    inside = START + 21 * MINUTE + 5_000
    rows = served(market, M1, inside)
    assert rows[-1][0] == START + 19 * MINUTE
    assert market.forming("BTCUSDT", inside) is None
    assert market.last_price("BTCUSDT", inside) == rows[-1][4]
    later = [row[0] for row in served(market, M1, START + 25 * MINUTE)]
    assert START + 21 * MINUTE not in later
    assert later[-1] == START + 25 * MINUTE


@pytest.mark.parametrize("late_ms", [0, 1, MINUTE, 5 * HOUR])
def test_nothing_is_invented_once_the_data_has_run_out(late_ms: int) -> None:
    market = market_of(recording(COUNT))
    now = END + late_ms
    assert market.is_over("BTCUSDT", now)
    assert served(market, M1, now)[-1][0] == END - MINUTE
    assert len(served(market, M1, now)) == COUNT
    assert market.book("BTCUSDT", 10, now).bids == []
    assert market.book("BTCUSDT", 10, now).asks == []


def test_a_last_bucket_that_stays_incomplete_is_never_served_as_closed() -> None:
    market = market_of(recording(COUNT - 2))
    assert served(market, M5, START + (COUNT - 3) * MINUTE)[-1][0] == END - 5 * MINUTE
    assert served(market, M5, END)[-1][0] == END - 10 * MINUTE


def test_only_multiples_of_the_recorded_timeframe_are_offered() -> None:
    fine, coarse = market_of(recording(COUNT)), market_of(recording(50, step_ms=HOUR), base="1h")
    assert list(fine.timeframes)[:3] == ["1m", "3m", "5m"]
    assert list(coarse.timeframes)[:2] == ["1h", "2h"]


def test_trades_of_a_closed_bar_give_the_bar_back() -> None:
    bars = recording(COUNT)
    market = market_of(bars)
    for index in range(5, 40):
        bar = bars.bar(index)
        trades = market.trades("BTCUSDT", bar.open_time, bar.open_time + MINUTE - 1, END)
        if bar.volume == 0:
            assert trades == []
            continue
        assert trades[-1].price == bar.close
        assert max(*(trade.price for trade in trades), bar.open) == bar.high
        assert min(*(trade.price for trade in trades), bar.open) == bar.low
        assert sum(trade.amount for trade in trades) == pytest.approx(bar.volume, abs=61 * 0.0005)


def test_trades_are_numbered_by_time_without_repeats() -> None:
    market = market_of(recording(COUNT))
    trades = market.trades("BTCUSDT", START, END, END)
    numbers = [trade.number for trade in trades]
    assert numbers == sorted(set(numbers))
    assert all(one.time_ms < two.time_ms for one, two in pairwise(trades))
