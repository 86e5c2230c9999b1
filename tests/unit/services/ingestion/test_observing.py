"""History and live observing against a venue that does as it is told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from quantbus_contracts.errors import BusUnavailable, ConfigError, VenueRefused, VenueUnavailable
from quantbus_contracts.runtime.settings import KNOWN_NAMES
from quantbus_contracts.schema import CandleReport, FundingRate, MarkPrice, Observation
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import FrozenClock
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.observations import HistoryFiller, ObservationSource, Parsed
from quantbus_services.ingestion.observations.main import KINDS
from quantbus_services.ingestion.observations.metrics import ObservationMetrics
from quantbus_services.ingestion.observations.observer import GaveUp, Observer, Round
from quantbus_services.ingestion.observations.settings import ObservationSettings

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BTC = Instrument.from_pair("BINANCE", "BTC/USDT:USDT")
HOUR = Timeframe.parse("1h")
Answer = Callable[..., Any]


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class Store:
    """Observations in memory."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, datetime], Observation] = {}
        self.is_down = False
        self.writes = 0

    async def write(self, observations: Sequence[Observation]) -> CandleReport:
        if self.is_down:
            raise BusUnavailable("down")
        self.writes += 1
        new = {(item.kind, *item.key): item for item in observations}
        inserted = len(new.keys() - self.rows.keys())
        self.rows |= new
        return CandleReport(inserted=inserted, unchanged=len(new) - inserted)

    async def range(self, model: type[Observation], symbol: str, start: datetime, end: datetime) -> list[Any]:
        return [
            row
            for (kind, name, at), row in sorted(self.rows.items(), key=lambda item: item[0])
            if kind == model.kind and name == symbol and start <= at < end
        ]


class Door:
    """A venue made of functions, by ccxt's method."""

    venue, source = "BINANCE", "binance"

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []

    def offers(self, method: str) -> bool:
        return method.lower() in {name.replace("_", "") for name in self.answers}

    async def ask(self, doing: str, method: str, *args: object) -> Any:
        self.asked.append((method, *args))
        return self.answers[method](*args)

    def markets(self) -> dict[str, dict[str, Any]]:
        return {}


async def once(call: Callable[[], Awaitable[Any]]) -> Any:
    return await call()


def source(door: Door) -> ObservationSource:
    return ObservationSource(door, once, FrozenClock(NOW))


def settled(since: int, until: int, every_hours: int) -> list[dict[str, Any]]:
    step = every_hours * 3_600_000
    first = -(-since // step) * step
    return [
        {"timestamp": at + 7, "fundingRate": at / 1e15}
        for at in range(first, until + 1, step)
        if since <= at + 7
    ]


def funding_door(every_hours: int, most: int, *, newest_first: bool) -> Door:
    """A venue that gives at most ``most`` settlements of a range: its oldest, or its newest."""

    def answer(_pair: str, since: int, limit: int, params: dict[str, int]) -> list[dict[str, Any]]:
        rows = settled(since, params["until"], every_hours)
        count = min(limit, most)
        return rows[-count:] if newest_first else rows[:count]

    return Door(fetch_funding_rate_history=answer)


class TestHistory:
    @settings(max_examples=25, deadline=None)
    @given(
        every_hours=st.sampled_from([1, 4, 8]),
        days=st.integers(1, 200),
        offset_minutes=st.integers(0, 600),
        newest_first=st.booleans(),
    )
    def test_no_settlement_hides_behind_a_limit(
        self, every_hours: int, days: int, offset_minutes: int, newest_first: bool
    ) -> None:
        end = NOW - timedelta(minutes=offset_minutes)
        start = end - timedelta(days=days)
        store = Store()
        filler = HistoryFiller(
            source(funding_door(every_hours, 100, newest_first=newest_first)),
            store,  # type: ignore[arg-type]  # as much of it as is used
            page=100,
        )
        filled = asyncio.run(filler.funding(BTC, start, end))
        step = timedelta(hours=every_hours)
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        first = epoch + -(-(start - epoch) // step) * step
        expected = []
        while first < end:
            expected.append(first)
            first += step
        assert [key[2] for key in sorted(store.rows)] == expected
        assert filled.report.inserted == len(expected)

    @pytest.mark.parametrize("newest_first", [False, True])
    async def test_after_a_long_absence_no_settlement_is_left_behind(self, newest_first: bool) -> None:
        filler = HistoryFiller(
            source(funding_door(1, 100, newest_first=newest_first)),
            Store(),  # type: ignore[arg-type]  # as much of it as is used
            page=100,
        )
        found = await filler.settlements(BTC, NOW - timedelta(days=9), NOW + timedelta(minutes=1))
        assert [item.at for item in sorted(found.observations, key=lambda item: item.at)] == [
            NOW - timedelta(hours=hour) for hour in range(9 * 24, -1, -1)
        ]

    async def test_filling_again_changes_nothing(self) -> None:
        store = Store()
        filler = HistoryFiller(source(funding_door(8, 1000, newest_first=False)), store)  # type: ignore[arg-type]
        await filler.funding(BTC, NOW - timedelta(days=9), NOW)
        before = dict(store.rows)
        again = await filler.funding(BTC, NOW - timedelta(days=9), NOW)
        assert (again.report.inserted, store.rows) == (0, before)

    async def test_a_window_that_is_whole_is_not_asked_for_again(self) -> None:
        def candles(_pair: str, _tf: str, since: int, limit: int) -> list[list[Any]]:
            return [[since + n * 3_600_000, 1.0, 1.0, 1.0, 100.0 + n, None] for n in range(limit)]

        door = Door(fetch_mark_ohlcv=candles)
        store = Store()
        filler = HistoryFiller(source(door), store, page=10)  # type: ignore[arg-type]
        start = NOW - timedelta(hours=25, minutes=30)
        filled = await filler.mark(BTC, HOUR, start, NOW)
        assert (filled.report.inserted, len(door.asked)) == (25, 3)
        marks = await store.range(MarkPrice, BTC.symbol, start, NOW)
        assert [item.at for item in marks] == list(HOUR.range(start, NOW))
        again = await filler.mark(BTC, HOUR, start, NOW)
        assert (again.report.unchanged, len(door.asked)) == (25, 3)

    def test_what_a_venue_does_not_give_is_refused_ahead(self) -> None:
        with pytest.raises(ConfigError, match="a history of mark, which it does not"):
            source(Door(fetch_mark_prices=dict)).require(["mark"], history=True)

    async def test_what_is_not_offered_is_not_asked(self) -> None:
        with pytest.raises(VenueRefused, match="does not offer"):
            await source(Door()).open_interest(BTC)


class TestMarks:
    async def test_all_marks_come_by_one_request_where_that_carries_them(self) -> None:
        row = {"symbol": BTC.pair, "timestamp": ms(NOW), "markPrice": 1.0, "indexPrice": 1.0}
        door = Door(fetch_funding_rates=lambda _pairs: {BTC.pair: row, "X/Y:Y": {"symbol": "X/Y:Y"}})
        parsed = await source(door).marks([BTC])
        assert (len(parsed.observations), len(door.asked)) == (1, 1)

    async def test_a_venue_whose_funding_tells_no_mark_is_asked_for_marks(self) -> None:
        door = Door(
            fetch_funding_rates=lambda _pairs: {BTC.pair: {"symbol": BTC.pair, "markPrice": None}},
            fetch_mark_prices=lambda _pairs: {
                BTC.pair: {"symbol": BTC.pair, "timestamp": ms(NOW), "markPrice": 2.0}
            },
        )
        (found,) = (await source(door).marks([BTC])).observations
        assert isinstance(found, MarkPrice)
        assert (found.mark, found.funding_rate) == (2.0, None)

    @pytest.mark.parametrize("stamp", [10**18, -5, True, None])
    async def test_a_book_without_a_time_is_stamped_by_when_it_was_there(self, stamp: object) -> None:
        book = {"bids": [[1.0, 1.0]], "asks": [[2.0, 1.0]], "timestamp": stamp}
        parsed = await source(Door(fetch_order_book=lambda *_: book)).depth(BTC)
        assert [item.at for item in parsed.observations] == [NOW]

    async def test_half_an_order_book_is_no_answer(self) -> None:
        with pytest.raises(VenueUnavailable, match="no order book"):
            await source(Door(fetch_order_book=lambda *_: {"bids": [[1.0, 1.0]]})).depth(BTC)

    async def test_a_mark_candle_that_closes_while_its_answer_is_under_way_is_not_believed(self) -> None:
        clock = FrozenClock(NOW - timedelta(seconds=1))

        def slowly(*_: object) -> list[list[float]]:
            clock.advance(timedelta(seconds=2))
            return [[ms(NOW - timedelta(hours=hours)), 1.0, 1.0, 1.0, 1.0, 1.0] for hours in (2, 1)]

        asking = ObservationSource(Door(fetch_mark_ohlcv=slowly), once, clock)
        parsed = await asking.mark_history(BTC, HOUR, NOW - timedelta(hours=2), 10)
        assert [item.at for item in parsed.observations] == [NOW - timedelta(hours=1)]

    async def test_no_order_book_is_no_answer(self) -> None:
        with pytest.raises(VenueUnavailable, match="no order book"):
            await source(Door(fetch_order_book=lambda _pair, _limit: "<html>")).depth(BTC)


def test_every_setting_is_known_by_name_and_every_kind_has_its_pace() -> None:
    own = ObservationSettings()
    names = {f"QUANTBUS_OBSERVATION_{name}".upper() for name in ObservationSettings.model_fields}
    assert names == {name for name in KNOWN_NAMES if name.startswith("QUANTBUS_OBSERVATION_")}
    assert all(own.every(kind) >= timedelta(seconds=1) for kind in KINDS)


class Stop(Exception):
    """Ends a loop that has no end."""


class TestObserver:
    def build(
        self,
        store: Store,
        *questions: Callable[[], Awaitable[Parsed]],
        sleeps: int = 3,
        max_failures: int = 5,
    ) -> tuple[Observer, FrozenClock, list[float]]:
        clock, slept = FrozenClock(NOW + timedelta(seconds=10)), []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            clock.advance(timedelta(seconds=seconds))
            if len(slept) >= sleeps:
                raise Stop

        observer = Observer(
            Round("funding", timedelta(seconds=15), [(str(n), ask) for n, ask in enumerate(questions)]),
            store,  # type: ignore[arg-type]
            clock=clock,
            gate=asyncio.Semaphore(2),
            metrics=ObservationMetrics(CollectorRegistry()),
            max_failures=max_failures,
            random=lambda: 1.0,
            sleep=sleep,
        )
        return observer, clock, slept

    async def good(self) -> Parsed:
        return Parsed((FundingRate(symbol=BTC.symbol, at=NOW, source="test", rate=0.1),))

    async def bad(self) -> Parsed:
        raise VenueUnavailable("away", kind="timeout")

    async def test_rounds_stand_on_the_clock_and_the_sleep_is_sliced(self) -> None:
        observer, clock, slept = self.build(Store(), self.good, sleeps=4)
        with pytest.raises(Stop):
            await observer.run()
        assert slept == [5.0, 5.0, 5.0, 5.0]  # five to :15, then fifteen to :30
        assert clock.now() == NOW + timedelta(seconds=30)

    async def test_one_symbol_that_fails_does_not_keep_the_others(self) -> None:
        store = Store()
        observer, _, _ = self.build(store, self.bad, self.good)
        assert (await observer.round()).inserted == 1
        assert observer.failures == 0

    async def test_a_round_in_which_all_fail_is_tried_again_and_given_up_at_last(self) -> None:
        observer, _, slept = self.build(Store(), self.bad, sleeps=99, max_failures=4)
        with pytest.raises(GaveUp, match="4 rounds in a row failed, the last: away"):
            await observer.run()
        assert slept == [1.0, 2.0, 4.0]

    async def test_what_the_bus_could_not_take_is_written_the_next_time(self) -> None:
        store = Store()
        store.is_down = True
        answers = [
            Parsed((FundingRate(symbol=BTC.symbol, at=NOW + n * HOUR.delta, source="test", rate=0.1),))
            for n in range(2)
        ]

        async def ask() -> Parsed:
            return answers.pop(0)

        observer, _, _ = self.build(store, ask)
        with pytest.raises(BusUnavailable):
            await observer.round()
        store.is_down = False
        assert (await observer.round()).inserted == 2

    async def test_refused_rows_are_counted(self) -> None:
        door = Door(fetch_funding_rate_history=lambda *_: [{"timestamp": ms(NOW)}])

        async def ask() -> Parsed:
            return await source(door).funding(BTC, NOW - HOUR.delta, NOW, 10)

        observer, _, _ = self.build(Store(), ask)
        assert (await observer.round()).rejected == 1

    async def test_a_programming_error_is_not_swallowed(self) -> None:
        async def broken() -> Parsed:
            raise ZeroDivisionError

        observer, _, _ = self.build(Store(), broken, self.good)
        with pytest.raises(ZeroDivisionError):
            await observer.run()
