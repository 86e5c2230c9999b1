"""A source that asks again: bounded tries with growing pauses, each failure counted."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import VenueError, VenueUnavailable
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.venue.backoff import delays
from quantbus_services.ingestion.venue.gate import Held
from quantbus_services.ingestion.venue.normalise import Row
from quantbus_services.ingestion.venue.source import CandleSource

__all__ = ["PatientSource"]

Result = TypeVar("Result")
_LONGEST_PAUSE_SECONDS = 900.0  # in all; a first ban lasts two minutes, one of hours is for a person to judge


class PatientSource:
    """A `CandleSource` that tries again what may succeed the next time."""

    def __init__(
        self,
        source: CandleSource,
        *,
        attempts: int,
        random: Callable[[], float],
        on_error: Callable[[VenueError], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Wrap ``source``; ``on_error`` hears of every failure, also of those that a later try mends."""
        self._source = source
        self._attempts = attempts
        self._random = random
        self._on_error = on_error
        self._sleep = sleep
        self.venue = source.venue

    @property
    def source(self) -> str:
        """What is written into each bar as its source; a venue says what it is with its market list."""
        return self._source.source

    @property
    def clock_doubts(self) -> int:
        """How many answers so far spoke against what we take for the venue's time."""
        return self._source.clock_doubts

    async def instruments(self) -> InstrumentCatalogue:
        """Return every market the venue lists."""
        return await self.again(self._source.instruments)

    def page_bars(self, instrument: Instrument, most: int) -> int:
        """Return how many bars to ask for in one request."""
        return self._source.page_bars(instrument, most)

    async def fetch(
        self, instrument: Instrument, timeframe: Timeframe, since: datetime, limit: int
    ) -> list[Row]:
        """Return rows as the wrapped source does, or its last error."""
        return await self.again(lambda: self._source.fetch(instrument, timeframe, since, limit))

    async def clock_offset(self, clock: Clock) -> timedelta:
        """Return how far the venue's clock is ahead of ``clock``."""
        return await self.again(lambda: self._source.clock_offset(clock))

    async def close(self) -> None:
        """Close the wrapped source."""
        await self._source.close()

    async def again(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Return what ``call`` returns, or its last error; for questions that are not about candles."""
        pauses = delays(self._attempts, first=0.5, ceiling=20.0, random=self._random)
        waited = 0.0
        while True:
            try:
                return await call()
            except Held as held:
                # Nothing was asked, so no try is used up; the answer behind it has been counted already.
                pause = held.retry_after_seconds or 0.0
                if self._attempts == 1 or waited + pause > _LONGEST_PAUSE_SECONDS:
                    raise
            except VenueError as error:
                self._on_error(error)
                own = next(pauses, None)
                pause = max(own or 0.0, error.retry_after_seconds or 0.0)
                is_final = own is None or waited + pause > _LONGEST_PAUSE_SECONDS
                if is_final or not isinstance(error, VenueUnavailable):
                    raise
            waited += pause
            await self._sleep(pause)
