from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import BusUnavailable, VenueUnavailable
from quantbus_contracts.schema import CandleReport
from quantbus_contracts.testing import FrozenClock
from quantbus_services.ingestion.backfill import Backfiller, Filled
from quantbus_services.ingestion.series import Series
from tests.unit.services.ingestion.fakes import BTC, MINUTE, NOON, AsyncBars, FakeVenue

SERIES = Series(BTC, MINUTE)


def minute(index: int) -> datetime:
    return NOON + timedelta(minutes=index)


def make(venue: FakeVenue, bars: AsyncBars, page_bars: int = 100) -> Backfiller:
    return Backfiller(venue, bars, bars, page_bars=page_bars, venue_now=venue.clock.now)


def stored(bars: AsyncBars) -> list[datetime]:
    return sorted(key[2] for key in bars.store.bars)


async def test_a_range_is_fetched_page_by_page_and_written() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000))), AsyncBars()

    filled = await make(venue, bars).fill(SERIES, minute(0), minute(250))

    assert (filled.wanted, filled.present_before, filled.absent) == (250, 0, 0)
    assert filled.report == CandleReport(inserted=250)
    assert stored(bars) == [minute(index) for index in range(250)]
    assert [(since, limit) for _, _, since, limit in venue.requests] == [
        (minute(0), 100),
        (minute(100), 100),
        (minute(200), 50),
    ]


async def test_a_second_run_asks_the_venue_nothing() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000))), AsyncBars()
    await make(venue, bars).fill(SERIES, minute(0), minute(250))
    venue.requests.clear()

    again = await make(venue, bars).fill(SERIES, minute(0), minute(250))

    assert venue.requests == []
    assert (again.present_before, again.report) == (250, CandleReport())


async def test_only_what_is_missing_is_fetched() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000))), AsyncBars()
    await make(venue, bars).fill(SERIES, minute(0), minute(100))
    await make(venue, bars).fill(SERIES, minute(110), minute(200))
    venue.requests.clear()

    filled = await make(venue, bars).fill(SERIES, minute(0), minute(200))

    assert [(since, limit) for _, _, since, limit in venue.requests] == [(minute(100), 10)]
    assert (filled.present_before, filled.report.inserted, filled.absent) == (190, 10, 0)


async def test_a_venue_that_gives_fewer_rows_than_asked_for_is_asked_on() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000)), cap=30), AsyncBars()
    venue.page_bars = lambda instrument, most: most  # type: ignore[method-assign]  # it does not say so

    filled = await make(venue, bars).fill(SERIES, minute(0), minute(100))

    assert filled.absent == 0
    assert [limit for *_, limit in venue.requests] == [100, 70, 40, 10]


async def test_the_forming_candle_is_never_written() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(10) + timedelta(seconds=30))), AsyncBars()

    filled = await make(venue, bars).fill(SERIES, minute(0), minute(20))

    assert stored(bars) == [minute(index) for index in range(10)]
    assert filled.absent == 10


async def test_bars_that_the_venue_does_not_have_are_told_as_absent() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000)), absent={minute(3), minute(4)}), AsyncBars()

    filled = await make(venue, bars).fill(SERIES, minute(0), minute(10))

    assert (filled.report.inserted, filled.absent) == (8, 2)


async def test_history_before_the_listing_is_passed_over() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000)), begins=minute(150)), AsyncBars()

    filled = await make(venue, bars, page_bars=50).fill(SERIES, minute(0), minute(200))

    assert stored(bars) == [minute(index) for index in range(150, 200)]
    assert filled.absent == 150


async def test_what_was_written_before_a_failure_stays_and_the_next_run_does_the_rest() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000))), AsyncBars()
    seen: list[Filled] = []

    def after_the_first_page(done: int, total: int, filled: Filled) -> None:
        seen.append(filled)
        if done == 100:
            venue.failures.append(VenueUnavailable("down", kind="maintenance"))

    filler = make(venue, bars)
    with pytest.raises(VenueUnavailable):
        await filler.fill(SERIES, minute(0), minute(250), on_progress=after_the_first_page)

    assert len(stored(bars)) == 100
    assert seen[-1].report.inserted == 100
    filled = await filler.fill(SERIES, minute(0), minute(250))
    assert (filled.present_before, filled.report.inserted, filled.absent) == (100, 150, 0)


async def test_a_dead_bus_is_told_as_such() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000))), AsyncBars()
    bars.store.down = True

    with pytest.raises(BusUnavailable):
        await make(venue, bars).fill(SERIES, minute(0), minute(10))


async def test_refresh_lands_corrections_as_updates() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000))), AsyncBars()
    filler = make(venue, bars)
    await filler.fill(SERIES, minute(0), minute(10))
    venue.prices[minute(8)] = 123.0

    copied = await filler.refresh(SERIES, minute(7), minute(10))

    assert copied.report == CandleReport(updated=1, unchanged=2)
    assert copied.newest == minute(9)


@given(
    present=st.sets(st.integers(0, 59)),
    absent=st.sets(st.integers(0, 59)),
    page=st.integers(1, 20),
    cap=st.integers(1, 20),
)
async def test_whatever_was_there_every_bar_the_venue_has_is_there_afterwards(
    present: set[int], absent: set[int], page: int, cap: int
) -> None:
    venue, bars = FakeVenue(FrozenClock(minute(100)), cap=cap), AsyncBars()
    filler = make(venue, bars, page_bars=page)
    for index in present:
        await filler.refresh(SERIES, minute(index), minute(index + 1))
    venue.absent = {minute(index) for index in absent}

    filled = await filler.fill(SERIES, minute(0), minute(60))

    assert stored(bars) == [minute(index) for index in range(60) if index in present or index not in absent]
    assert filled.absent == len(absent - present)
