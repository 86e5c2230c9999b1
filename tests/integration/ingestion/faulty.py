"""A paper exchange with faults in a thread of its own, on a clock that stands, and ingestion beside it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from quantbus_contracts.errors import VenueError
from quantbus_contracts.mongo.candle_reader import AsyncCandleReader
from quantbus_contracts.mongo.candle_writer import AsyncCandleWriter
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.schema import Candle
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import FrozenClock
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.backfill import Backfiller, Filled
from quantbus_services.ingestion.live.following import Desk, Follower
from quantbus_services.ingestion.metrics import IngestionMetrics
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.venue.ccxt_source import CcxtSource, open_source
from quantbus_services.ingestion.venue.clock import VenueClock
from quantbus_services.ingestion.venue.gate import Gate
from quantbus_services.ingestion.venue.patience import PatientSource
from quantbus_services.paper_exchange import PaperExchange
from quantbus_services.paper_exchange.venue import Venue

MINUTE = Timeframe.parse("1m")
PAIRS = ("BTC/USDT", "ETH/USDT")
HISTORY = timedelta(minutes=30)
_PAGE_BARS = 10
_TIMEOUT_SECONDS = 20.0  # a busy machine shall not look like a fault


@dataclass
class FaultyExchange:
    """A running exchange; its time passes only where a test lets it."""

    url: str
    clock: FrozenClock
    venue: Venue
    control: httpx.Client

    def switch(self, name: str, **settings: object) -> None:
        self.control.put(f"/paper/faults/{name}", json=settings).raise_for_status()

    def clear(self) -> None:
        self.control.delete("/paper/faults").raise_for_status()

    def told(self) -> Any:
        return self.control.get("/paper/faults").raise_for_status().json()

    def truth(self, pair: str, start: datetime, end: datetime) -> list[tuple[object, ...]]:
        """What the exchange's bars really are, as it prints them."""
        bars = self.venue.spot.bars(
            pair.replace("/", ""), MINUTE, _ms(start), _ms(end), _ms(end) + MINUTE.seconds * 1000
        )
        columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        rows = zip(bars.open_time.tolist(), *(column.tolist() for column in columns), strict=True)
        return [(row[0], *(float(f"{value:.8f}") for value in row[1:])) for row in rows]


@contextmanager
def faulty_exchange(start: datetime, pairs: Sequence[str] = PAIRS) -> Iterator[FaultyExchange]:
    clock = FrozenClock(start)
    with (
        PaperExchange(clock=clock, symbols=",".join(pairs), seed=7, history="2d") as paper,
        httpx.Client(base_url=paper.url, trust_env=False) as control,
    ):
        yield FaultyExchange(paper.url, clock, paper.venue, control)


@dataclass
class Ingestion:
    """Ingestion of two series from a faulty exchange, put together as its processes are, on the same clock."""

    exchange: FaultyExchange
    source: CcxtSource
    reader: AsyncCandleReader
    writer: AsyncCandleWriter
    start: datetime
    errors: list[VenueError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.series = [Series(Instrument.from_pair("BINANCE", pair), MINUTE) for pair in PAIRS]
        self.hasty, self.patient = self._patient(1), self._patient(5)
        self.clock = VenueClock(self.hasty, self.exchange.clock, check_seconds=300)
        self.desks = [Desk(item) for item in self.series]
        self.settings = IngestionSettings(history_days=HISTORY / timedelta(days=1))
        self._follower = Follower(
            self._backfiller(self.hasty),
            self.reader,
            clock=self.clock,
            settings=self.settings,
            metrics=IngestionMetrics(CollectorRegistry()),
            random=lambda: 0.5,
            sleep=self.sleep,
            on_report=lambda _report: None,
        )

    def give_up_after(self, seconds: float = _TIMEOUT_SECONDS) -> None:
        """Wait for no answer longer than that."""
        self.source._exchange.timeout = seconds * 1000

    async def sleep(self, seconds: float) -> None:
        # Who sleeps at the same time wakes at the same time; what is on its way arrives long before a minute is over.
        until = self.exchange.clock.now() + timedelta(seconds=seconds)
        await asyncio.sleep(0.1 if seconds >= 60 else 0)
        self.exchange.clock.advance(max(timedelta(0), until - self.exchange.clock.now()))
        await asyncio.sleep(0)

    def _patient(self, attempts: int) -> PatientSource:
        return PatientSource(
            self.source,
            attempts=attempts,
            random=lambda: 0.5,
            on_error=self.errors.append,
            sleep=self.sleep,
        )

    def _backfiller(self, source: PatientSource) -> Backfiller:
        return Backfiller(
            source, self.reader, self.writer, page_bars=_PAGE_BARS, venue_now=self.clock.now, in_flight=4
        )

    async def backfill(self) -> list[VenueError]:
        """Fill every series from the start to the bar that closed last; return what any failed for."""
        await self.clock.refresh()
        return _failures(
            await asyncio.gather(*(self.fill(item) for item in self.series), return_exceptions=True)
        )

    async def fill(self, series: Series) -> Filled:
        """Fill one series from the start to the bar that closed last."""
        end = MINUTE.last_closed(self.clock.now()) + MINUTE.delta
        return await self._backfiller(self.patient).fill(series, self.start, end)

    async def live(self, bars: int) -> list[VenueError]:
        """Let bars close, one after the other, and follow each series as the live loop does."""
        failures: list[VenueError] = []
        for _ in range(bars):
            self.exchange.clock.set(MINUTE.last_closed(self.exchange.clock.now()) + 2 * MINUTE.delta)
            await self.sleep(self.settings.grace_seconds)
            await self.clock.refresh()
            failures += _failures(
                await asyncio.gather(
                    *(self._follower.bring_up(desk) for desk in self.desks), return_exceptions=True
                )
            )
        return failures

    async def stored(self, series: Series) -> list[Candle]:
        end = self.exchange.clock.now() + timedelta(days=1)
        return await self.reader.candles(series.instrument.symbol, MINUTE, self.start, end)

    async def assert_nothing_untrue(self) -> None:
        """Whatever is stored is a bar that is closed at the exchange, exactly as it happened."""
        now = max(self.exchange.clock.now(), self.exchange.venue.clock.now())
        end = MINUTE.last_closed(now) + MINUTE.delta
        for item in self.series:
            true = {row[0]: row for row in self.exchange.truth(item.instrument.pair, self.start, end)}
            found = [row_of(candle) for candle in await self.stored(item)]
            assert [row for row in found if row != true.get(row[0])] == []

    async def assert_whole(self) -> None:
        """Every closed bar is stored, exactly as it happened, and nothing else."""
        end = MINUTE.last_closed(self.exchange.clock.now()) + MINUTE.delta
        for item in self.series:
            found = [row_of(candle) for candle in await self.stored(item)]
            assert found == self.exchange.truth(item.instrument.pair, self.start, end)
            assert len(found) == MINUTE.count(self.start, end)

    @property
    def kinds(self) -> set[str]:
        return {error.kind for error in self.errors}


async def open_ingestion(exchange: FaultyExchange, connection: AsyncConnection) -> Ingestion:
    """Begin where no test before has been: a day later, two hours of history to fill."""
    exchange.clear()
    exchange.clock.advance(timedelta(days=1))
    clock = exchange.clock
    source = open_source(
        "binance",
        url=exchange.url,
        timeout_seconds=_TIMEOUT_SECONDS,
        with_derivatives=False,
        gate=Gate(now=lambda: clock.now().timestamp()),
    )
    source._exchange.enableRateLimit = False
    await source.instruments()
    return Ingestion(
        exchange,
        source,
        AsyncCandleReader(connection),
        AsyncCandleWriter(connection),
        MINUTE.last_closed(clock.now()) + MINUTE.delta - HISTORY,
    )


def _failures(ends: Sequence[object]) -> list[VenueError]:
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, VenueError):
            raise end
    return [end for end in ends if isinstance(end, VenueError)]


def row_of(candle: Candle) -> tuple[object, ...]:
    values = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    return (_ms(candle.open_time), *values)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
