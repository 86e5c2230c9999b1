import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from quantbus_contracts.errors import BusUnavailable, VenueError, VenueRefused, VenueUnavailable
from quantbus_contracts.schema import CandleReport
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import FrozenClock
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.backfill import Backfiller
from quantbus_services.ingestion.live.poller import Beside, Poller, State, Stream
from quantbus_services.ingestion.live.steady_clock import SteadyClock
from quantbus_services.ingestion.metrics import IngestionMetrics
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.venue.clock import VenueClock
from tests.unit.services.ingestion.fakes import BTC, ETH, MINUTE, NOON, AsyncBars, FakeVenue
from tests.unit.services.ingestion.virtual_time import VirtualTime

FIVE = Timeframe.parse("5m")


@dataclass
class World:
    """A poller in virtual time; ends at ``until``."""

    series: tuple[Series, ...] = (Series(BTC, MINUTE),)
    start: datetime = NOON + timedelta(seconds=20)
    until: datetime = NOON + timedelta(minutes=5)
    history_days: float = 0.01  # 14.4 minutes
    max_failures: int = 5
    patience_seconds: float = 20.0
    most_seconds: float = 1e9
    stream: Stream | None = None
    beside: Beside | None = None
    beats: list[tuple[datetime, State]] = field(default_factory=list)
    written_at: dict[tuple[str, str, datetime], datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = FrozenClock(self.start)
        self.time = VirtualTime(self.clock)
        self.venue = FakeVenue(self.clock)
        self.bars = AsyncBars()
        self.registry = CollectorRegistry()
        metrics = IngestionMetrics(self.registry)
        venue_clock = VenueClock(self.venue, self.clock, check_seconds=300)
        settings = IngestionSettings(
            history_days=self.history_days,
            max_failures=self.max_failures,
            patience_seconds=self.patience_seconds,
            grace_seconds=0.5,
        )
        self.poller = Poller(
            self.series,
            Backfiller(
                self.venue,
                self.bars,
                self.bars,
                page_bars=100,
                venue_now=venue_clock.now,
                on_write=lambda _, report: self.note(metrics, report),
                settle=timedelta(seconds=0.5),
            ),
            self.bars,
            clock=venue_clock,
            settings=settings,
            metrics=metrics,
            beat=self.beat,
            random=lambda: 1.0,
            sleep=self.time.sleep,
            stream=self.stream,
            beside=self.beside,
        )

    def note(self, metrics: IngestionMetrics, report: CandleReport) -> None:
        metrics.written(report)
        for key in self.bars.store.bars:
            self.written_at.setdefault(key, self.clock.now())

    async def beat(self, state: State) -> None:
        if self.bars.store.down:
            raise BusUnavailable("down")
        self.beats.append((self.clock.now(), state))

    async def run(self, on_step: Callable[[], None] = lambda: None) -> int | None:
        self.time.on_step = on_step
        code: int | None = await self.time.drive(self.poller.run(), self.until, self.most_seconds)
        return code

    def stored(self, series: Series | None = None) -> list[datetime]:
        wanted = series or self.series[0]
        return sorted(
            moment
            for symbol, frame, moment in self.bars.store.bars
            if (symbol, frame) == (wanted.instrument.symbol, wanted.timeframe.name)
        )

    def figure(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


def minute(index: int) -> datetime:
    return NOON + timedelta(minutes=index)


def whole(first: int, last: int) -> list[datetime]:
    return [minute(index) for index in range(first, last + 1)]


async def test_it_fills_the_gap_and_then_stores_each_bar_right_after_its_close() -> None:
    world = World()

    await world.run()

    assert world.stored() == whole(-14, 3)
    for index in range(4):
        delay = world.written_at["BINANCE:BTCUSDT", "1m", minute(index)] - minute(index + 1)
        assert timedelta(seconds=0.5) <= delay < timedelta(seconds=0.51)


async def test_only_the_timeframes_that_closed_are_polled() -> None:
    world = World(series=(Series(BTC, MINUTE), Series(BTC, FIVE)), until=minute(6))

    await world.run()

    asked = [frame for _, frame, _, _ in world.venue.requests]
    at_the_start = 2  # the gap, then the last bars
    assert asked.count("1m") == at_the_start + 5
    assert asked.count("5m") == at_the_start + 1


async def test_the_last_bars_are_read_again_so_that_corrections_land() -> None:
    world = World()
    world.venue.prices[minute(1)] = 50.0

    def correct_later() -> None:
        if world.clock.now() > minute(2) + timedelta(seconds=20):
            world.venue.prices[minute(1)] = 60.0

    await world.run(correct_later)

    corrected = world.bars.store.bars["BINANCE:BTCUSDT", "1m", minute(1)]
    assert corrected.open == 60.0
    assert world.figure("quantbus_candles_written_total", outcome="updated") == 1


async def test_a_bar_that_comes_late_is_asked_for_again_until_it_is_there() -> None:
    world = World()
    world.venue.lag = timedelta(seconds=63)  # a bar appears three seconds after its close

    await world.run()

    assert world.stored()[-1] == minute(3)
    delay = world.written_at["BINANCE:BTCUSDT", "1m", minute(2)] - minute(3)
    assert timedelta(seconds=3) <= delay < timedelta(seconds=5)


async def test_a_bar_that_never_comes_does_not_hold_up_the_next() -> None:
    world = World()
    world.venue.absent = {minute(1)}

    await world.run()

    assert world.stored() == [*whole(-14, 0), minute(2), minute(3)]
    assert world.figure("quantbus_ingestion_turns_total", outcome="late") == 1


async def test_a_bar_that_was_absent_is_taken_when_the_venue_has_it() -> None:
    world = World(until=minute(12))
    world.venue.absent = {minute(1), minute(4)}

    def heal() -> None:
        if world.clock.now() > minute(9):  # long after the bars have left what is read again
            world.venue.absent.clear()

    await world.run(heal)

    assert world.stored() == whole(-14, 10)


async def test_a_bar_that_stays_absent_is_not_asked_for_for_ever() -> None:
    world = World(until=minute(40))
    world.venue.absent = {minute(1)}

    await world.run()

    late = [since for _, _, since, _ in world.venue.requests[-5:]]
    assert min(late) > minute(30)


async def test_a_dead_venue_is_asked_with_growing_pauses_and_the_gap_is_filled_when_it_returns() -> None:
    world = World(until=minute(12), max_failures=30)

    def outage() -> None:
        down = minute(2) <= world.clock.now() < minute(7)
        world.venue.failures = [VenueUnavailable("down", kind="maintenance")] * 99 if down else []

    await world.run(outage)

    assert world.stored() == whole(-14, 10)
    assert world.figure("quantbus_ingestion_turns_total", outcome="failed") > 1
    assert world.poller.state.failures == 0


async def test_a_dead_database_is_survived_and_the_gap_is_filled_when_it_returns() -> None:
    world = World(until=minute(12), max_failures=30)

    def outage() -> None:
        world.bars.store.down = minute(2) <= world.clock.now() < minute(7)

    await world.run(outage)

    assert world.stored() == whole(-14, 10)
    assert world.poller.state.failures == 0


async def test_too_many_failures_in_a_row_end_the_process_with_one() -> None:
    world = World(until=minute(600))
    world.bars.store.down = True

    assert await world.run() == 1
    assert world.poller.state.failures == 5
    assert world.clock.now() - world.start < timedelta(minutes=1)


async def test_an_unexpected_error_is_survived_too() -> None:
    world = World()
    fetch = world.venue.fetch
    broken = [True]

    async def once(*args: object) -> object:
        if broken and world.clock.now() > minute(1):
            broken.clear()
            raise ZeroDivisionError
        return await fetch(*args)  # type: ignore[arg-type]  # passed on as they came

    world.venue.fetch = once  # type: ignore[method-assign,assignment]
    await world.run()

    assert world.stored() == whole(-14, 3)
    assert world.figure("quantbus_ingestion_turns_total", outcome="broken") == 1


async def test_one_refused_series_does_not_stop_the_others() -> None:
    world = World(series=(Series(BTC, MINUTE), Series(ETH, MINUTE)), until=minute(60))
    fetch = world.venue.fetch

    async def delisted(*args: object) -> object:
        if args[0] == BTC:
            raise VenueRefused("no such market", kind="bad_symbol")
        return await fetch(*args)  # type: ignore[arg-type]  # passed on as they came

    world.venue.fetch = delisted  # type: ignore[method-assign,assignment]

    assert await world.run() is None

    assert world.stored(Series(BTC, MINUTE)) == []
    assert world.stored(Series(ETH, MINUTE)) == whole(-14, 58)
    assert world.poller.state.failures == 0
    assert world.poller.state.detail()["failing"] == 1


async def test_a_series_that_hangs_does_not_delay_the_others() -> None:
    world = World(series=(Series(BTC, MINUTE), Series(ETH, MINUTE)))
    fetch = world.venue.fetch

    async def hanging(*args: object) -> object:
        if args[0] == BTC:
            await world.time.sleep(10)
            raise VenueUnavailable("no answer", kind="timeout")
        return await fetch(*args)  # type: ignore[arg-type]  # passed on as they came

    world.venue.fetch = hanging  # type: ignore[method-assign,assignment]
    await world.run()

    assert world.stored(Series(ETH, MINUTE)) == whole(-14, 3)
    for index in range(4):
        delay = world.written_at["BINANCE:ETHUSDT", "1m", minute(index)] - minute(index + 1)
        assert delay < timedelta(seconds=0.51)


async def test_a_long_history_of_one_series_does_not_delay_the_others() -> None:
    world = World(series=(Series(BTC, MINUTE), Series(ETH, MINUTE)), history_days=1.0)
    fetch = world.venue.fetch

    async def slow(*args: object) -> object:
        if args[0] == BTC:
            await world.time.sleep(9)
        return await fetch(*args)  # type: ignore[arg-type]  # passed on as they came

    world.venue.fetch = slow  # type: ignore[method-assign,assignment]
    await world.run()

    assert world.written_at["BINANCE:ETHUSDT", "1m", minute(0)] < minute(1) + timedelta(seconds=0.51)
    assert len(world.stored(Series(BTC, MINUTE))) > 500


async def test_hundreds_of_series_keep_few_requests_under_way() -> None:
    coins = [Instrument.from_pair("BINANCE", f"COIN{number}/USDT") for number in range(300)]
    world = World(series=tuple(Series(coin, MINUTE) for coin in coins), until=minute(3))
    fetch = world.venue.fetch
    under_way: list[int] = [0, 0]

    async def counted(*args: object) -> object:
        under_way[0] += 1
        under_way[1] = max(under_way)
        await world.time.sleep(0.2)
        rows = await fetch(*args)  # type: ignore[arg-type]  # passed on as they came
        under_way[0] -= 1
        return rows

    world.venue.fetch = counted  # type: ignore[method-assign,assignment]
    await world.run()

    assert under_way[1] == 8
    assert all(world.stored(series)[-1] >= minute(1) for series in world.series)


async def test_the_pause_that_the_venue_asks_for_is_kept() -> None:
    world = World(until=minute(4))
    world.venue.failures = [
        VenueUnavailable("too many requests", kind="rate_limited"),  # to the question for the time
        VenueUnavailable("banned", kind="rate_limited", retry_after_seconds=90.0),
        VenueUnavailable("down", kind="timeout"),  # to a later question for the time
    ]

    await world.run()

    assert min(world.written_at.values()) == world.start + timedelta(seconds=90)


@dataclass
class SecondSource:
    """Hears when the venue has failed."""

    exists: bool
    asked_at: list[datetime] = field(default_factory=list)
    now: Callable[[], datetime] = lambda: NOON

    async def stored(self, series: Series, start: datetime, end: datetime) -> None:
        pass

    async def failed(self, series: Series, error: VenueError) -> bool:
        self.asked_at.append(self.now())
        return False

    def may_stand_in(self, series: Series) -> bool:
        return self.exists


@pytest.mark.parametrize(("exists", "within"), [(True, 31), (False, 3600)])
async def test_a_second_source_does_not_wait_for_a_ban_of_the_first_to_end(exists: bool, within: int) -> None:
    second = SecondSource(exists)
    world = World(until=minute(70), beside=second, max_failures=1000)
    second.now = world.clock.now

    def ban() -> None:
        left = (minute(65) - world.clock.now()).total_seconds()
        held = VenueUnavailable("banned", kind="banned", retry_after_seconds=left)
        world.venue.failures = [held] * 99 if left > 0 else []

    ban()
    await world.run(ban)

    pauses = [later - former for former, later in pairwise(second.asked_at)]
    assert max(pauses, default=timedelta(hours=1)) <= timedelta(seconds=within)
    assert (len(second.asked_at) > 50) is exists


async def test_a_machine_whose_clock_runs_ahead_does_not_take_the_forming_candle_for_closed() -> None:
    world = World()
    world.venue.ahead = timedelta(seconds=-5)

    await world.run()

    assert world.stored()[-1] == minute(3)
    for (_, _, opened), written in world.written_at.items():
        assert written >= opened + timedelta(minutes=1, seconds=5)


async def test_a_bar_that_closes_while_its_answer_is_under_way_is_not_taken_for_closed() -> None:
    world = World(history_days=0.001, until=minute(1) + timedelta(seconds=0.75))
    fetch = world.venue.fetch
    world.clock.set(minute(1) - timedelta(seconds=0.1))

    async def slow(*args: object) -> object:
        rows = await fetch(*args)  # type: ignore[arg-type]  # as it was when it was asked
        await world.time.sleep(0.8)
        return rows

    world.venue.fetch = slow  # type: ignore[method-assign,assignment]
    await world.run()

    assert world.stored()[-1] == minute(-1)


async def test_signs_of_life_come_while_it_waits() -> None:
    world = World(history_days=0.001)

    await world.run()

    gaps = [right[0] - left[0] for left, right in pairwise(world.beats)]
    assert max(gaps) <= timedelta(seconds=10)
    detail = world.poller.state.detail()
    assert detail["series"] == 1
    assert detail["failures"] == 0
    assert isinstance(detail["inserted"], int)


async def test_signs_of_life_come_while_a_long_history_is_fetched() -> None:
    world = World(history_days=1, until=NOON + timedelta(minutes=2))
    fetch = world.venue.fetch

    async def slow(*args: object) -> object:
        await world.time.sleep(3)
        return await fetch(*args)  # type: ignore[arg-type]  # passed on as they came

    world.venue.fetch = slow  # type: ignore[method-assign,assignment]
    await world.run()

    caught_up_at = world.start + timedelta(seconds=3 * 1440 / 100)
    assert len([when for when, _ in world.beats if when <= caught_up_at]) >= 3
    assert world.stored()[0] == minute(-1440)


@pytest.mark.parametrize("jump", [timedelta(minutes=10), timedelta(minutes=-5), timedelta(hours=3)])
async def test_after_a_clock_jump_the_series_is_whole(jump: timedelta) -> None:
    world = World(until=minute(30) + max(jump, timedelta(0)))
    jumped: list[bool] = []

    def jumpy() -> None:
        if not jumped and world.clock.now() > minute(3):
            jumped.append(True)
            world.clock.advance(jump)

    await world.run(jumpy)

    stored = world.stored()
    assert stored == list(MINUTE.range(stored[0], stored[-1] + MINUTE.delta))
    assert stored[-1] >= world.until - timedelta(minutes=2)


async def test_our_clock_leaping_ahead_makes_no_forming_bar_a_closed_one() -> None:
    world = World(start=minute(0) + timedelta(seconds=20), until=minute(40))
    machine = FrozenClock(world.start)  # the machine's own clock, which someone moves
    steady = SteadyClock(machine, lambda: world.time.elapsed)
    world.poller._clock._clock = steady

    def leap() -> None:
        machine.set(world.clock.now() + timedelta(minutes=10) * (world.clock.now() > minute(2)))

    await world.run(leap)

    assert world.stored() == whole(-14, 38)
    for (_, _, opened), written in world.written_at.items():
        assert written >= opened + MINUTE.delta
    assert world.figure("quantbus_candles_written_total", outcome="updated") == 0


async def test_a_clock_that_is_set_back_does_not_stop_the_polling() -> None:
    world = World(start=minute(60) + timedelta(seconds=20), until=minute(90), most_seconds=700)
    jumped: list[bool] = []

    def set_back() -> None:
        if not jumped and world.clock.now() > minute(63):
            jumped.append(True)
            world.clock.advance(timedelta(hours=-1))

    requests: list[datetime] = []
    fetch = world.venue.fetch

    async def noted(*given: object) -> object:
        requests.append(world.clock.now())
        return await fetch(*given)  # type: ignore[arg-type]

    world.venue.fetch = noted  # type: ignore[method-assign,assignment]
    await world.run(set_back)

    assert len([moment for moment in requests if moment < minute(10)]) >= 4


class Openings:
    """A stream that says what it is told to."""

    def __init__(self) -> None:
        self.tell: Callable[[Series, datetime], None] = lambda _series, _open: None

    async def run(self, on_open: Callable[[Series, datetime], None]) -> None:
        self.tell = on_open
        await asyncio.Event().wait()


async def test_a_bar_that_the_stream_shows_closed_is_asked_for_at_once() -> None:
    stream = Openings()
    world = World(stream=stream)
    told: list[datetime] = []

    def open_early() -> None:
        opened = MINUTE.floor(world.clock.now() + timedelta(seconds=0.4))
        if opened > world.clock.now():
            return
        if opened not in told and opened > minute(0):
            told.append(opened)
            stream.tell(world.series[0], opened)

    async def tick() -> None:
        while True:
            await world.time.sleep(0.1)

    ticking = asyncio.ensure_future(tick())
    await world.run(open_early)
    ticking.cancel()

    delay = world.written_at["BINANCE:BTCUSDT", "1m", minute(2)] - minute(3)
    assert delay < timedelta(seconds=0.2)
    assert world.figure("quantbus_stream_hints_total", outcome="used") >= 4
    asked = [since for _, _, since, limit in world.venue.requests if limit == 3]
    assert len(asked) == len(set(asked))  # the bell finds nothing left to do


async def test_a_stream_that_fails_in_an_unforeseen_way_is_begun_again_and_costs_no_bar() -> None:
    begun: list[datetime] = []

    class Broken:
        async def run(self, on_open: Callable[[Series, datetime], None]) -> None:
            begun.append(world.clock.now())
            raise ZeroDivisionError

    world = World(stream=Broken())

    await world.run()

    assert len(begun) > 3
    assert world.stored() == whole(-14, 3)
    assert world.figure("quantbus_stream_errors_total", kind="ZeroDivisionError") == len(begun)


async def test_a_stream_from_the_future_is_not_believed() -> None:
    stream = Openings()
    world = World(stream=stream)

    def lie() -> None:
        stream.tell(world.series[0], minute(30))
        stream.tell(world.series[0], minute(2) + timedelta(seconds=7))

    await world.run(lie)

    assert world.stored() == whole(-14, 3)
    assert world.figure("quantbus_stream_hints_total", outcome="used") == 0
    assert world.figure("quantbus_stream_hints_total", outcome="implausible") > 0


async def test_it_stops_though_a_library_makes_another_error_of_the_cancellation() -> None:
    world = World()

    async def swallowing(*_: object) -> object:
        try:
            return await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise VenueUnavailable("connection closed", kind="network") from None

    world.venue.fetch = swallowing  # type: ignore[method-assign,assignment]
    running = asyncio.ensure_future(world.poller.run())
    for _ in range(50):
        await asyncio.sleep(0)
    running.cancel()

    await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), timeout=20)
    assert running.cancelled()


async def test_the_metrics_name_the_newest_bar() -> None:
    world = World()

    await world.run()

    newest = world.figure("quantbus_candle_last_timestamp_seconds", symbol="BINANCE:BTCUSDT", timeframe="1m")
    assert newest == minute(3).timestamp()
    assert world.figure("quantbus_candles_written_total", outcome="inserted") == len(world.stored())
    assert world.figure("quantbus_candle_ingest_delay_seconds_count") == 4
