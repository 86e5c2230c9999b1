from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.series import Bars
from quantbus_services.paper_exchange.synthetic import SyntheticSource, day_of_bars, synthetic_listing
from tests.unit.services.paper_exchange.recordings import DAY, MINUTE, START

BTC, ETH = synthetic_listing("BTC", "USDT"), synthetic_listing("ETH", "USDT")
NOW = START + 40 * DAY + 8 * 3_600_000


def source(seed: int = 1, *, now_ms: int = NOW) -> SyntheticSource:
    return SyntheticSource([BTC, ETH], seed=seed, now_ms=now_ms, history=timedelta(days=30))


def same(one: Bars, other: Bars) -> bool:
    return one.open_time.tolist() == other.open_time.tolist() and all(
        getattr(one, name).tolist() == getattr(other, name).tolist()
        for name in ("open", "high", "low", "close", "volume")
    )


@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, 20 * 1440), length=st.integers(1, 3000), inner=st.integers(0, 2999))
def test_a_bar_is_the_same_however_it_is_asked_for(first: int, length: int, inner: int) -> None:
    start = NOW // DAY * DAY - 25 * DAY + first * MINUTE
    whole = source().bars("BTCUSDT", start, start + length * MINUTE)
    assert len(whole) == length
    index = inner % length
    alone = source().bars("BTCUSDT", start + index * MINUTE, start + (index + 1) * MINUTE)
    assert alone.bar(0) == whole.bar(index)


def test_a_restart_goes_on_with_the_same_bars() -> None:
    before, after = source(), source(now_ms=NOW + 2 * DAY)
    window = (NOW - DAY, NOW + DAY)
    assert same(before.bars("ETHUSDT", *window), after.bars("ETHUSDT", *window))


def test_seeds_and_symbols_differ() -> None:
    window = (NOW - DAY, NOW)
    one, two = source(1).bars("BTCUSDT", *window), source(2).bars("BTCUSDT", *window)
    other = source(1).bars("ETHUSDT", *window)
    assert not same(one, two)
    assert np.corrcoef(np.diff(one.close), np.diff(other.close))[0, 1] < 0.2


def test_every_bar_keeps_the_rules_and_the_steps() -> None:
    bars = source().bars("BTCUSDT", NOW - 20 * DAY, NOW)
    assert np.all(bars.low <= np.minimum(bars.open, bars.close))
    assert np.all(bars.high >= np.maximum(bars.open, bars.close))
    assert np.all(bars.low > 0)
    assert np.all(bars.volume > 0)
    for column in (bars.open, bars.high, bars.low, bars.close):
        assert np.array_equal(np.round(column, BTC.price_decimals), column)


def test_bars_follow_each_other_without_a_jump_or_a_hole() -> None:
    bars = source().bars("BTCUSDT", NOW - 20 * DAY, NOW)
    assert set(np.diff(bars.open_time).tolist()) == {MINUTE}
    assert bars.open[1:].tolist() == bars.close[:-1].tolist()


@pytest.mark.parametrize("name", ["5m", "1h", "1d"])
def test_coarse_bars_equal_the_minutes_they_are_made_of(name: str) -> None:
    timeframe = Timeframe.parse(name)
    window = (NOW // DAY * DAY - 3 * DAY, NOW // DAY * DAY)
    made = source().buckets("BTCUSDT", timeframe, *window)
    assert same(made, source().bars("BTCUSDT", *window).aggregate(timeframe.seconds * 1000))


def test_history_begins_at_a_midnight_and_never_ends() -> None:
    span = source().span("BTCUSDT")
    assert span.start_ms % DAY == 0
    assert NOW - 31 * DAY < span.start_ms <= NOW - 30 * DAY
    assert span.end_ms is None
    assert len(source().bars("BTCUSDT", span.start_ms - DAY, span.start_ms + DAY)) == 1440


def test_prices_trend_in_regimes_and_volatility_clusters() -> None:
    day = NOW // DAY
    returns = np.concatenate([np.diff(np.log(day_of_bars(1, BTC, day - back).close)) for back in range(20)])
    halves = returns[: len(returns) // 30 * 30].reshape(-1, 30)
    # A random walk's half hours go as far as the root of their minutes; with regimes they go further.
    assert halves.sum(axis=1).std() > 1.3 * returns.std() * np.sqrt(30)
    sizes = np.abs(returns)
    assert np.corrcoef(sizes[:-5], sizes[5:])[0, 1] > 0.1


def test_prices_stay_sane_for_years() -> None:
    levels = [day_of_bars(3, BTC, day).close[-1] for day in range(15_000, 25_000, 250)]
    assert 30_000 < min(levels) < max(levels) < 120_000


def test_a_symbol_without_a_known_price_gets_one_with_fitting_steps() -> None:
    listing = synthetic_listing("NEWCOIN", "USDT")
    bars = day_of_bars(1, listing, 20_000)
    assert 0.5 < bars.close.mean() < 2_000
    assert len(set(bars.close.tolist())) > 200
