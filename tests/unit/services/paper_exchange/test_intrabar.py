from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_services.paper_exchange.prices.intrabar import STEPS, path_of, seen_at
from quantbus_services.paper_exchange.series import Bar
from tests.unit.services.paper_exchange.recordings import BTC, MINUTE, START

cents = st.integers(1, 100_000)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, *body, high = sorted(draw(st.lists(cents, min_size=4, max_size=4)))
    open_, close = body if draw(st.booleans()) else body[::-1]
    minute = draw(st.integers(0, 10_000))
    volume = draw(st.integers(0, 10_000)) / 1000
    opened = START + minute * MINUTE
    return Bar(opened, open_ / 100, high / 100, low / 100, close / 100, volume, volume * 50)


shares = st.integers(0, MINUTE - 1).map(lambda elapsed: elapsed / MINUTE)


@settings(deadline=None)
@given(bars(), shares, shares)
def test_what_is_seen_only_ever_grows(bar: Bar, one: float, other: float) -> None:
    earlier, later = (seen_at(bar, share, BTC) for share in sorted((one, other)))
    assert bar.low <= later.low <= earlier.low <= earlier.open
    assert bar.high >= later.high >= earlier.high >= earlier.open
    assert earlier.volume <= later.volume <= bar.volume
    assert later.low <= later.close <= later.high


@settings(deadline=None)
@given(bars(), shares)
def test_an_extreme_does_not_show_before_the_path_reaches_it(bar: Bar, share: float) -> None:
    path = path_of(bar, BTC)
    seen = seen_at(bar, share, BTC)
    reached = {
        price: min(at for at, ticks in zip(path.shares, path.ticks, strict=True) if ticks / 100 == price)
        for price in (bar.high, bar.low)
    }
    assert (seen.high == bar.high) == (share >= reached[bar.high])
    assert (seen.low == bar.low) == (share >= reached[bar.low])


@settings(deadline=None)
@given(bars(), shares)
def test_the_worth_of_what_was_traded_does_not_tell_prices_that_are_still_to_come(
    bar: Bar, share: float
) -> None:
    seen = seen_at(bar, share, BTC)
    assert seen.low * seen.volume <= seen.quote_volume * (1 + 1e-12)
    assert seen.quote_volume <= seen.high * seen.volume * (1 + 1e-12)


@settings(deadline=None)
@given(bars())
def test_a_bar_begins_as_nothing_but_its_open(bar: Bar) -> None:
    seen = seen_at(bar, 0.0, BTC)
    assert (seen.open, seen.high, seen.low, seen.close, seen.volume) == (*[bar.open] * 4, 0)


@settings(deadline=None)
@given(bars())
def test_a_path_ends_at_the_close_and_has_touched_both_extremes(bar: Bar) -> None:
    path = path_of(bar, BTC)
    prices = [path.price(step / STEPS) for step in range(STEPS + 1)]
    assert prices[-1] == bar.close
    assert (max(prices), min(prices)) == (bar.high, bar.low)


@settings(deadline=None)
@given(bars(), bars())
def test_the_order_of_the_extremes_tells_nothing_about_prices(one: Bar, other: Bar) -> None:
    twin = Bar(one.open_time, other.open, other.high, other.low, other.close, 1, 1)
    first, second = path_of(one, BTC), path_of(twin, BTC)
    assert first.shares == second.shares
    if len({one.high, one.low}) == len({twin.high, twin.low}) == 2:
        assert (first.ticks[1] > first.ticks[2]) == (second.ticks[1] > second.ticks[2])


def test_either_extreme_comes_first_about_as_often() -> None:
    rising = [Bar(START + minute * MINUTE, 10, 12, 9, 11, 1, 11) for minute in range(1000)]
    high_first = sum(path_of(bar, BTC).ticks[1] == 1200 for bar in rising)
    assert 400 < high_first < 600
