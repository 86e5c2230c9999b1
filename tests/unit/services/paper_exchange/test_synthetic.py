from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.generator.holes import Holes
from quantbus_services.paper_exchange.generator.synthetic import SyntheticSource, synthetic_listing
from quantbus_services.paper_exchange.series import Bars, Floats
from tests.unit.services.paper_exchange.recordings import DAY, MINUTE, START

PAIRS = (("BTC", "USDT"), ("ETH", "USDT"), ("ETH", "BTC"), ("SOL", "USDT"), ("NEWCOIN", "USDC"))
LISTINGS = [synthetic_listing(*pair) for pair in PAIRS]
NAMES = [listing.name for listing in LISTINGS]
BTC = LISTINGS[0]
NOW = START + 40 * DAY + 8 * 3_600_000


def source(
    seed: int = 1, *, now_ms: int = NOW, days: int = 30, holes: Holes | None = None
) -> SyntheticSource:
    history = timedelta(days=days)
    return SyntheticSource(LISTINGS, seed=seed, now_ms=now_ms, history=history, holes=holes)


def same(one: Bars, other: Bars) -> bool:
    return one.open_time.tolist() == other.open_time.tolist() and all(
        getattr(one, name).tolist() == getattr(other, name).tolist()
        for name in ("open", "high", "low", "close", "volume")
    )


def returns_of(made: SyntheticSource, name: str, days: int) -> Floats:
    returns: Floats = np.diff(np.log(made.bars(name, NOW - days * DAY, NOW).close))
    return returns


@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, 20 * 1440), length=st.integers(1, 3000), inner=st.integers(0, 2999))
def test_a_bar_is_the_same_however_it_is_asked_for(first: int, length: int, inner: int) -> None:
    start = NOW // DAY * DAY - 25 * DAY + first * MINUTE
    whole = source().bars("BTCUSDT", start, start + length * MINUTE)
    assert len(whole) == length
    index = inner % length
    alone = source().bars("BTCUSDT", start + index * MINUTE, start + (index + 1) * MINUTE)
    assert alone.bar(0) == whole.bar(index)


@settings(max_examples=15, deadline=None)
@given(later=st.integers(0, 400 * 1440), days=st.integers(5, 300), gaps=st.sampled_from([0.0, 0.02]))
def test_bars_do_not_depend_on_when_and_with_what_history_the_exchange_was_started(
    later: int, days: int, gaps: float
) -> None:
    holes = Holes(1, missing=gaps, quiet=gaps)
    one = source(holes=holes)
    other = source(now_ms=NOW + later * MINUTE, days=days + later // 1440 + 1, holes=holes)
    window = (NOW - DAY, NOW + DAY)
    assert same(one.bars("ETHUSDT", *window), other.bars("ETHUSDT", *window))


def test_these_are_the_bars_of_seed_one_for_ever() -> None:
    bar = source(1).bars("BTCUSDT", START + 39 * DAY, START + 39 * DAY + MINUTE).bar(0)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        74144.4,
        74145.06,
        74058.66,
        74059.05,
        18.77271,
    )


def test_seeds_differ_and_do_not_follow_each_other() -> None:
    one, two = (returns_of(source(seed), "BTCUSDT", 10) for seed in (1, 2))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.05


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    name=st.sampled_from(NAMES),
    day=st.integers(0, 28),
    gaps=st.sampled_from([0.0, 0.01, 0.3]),
    quiet=st.sampled_from([0.0, 0.05, 0.6]),
)
def test_every_bar_keeps_the_rules_and_the_steps(
    seed: int, name: str, day: int, gaps: float, quiet: float
) -> None:
    made = source(seed, holes=Holes(seed, missing=gaps, quiet=quiet))
    start = NOW // DAY * DAY - day * DAY
    bars, listing = made.bars(name, start, start + DAY), made.listings[name]
    assert np.all(bars.low <= np.minimum(bars.open, bars.close))
    assert np.all(bars.high >= np.maximum(bars.open, bars.close))
    assert np.all(bars.low > 0)
    assert np.all(bars.volume >= (0 if quiet else listing.step))
    assert np.all(np.diff(bars.open_time) > 0)
    for column in (bars.open, bars.high, bars.low, bars.close):
        assert np.array_equal(np.round(column, listing.price_decimals), column)


def test_bars_follow_each_other_without_a_jump_or_a_hole() -> None:
    for holes in (Holes(1), Holes(1, quiet=0.3)):
        bars = source(holes=holes).bars("BTCUSDT", NOW - 20 * DAY, NOW)
        assert set(np.diff(bars.open_time).tolist()) == {MINUTE}
        assert bars.open[1:].tolist() == bars.close[:-1].tolist()


@pytest.mark.parametrize("name", ["5m", "1h", "4h", "1d"])
@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_coarse_bars_equal_the_minutes_they_are_made_of(name: str, gaps: float) -> None:
    timeframe = Timeframe.parse(name)
    window = (NOW // DAY * DAY - 3 * DAY, NOW // DAY * DAY)
    made = source(holes=Holes(1, missing=gaps, quiet=gaps))
    built = made.bars("BTCUSDT", *window).aggregate(timeframe.seconds * 1000)
    assert same(made.buckets("BTCUSDT", timeframe, *window), built)


def test_history_begins_at_a_midnight_and_never_ends() -> None:
    span = source().span("BTCUSDT")
    assert span.start_ms % DAY == 0
    assert NOW - 31 * DAY < span.start_ms <= NOW - 30 * DAY
    assert span.end_ms is None
    assert len(source().bars("BTCUSDT", span.start_ms - DAY, span.start_ms + DAY)) == 1440


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_coins_move_together_and_each_by_itself_as_well(seed: int) -> None:
    bitcoin, ether, sol = (returns_of(source(seed), name, 20) for name in ("BTCUSDT", "ETHUSDT", "SOLUSDT"))
    for one, other in ((bitcoin, ether), (bitcoin, sol), (ether, sol)):
        assert 0.3 < np.corrcoef(one, other)[0, 1] < 0.95


def test_a_cross_is_the_ratio_of_its_legs() -> None:
    made = source()
    cross, ether, bitcoin = (
        made.bars(name, NOW - DAY, NOW).close for name in ("ETHBTC", "ETHUSDT", "BTCUSDT")
    )
    np.testing.assert_allclose(cross, ether / bitcoin, rtol=1e-5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_volatility_clusters_while_the_direction_does_not_tell(seed: int) -> None:
    returns = returns_of(source(seed), "BTCUSDT", 25)
    sizes = np.abs(returns)
    assert np.corrcoef(sizes[:-5], sizes[5:])[0, 1] > 0.1
    assert np.corrcoef(sizes[:-60], sizes[60:])[0, 1] > 0.04
    assert abs(np.corrcoef(returns[:-1], returns[1:])[0, 1]) < 0.05
    assert np.mean(((returns - returns.mean()) / returns.std()) ** 4) > 4  # fat tails; a normal one has 3


def test_years_have_quiet_and_turbulent_weeks_and_sane_prices() -> None:
    made = source(3, now_ms=START, days=600)
    daily = made.buckets("BTCUSDT", Timeframe.parse("1d"), START - 600 * DAY, START)
    weeks = np.diff(np.log(daily.close))[: 598 // 7 * 7].reshape(-1, 7).std(axis=1)
    assert np.quantile(weeks, 0.9) > 2 * np.quantile(weeks, 0.1)
    assert 0.015 < np.diff(np.log(daily.close)).std() < 0.05
    assert 20_000 < daily.close.min() < daily.close.max() < 180_000


def test_volume_comes_with_movement() -> None:
    bars = source().bars("BTCUSDT", NOW - 10 * DAY, NOW)
    moved = np.abs(np.log(bars.close / bars.open))
    assert np.corrcoef(moved, bars.volume)[0, 1] > 0.3


@pytest.mark.parametrize(("missing", "quiet"), [(0.01, 0.0), (0.0, 0.1), (0.02, 0.05)])
def test_holes_have_the_share_that_was_asked_for(missing: float, quiet: float) -> None:
    punched = source(holes=Holes(5, missing=missing, quiet=quiet)).bars("SOLUSDT", NOW - 29 * DAY, NOW)
    minutes = 29 * 1440
    assert 1 - len(punched) / minutes == pytest.approx(missing, rel=0.5)
    still = punched.volume == 0
    assert still.mean() == pytest.approx(quiet, rel=0.4)
    assert np.array_equal(punched.high[still], punched.low[still])


def test_what_is_not_in_a_hole_is_as_it_would_be_without_holes() -> None:
    plain = source().bars("SOLUSDT", NOW - 5 * DAY, NOW)
    punched = source(holes=Holes(5, missing=0.05)).bars("SOLUSDT", NOW - 5 * DAY, NOW)
    kept = np.isin(plain.open_time, punched.open_time)
    assert plain.close[kept].tolist() == punched.close.tolist()


def test_a_symbol_without_a_known_price_gets_one_with_fitting_steps() -> None:
    bars = source().bars("NEWCOINUSDC", NOW - 3 * DAY, NOW)
    assert 0.1 < bars.close.mean() < 5_000
    assert len(set(bars.close.tolist())) > 200
