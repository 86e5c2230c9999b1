import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import BusUnavailable, VenueUnavailable
from quantbus_contracts.schema import CandleReport
from quantbus_contracts.testing import FrozenClock
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.backfill import Backfiller, Filled
from quantbus_services.ingestion.series import Series
from tests.unit.services.ingestion.fakes import BTC, ETH, MINUTE, NOON, AsyncBars, FakeVenue

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

    def after_the_first_page(filled: Filled) -> None:
        seen.append(filled)
        if filled.asked == 100:
            venue.failures.append(VenueUnavailable("down", kind="maintenance"))

    filler = make(venue, bars)
    with pytest.raises(VenueUnavailable):
        await filler.fill(SERIES, minute(0), minute(250), on_progress=after_the_first_page)

    kept = len(stored(bars))
    assert seen[-1].report.inserted == kept
    assert 100 <= kept < 250
    filled = await filler.fill(SERIES, minute(0), minute(250))
    assert (filled.present_before, filled.report.inserted, filled.absent) == (kept, 250 - kept, 0)


async def test_history_that_has_not_begun_costs_one_request() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(9000)), begins=minute(8000)), AsyncBars()

    filled = await make(venue, bars).fill(SERIES, minute(0), minute(8200))

    assert filled.absent == 8000
    assert len(stored(bars)) == 200
    firsts = [since for _, _, since, _ in venue.requests]
    assert firsts[:2] == [minute(0), minute(8000)]
    assert len(firsts) <= 4


async def test_a_bar_that_one_answer_left_out_is_asked_for_once_more() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000)), absent={minute(7)}), AsyncBars()
    fetch = venue.fetch

    async def forgetful(*given: object) -> object:
        rows = await fetch(*given)  # type: ignore[arg-type]  # passed on as they came
        venue.absent.clear()
        return rows

    venue.fetch = forgetful  # type: ignore[method-assign,assignment]
    filled = await make(venue, bars).fill(SERIES, minute(0), minute(50))

    assert (filled.absent, filled.report.inserted, filled.asked) == (0, 50, 50)


async def test_pages_are_fetched_side_by_side_and_no_more_than_allowed() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(9000))), AsyncBars()
    fetch = venue.fetch
    under_way = [0, 0]

    async def slow(*given: object) -> object:
        under_way[0] += 1
        under_way[1] = max(under_way)
        for _ in range(20):
            await asyncio.sleep(0)
        rows = await fetch(*given)  # type: ignore[arg-type]  # passed on as they came
        under_way[0] -= 1
        return rows

    venue.fetch = slow  # type: ignore[method-assign,assignment]
    filler = Backfiller(venue, bars, bars, page_bars=100, venue_now=venue.clock.now, in_flight=3)
    both = await asyncio.gather(
        filler.fill(SERIES, minute(0), minute(3000)),
        filler.fill(Series(ETH, MINUTE), minute(0), minute(3000)),
    )

    assert under_way[1] == 3
    assert [filled.absent for filled in both] == [0, 0]


async def test_the_first_failure_begins_no_further_page() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(9000))), AsyncBars()
    fetch = venue.fetch

    async def refusing(*given: object) -> object:
        if given[2] == minute(300):
            raise VenueUnavailable("down", kind="maintenance")
        return await fetch(*given)  # type: ignore[arg-type]  # passed on as they came

    venue.fetch = refusing  # type: ignore[method-assign,assignment]
    filler = Backfiller(venue, bars, bars, page_bars=100, venue_now=venue.clock.now, in_flight=2)
    with pytest.raises(VenueUnavailable):
        await filler.fill(SERIES, minute(0), minute(8000))

    assert len(venue.requests) < 10


async def test_a_long_range_is_looked_through_in_pieces() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(200_000)), cap=5000), AsyncBars()
    asked: list[int] = []
    open_times = bars.open_times

    async def noted(symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[datetime]:
        asked.append(timeframe.count(start, end))
        return await open_times(symbol, timeframe, start, end)

    bars.open_times = noted  # type: ignore[method-assign]
    filled = await make(venue, bars, page_bars=5000).fill(SERIES, minute(0), minute(120_000))

    assert filled.absent == 0
    assert max(asked) == 50_000


async def test_progress_counts_what_was_not_there_before() -> None:
    venue, bars = FakeVenue(FrozenClock(minute(1000))), AsyncBars()
    await make(venue, bars).fill(SERIES, minute(0), minute(150))
    told: list[tuple[int, int]] = []

    await make(venue, bars).fill(
        SERIES, minute(0), minute(400), on_progress=lambda filled: told.append((filled.asked, filled.to_ask))
    )

    assert told == [(0, 250), (100, 250), (200, 250), (250, 250)]


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
