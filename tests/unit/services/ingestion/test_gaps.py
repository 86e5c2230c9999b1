"""Gaps: the ledger follows what is missing, and what the venue says about it is believed slowly."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import BusUnavailable, VenueRefused, VenueUnavailable
from quantbus_contracts.mongo.holes import Hole, missing_runs
from quantbus_contracts.schema import BROKEN_GAPS, Gap, GapState
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import FrozenClock, make_candle
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.gaps import GapKeeper, GapRepairer, GapRules, GapWatch, reconcile
from quantbus_services.ingestion.gaps.ledger import Seen
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.venue.gate import Held
from tests.unit.services.ingestion.fakes import BTC, MINUTE, NOON, AsyncBars, FakeVenue, row_of

SERIES = Series(BTC, MINUTE)
HOUR = timedelta(hours=1)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def hole(start: int, end: int) -> Hole:
    return Hole(at(start), at(end))


def gap_of(start: int, end: int, state: GapState = GapState.OPEN, **more: object) -> Gap:
    fields = {"first_seen": NOON, "source": "test", "state": state, **more}
    return Gap(symbol=BTC.symbol, timeframe="1m", start=at(start), end=at(end), **fields)


@dataclass
class Ledger:
    """The ledger in memory."""

    rows: dict[datetime, Gap] = field(default_factory=dict)
    down: bool = False

    async def put(self, gaps: Sequence[Gap]) -> int:
        self.rows |= {gap.start: gap for gap in gaps}
        return len(gaps)

    async def find(
        self,
        symbol: str | None = None,
        timeframe: Timeframe | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        states: Collection[GapState] | None = None,
    ) -> list[Gap]:
        if self.down:
            raise BusUnavailable("away")
        return [
            row
            for _, row in sorted(self.rows.items())
            if (start is None or row.end > start)
            and (end is None or row.start < end)
            and (states is None or row.state in states)
        ]


@dataclass
class Finder:
    """What is missing among bars in memory."""

    bars: AsyncBars

    async def holes(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[Hole]:
        times = [key[2] for key in sorted(self.bars.store.bars)]
        if not times:
            return []
        start, end = max(start, times[0]), min(end, times[-1] + timeframe.delta)
        return missing_runs([moment for moment in times if start <= moment < end], start, end, timeframe)


class World:
    """A series with holes, the venue behind it, and everything that looks after them."""

    def __init__(self) -> None:
        self.clock = FrozenClock(at(60))
        self.venue = FakeVenue(self.clock)
        self.bars = AsyncBars()
        self.ledger = Ledger()
        self.watch = GapWatch(Finder(self.bars), self.ledger, seen_by="test", now=self.clock.now)
        self.repairer = GapRepairer(
            self.venue,
            self.bars,
            self.ledger,
            self.watch,
            rules=GapRules(confirmations=3, pause=HOUR, attempts=4),
            page_bars=1000,
            venue_now=self.clock.now,
            now=self.clock.now,
        )

    def store(self, *minutes: int) -> None:
        self.bars.store.write(
            [make_candle(symbol=BTC.symbol, timeframe="1m", open_time=at(minute)) for minute in minutes]
        )

    async def look(self, start: int = 0, end: int = 60) -> list[Gap]:
        return await self.watch.look(BTC.symbol, MINUTE, at(start), at(end))

    async def repair(self) -> list[Gap]:
        gaps = await self.ledger.find(states=BROKEN_GAPS)
        return [row for gap in gaps for row in await self.repairer.repair(SERIES, gap)]

    @property
    def states(self) -> list[tuple[int, int, str]]:
        return [
            (int((gap.start - NOON).seconds / 60), gap.bars, gap.state.value)
            for _, gap in sorted(self.ledger.rows.items())
        ]


@pytest.fixture
def world() -> World:
    return World()


async def test_holes_between_stored_bars_are_noted_once(world: World) -> None:
    world.store(0, 1, 5, 6, 8)
    assert [(gap.start, gap.bars) for gap in await world.look()] == [(at(2), 3), (at(7), 1)]
    assert await world.look() == []
    assert {gap.source for gap in world.ledger.rows.values()} == {"test"}


async def test_what_was_never_listed_and_what_is_not_there_yet_is_no_gap(world: World) -> None:
    world.store(10, 11)
    assert await world.look() == []


async def test_bars_that_come_by_any_way_repair_a_gap(world: World) -> None:
    world.store(0, 3)
    await world.look()
    world.store(1, 2)
    await world.look()
    assert world.states == [(1, 2, "repaired")]


async def test_a_gap_filled_in_its_middle_is_cut_in_two_that_keep_their_history(world: World) -> None:
    world.store(0, 6)
    await world.ledger.put([gap_of(1, 6, GapState.RETRYING, attempts=2)])
    world.store(3)
    await world.look()
    assert world.states == [(1, 2, "retrying"), (4, 2, "retrying")]
    assert {gap.attempts for gap in world.ledger.rows.values()} == {2}


async def test_a_gap_filled_at_its_start_is_repaired_that_far(world: World) -> None:
    world.store(0, 6)
    await world.look()
    world.store(1, 2)
    await world.look(0, 2)  # a look at a part of a gap judges all of it
    assert world.states == [(1, 2, "repaired"), (3, 3, "open")]


async def test_a_hole_that_grows_beside_a_confirmed_one_is_a_new_gap(world: World) -> None:
    world.store(0, 6)
    await world.ledger.put([gap_of(1, 3, GapState.EMPTY)])
    await world.look()
    assert world.states == [(1, 2, "empty"), (3, 3, "open")]


async def test_a_repair_fetches_what_the_venue_has(world: World) -> None:
    world.store(*range(3), *range(6, 10))
    await world.look()
    await world.repair()
    assert world.states == [(3, 3, "repaired")]
    assert world.ledger.rows[at(3)].attempts == 1
    assert len(world.bars.store.bars) > 9


async def test_a_gap_is_empty_once_the_venue_has_answered_around_it_often_enough(world: World) -> None:
    world.store(*range(3), *range(6, 10))
    world.venue.absent = {at(minute) for minute in (3, 4, 5)}
    await world.look()
    seen = []
    for _ in range(3):
        await world.repair()
        seen.append(world.states)
        world.clock.advance(HOUR)
    assert seen == [[(3, 3, "retrying")], [(3, 3, "retrying")], [(3, 3, "empty")]]
    assert await world.repair() == []


async def test_answers_in_quick_succession_confirm_nothing_more(world: World) -> None:
    world.store(*range(3), *range(6, 10))
    world.venue.absent = {at(minute) for minute in (3, 4, 5)}
    await world.look()
    for _ in range(3):
        await world.repair()
    assert (world.ledger.rows[at(3)].attempts, world.ledger.rows[at(3)].confirmations) == (3, 1)


async def test_a_repair_in_part_leaves_the_rest_waiting(world: World) -> None:
    world.store(*range(3), *range(9, 12))
    world.venue.absent = {at(6), at(7)}
    await world.look()
    await world.repair()
    assert world.states == [(3, 3, "repaired"), (6, 2, "retrying")]
    assert await Finder(world.bars).holes(BTC.symbol, MINUTE, at(0), at(60)) == [hole(6, 8)]


async def test_a_venue_without_that_much_history_proves_nothing(world: World) -> None:
    world.store(*range(3), *range(6, 10))
    world.venue.begins = at(7)
    await world.look()
    for _ in range(4):
        await world.repair()
        world.clock.advance(HOUR)
    assert world.states == [(3, 3, "unreachable")]
    assert world.ledger.rows[at(3)].note == "binance gives nothing before it"


@pytest.mark.parametrize(
    "error", [VenueUnavailable("no answer", kind="timeout"), VenueRefused("no", kind="bad_symbol")]
)
async def test_a_venue_that_fails_leaves_the_gap_to_the_next_round(
    world: World, error: VenueUnavailable | VenueRefused
) -> None:
    world.store(*range(3), *range(6, 10))
    await world.look()
    world.venue.failures = [error]
    await world.repair()
    assert world.states == [(3, 3, "retrying")]
    await world.repair()
    assert world.states == [(3, 3, "repaired")]


async def test_a_bar_that_the_venue_gives_in_a_form_that_must_be_refused_is_not_empty(world: World) -> None:
    world.store(*range(3), *range(4, 8))
    fetch = world.venue.fetch

    async def spoilt(
        instrument: Instrument, timeframe: Timeframe, since: datetime, limit: int
    ) -> list[Sequence[object]]:
        rows = await fetch(instrument, timeframe, since, limit)
        return [[row[0], *[float("nan")] * 5] if row[0] == row_of(at(3))[0] else row for row in rows]

    world.venue.fetch = spoilt  # type: ignore[method-assign]
    await world.look()
    for _ in range(4):
        await world.repair()
        world.clock.advance(HOUR)
    assert world.states == [(3, 1, "unreachable")]
    assert world.ledger.rows[at(3)].note == "binance gives bars inside it that were refused: open_not_finite"


async def test_a_venue_that_is_to_be_left_alone_has_not_been_asked(world: World) -> None:
    world.store(*range(3), *range(6, 10))
    await world.look()
    world.venue.failures = [Held("nothing was sent", kind="banned", retry_after_seconds=60.0)]
    keeper = GapKeeper([SERIES], world.ledger, world.repairer, every_seconds=1, now=world.clock.now)
    await keeper.round()
    assert (world.ledger.rows[at(3)].attempts, world.ledger.rows[at(3)].state.value) == (0, "open")
    await keeper.round()
    assert world.states == [(3, 3, "repaired")]


async def test_the_keeper_asks_only_for_what_is_due_and_tells_what_stands(world: World) -> None:
    world.store(*range(3), *range(6, 10))
    world.venue.absent = {at(minute) for minute in (3, 4, 5)}
    await world.look()
    told: list[int] = []
    keeper = GapKeeper(
        [SERIES],
        world.ledger,
        world.repairer,
        every_seconds=1,
        now=world.clock.now,
        on_standing=lambda _series, gaps: told.append(sum(gap.bars for gap in gaps)),
    )
    await keeper.round()
    await keeper.round()
    assert world.ledger.rows[at(3)].attempts == 1
    for _ in range(2):
        world.clock.advance(HOUR)
        await keeper.round()
    assert told == [3, 3, 3, 0]


async def test_the_keeper_survives_a_bus_that_is_away(world: World) -> None:
    world.ledger.down = True
    rests = 0

    async def rest(_seconds: float) -> None:
        nonlocal rests
        rests += 1
        if rests == 3:
            raise StopAsyncIteration

    keeper = GapKeeper(
        [SERIES], world.ledger, world.repairer, every_seconds=1, now=world.clock.now, sleep=rest
    )
    with pytest.raises(StopAsyncIteration):
        await keeper.run()


def test_an_unreachable_gap_is_asked_for_again_after_a_day() -> None:
    rules = GapRules(confirmations=3, pause=HOUR, attempts=4)
    gap = gap_of(0, 1, GapState.UNREACHABLE, last_attempt=NOON)
    assert not rules.is_due(gap, NOON + 23 * HOUR)
    assert rules.is_due(gap, NOON + 24 * HOUR)


@given(
    st.lists(st.sampled_from(["there", "gone"]), min_size=12, max_size=12),
    st.lists(st.sampled_from([None, *GapState]), min_size=12, max_size=12),
)
def test_after_a_look_the_ledger_says_exactly_what_is_missing(
    minutes: list[str], said: list[GapState | None]
) -> None:
    known = [gap_of(minute, minute + 1, state) for minute, state in enumerate(said) if state is not None]
    there = [at(minute) for minute, what in enumerate(minutes) if what == "there"]
    missing = missing_runs(there, at(0), at(12), MINUTE)
    seen = Seen(BTC.symbol, MINUTE, "test", NOON)
    rows = {gap.start: gap for gap in known} | {gap.start: gap for gap in reconcile(known, missing, seen)}
    standing = [
        moment
        for gap in rows.values()
        if gap.state is not GapState.REPAIRED
        for moment in MINUTE.range(gap.start, gap.end)
    ]
    assert sorted(standing) == [at(minute) for minute, what in enumerate(minutes) if what == "gone"]
