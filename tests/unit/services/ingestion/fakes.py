"""A venue in memory, and the in-memory store as the asynchronous twin that services use."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import VenueError
from quantbus_contracts.schema import Candle, CandleReport
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_contracts.testing import FakeCandleStore, FrozenClock
from quantbus_contracts.timeframe import Timeframe

BTC = Instrument.from_pair("BINANCE", "BTC/USDT")
ETH = Instrument.from_pair("BINANCE", "ETH/USDT")
MINUTE = Timeframe.parse("1m")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def row_of(open_time: datetime, price: float = 100.0) -> list[object]:
    return [int(open_time.timestamp() * 1000), price, price + 2, price - 1, price + 1, 5.0]


@dataclass
class FakeVenue:
    """Serves every bar up to its clock, the forming one last, like a real venue."""

    clock: FrozenClock
    venue: str = "BINANCE"
    source: str = "binance"
    cap: int = 1000
    absent: set[datetime] = field(default_factory=set)
    prices: dict[datetime, float] = field(default_factory=dict)
    failures: list[VenueError] = field(default_factory=list)
    """Raised one by one, before anything is answered."""
    begins: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    lag: timedelta = timedelta(0)
    """How long after its close a bar is still not served."""
    ahead: timedelta = timedelta(0)
    requests: list[tuple[str, str, datetime, int]] = field(default_factory=list)
    closed: bool = False
    clock_doubts: int = 0

    async def instruments(self) -> InstrumentCatalogue:
        self._fail()
        return InstrumentCatalogue([BTC, ETH])

    def page_bars(self, instrument: Instrument, most: int) -> int:
        return min(most, self.cap)

    async def fetch(
        self, instrument: Instrument, timeframe: Timeframe, since: datetime, limit: int
    ) -> list[Sequence[object]]:
        self.requests.append((instrument.pair, timeframe.name, since, limit))
        self._fail()
        end = self.clock.now() - self.lag
        moments = (
            moment for moment in timeframe.range(max(since, self.begins), end) if moment not in self.absent
        )
        rows: list[Sequence[object]] = []
        for moment in moments:
            if len(rows) == min(limit, self.cap):
                break
            rows.append(row_of(moment, self.prices.get(moment, 100.0)))
        return rows

    async def clock_offset(self, clock: Clock) -> timedelta:
        self._fail()
        return self.ahead

    async def close(self) -> None:
        self.closed = True

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


@dataclass
class AsyncBars:
    """`FakeCandleStore` behind the asynchronous ports."""

    store: FakeCandleStore = field(default_factory=FakeCandleStore)

    async def write(self, candles: Sequence[Candle]) -> CandleReport:
        return self.store.write(candles)

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, *, limit: int | None = None
    ) -> list[Candle]:
        return self.store.candles(symbol, timeframe, start, end, limit=limit)

    async def open_times(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[datetime]:
        return self.store.open_times(symbol, timeframe, start, end)

    async def last_open_time(self, symbol: str, timeframe: Timeframe) -> datetime | None:
        return self.store.last_open_time(symbol, timeframe)
