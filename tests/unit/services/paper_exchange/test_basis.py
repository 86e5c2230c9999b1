"""Swaps over spot: prices that follow it, funding that follows from them."""

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.generator.basis import BasisSource, swap_listing
from quantbus_services.paper_exchange.generator.funding import (
    CAP,
    INTEREST,
    PERIOD_MS,
    funding_between,
    next_funding,
)
from quantbus_services.paper_exchange.generator.holes import Holes
from quantbus_services.paper_exchange.generator.perpetual import PerpetualMarket
from quantbus_services.paper_exchange.generator.synthetic import SyntheticSource, synthetic_listing
from quantbus_services.paper_exchange.listings.brackets import brackets_of
from quantbus_services.paper_exchange.market import BarSource
from quantbus_services.paper_exchange.series import Bars
from tests.unit.services.paper_exchange.recordings import BTC, DAY, MINUTE, START, market_of, recording

LISTING = synthetic_listing("BTC", "USDT")
NOW = START + 10 * 3_600_000 + 12_345


def spot_source(seed: int = 1, *, days: int = 30) -> SyntheticSource:
    return SyntheticSource([LISTING], seed=seed, now_ms=NOW, history=timedelta(days=days))


def swaps(spot: BarSource, seed: int = 1, holes: Holes | None = None) -> BasisSource:
    return BasisSource(map(swap_listing, spot.listings.values()), spot, seed=seed, holes=holes)


SPOT = spot_source()
SWAPS = swaps(SPOT)
MARKET = PerpetualMarket(SWAPS)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), day=st.integers(0, 25), gaps=st.sampled_from([0.0, 0.05]))
def test_swap_bars_keep_the_rules_and_stay_near_spot(seed: int, day: int, gaps: float) -> None:
    spot = spot_source(seed)
    source = swaps(spot, seed, Holes(seed, missing=gaps, quiet=gaps))
    start = START - day * DAY
    for bars in (source.bars("BTCUSDT", start, start + DAY), source.mark.bars("BTCUSDT", start, start + DAY)):
        assert np.all(bars.low <= np.minimum(bars.open, bars.close))
        assert np.all(bars.high >= np.maximum(bars.open, bars.close))
        whole = spot.bars("BTCUSDT", start, start + DAY)
        same = np.isin(whole.open_time, bars.open_time)
        moved = bars.volume > 0 if bars.volume.any() else np.ones(len(bars), dtype=bool)
        away = np.abs(bars.close[moved] / whole.close[same][moved] - 1)
        assert away.max() < 0.004


def test_bars_follow_each_other_and_do_not_depend_on_when_they_are_asked_for() -> None:
    bars = SWAPS.bars("BTCUSDT", START - 3 * DAY, START)
    assert bars.open[1:].tolist() == bars.close[:-1].tolist()
    again = swaps(spot_source(days=90)).bars("BTCUSDT", START - DAY - 5 * MINUTE, START - DAY)
    assert again.close.tolist() == bars.between(START - DAY - 5 * MINUTE, START - DAY).close.tolist()


def test_premium_is_what_lies_between_mark_and_index() -> None:
    window = (START - 2 * DAY, START)
    mark, index, premium = (
        source.bars("BTCUSDT", *window) for source in (SWAPS.mark, SWAPS.index, SWAPS.premium)
    )
    np.testing.assert_allclose(premium.close, mark.close / index.close - 1, atol=2e-8)
    assert index.close.tolist() == SPOT.bars("BTCUSDT", *window).close.tolist()
    assert 0.5e-4 < premium.close.std() < 20e-4


def test_the_basis_stays_on_one_side_for_hours() -> None:
    premium = SWAPS.premium.buckets("BTCUSDT", Timeframe.parse("1h"), START - 25 * DAY, START).close
    assert np.corrcoef(premium[:-2], premium[2:])[0, 1] > 0.7


def test_funding_comes_every_eight_hours_and_follows_from_the_premium_before_it() -> None:
    paid = funding_between(MARKET, "BTCUSDT", START - 20 * DAY, NOW, NOW)
    assert [one.time_ms for one in paid] == list(range(START - 20 * DAY, NOW, PERIOD_MS))
    for one in paid[::7]:
        minutes = SWAPS.premium.bars("BTCUSDT", one.time_ms - PERIOD_MS, one.time_ms)
        weights = np.arange(480) * MINUTE + 1.0
        mean = float(np.average(minutes.close, weights=weights))
        pull = min(max(INTEREST - mean, -0.0005), 0.0005)
        assert one.rate == pytest.approx(min(max(mean + pull, -CAP), CAP), abs=1e-8)
        mark = SWAPS.mark.bars("BTCUSDT", one.time_ms - MINUTE, one.time_ms).bar(0)
        assert one.mark == mark.close
    assert len({one.rate for one in paid}) > 5


def test_funding_is_not_told_before_it_is_due() -> None:
    due = START + 8 * 3_600_000
    assert funding_between(MARKET, "BTCUSDT", due, due, due - 1) == []
    (paid,) = funding_between(MARKET, "BTCUSDT", due, due, due)
    almost = next_funding(MARKET, "BTCUSDT", due - 1)
    assert (paid.time_ms, almost.time_ms) == (due, due)
    assert almost.rate == pytest.approx(paid.rate, abs=1e-5)
    assert next_funding(MARKET, "BTCUSDT", due).time_ms == due + PERIOD_MS


@settings(max_examples=15, deadline=None)
@given(elapsed=st.integers(0, DAY))
def test_nothing_served_depends_on_what_comes_later(elapsed: int) -> None:
    now = START - 2 * DAY + elapsed

    class Cut(SyntheticSource):
        """Loses everything behind the bar in progress."""

        def bars(self, name: str, start_ms: int, end_ms: int) -> Bars:
            bars = super().bars(name, start_ms, end_ms)
            return bars.between(0, now // MINUTE * MINUTE + MINUTE)

    cut = PerpetualMarket(swaps(Cut([LISTING], seed=1, now_ms=NOW, history=timedelta(days=30))))
    for one, other in ((MARKET, cut), (MARKET.mark, cut.mark), (MARKET.premium, cut.premium)):
        assert one.last_price("BTCUSDT", now) == other.last_price("BTCUSDT", now)
    assert next_funding(MARKET, "BTCUSDT", now) == next_funding(cut, "BTCUSDT", now)
    window = (now - DAY, now, now)
    assert funding_between(MARKET, "BTCUSDT", *window) == funding_between(cut, "BTCUSDT", *window)


def test_open_interest_moves_slowly_and_is_the_same_whenever_asked() -> None:
    moments = np.arange(START - 10 * DAY, START, 5 * MINUTE)
    held = SWAPS.open_interest("BTCUSDT", moments)
    assert held.min() > 0
    assert np.abs(np.diff(np.log(held))).max() < 0.02
    assert held.std() / held.mean() > 0.02
    assert SWAPS.open_interest("BTCUSDT", moments[5:6])[0] == held[5]


def test_a_recording_gets_swaps_under_a_made_up_basis() -> None:
    bars = recording(2_000, without={30, 31})
    source = swaps(market_of(bars).source)
    assert source.kind == "SYNTHETIC"
    assert source.listings["BTCUSDT"].pair == "BTC/USDT:USDT"
    assert source.listings["BTCUSDT"].price_decimals == BTC.price_decimals
    served = source.bars("BTCUSDT", START, START + 2_000 * MINUTE)
    assert served.open_time.tolist() == bars.open_time.tolist()
    assert source.span("BTCUSDT").end_ms == START + 2_000 * MINUTE
    paid = funding_between(PerpetualMarket(source), "BTCUSDT", START, START + DAY, START + DAY)
    assert [one.time_ms for one in paid] == [START + hours * 3_600_000 for hours in (8, 16, 24)]


def test_brackets_join_without_a_jump_in_margin() -> None:
    for listing in (LISTING, synthetic_listing("NEWCOIN", "USDT")):
        brackets = brackets_of(listing)
        for lower, upper in pairwise(brackets):
            assert lower.cap == upper.floor
            assert lower.leverage > upper.leverage
            edge = lower.cap
            assert edge * lower.margin_ratio - lower.deduction == pytest.approx(
                edge * upper.margin_ratio - upper.deduction
            )
        assert all(bracket.margin_ratio <= 1 / bracket.leverage for bracket in brackets)


def test_open_interest_over_a_recording_tells_nothing_of_what_is_still_to_come() -> None:
    known = START + 60 * MINUTE
    moments = np.array([known + 5 * MINUTE])
    held = []
    for seed in (1, 2):
        bars = Bars.join([recording(60), recording(600, start_ms=known, seed=seed)])
        source = market_of(bars).source
        names = map(swap_listing, source.listings.values())
        held.append(BasisSource(names, source, seed=1, known_ms=known).open_interest("BTCUSDT", moments)[0])
    assert held[0] == held[1] > 0
