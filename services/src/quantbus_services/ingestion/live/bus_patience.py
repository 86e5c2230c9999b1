"""Bars on a bus that may be away for a while, or come back at another address."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import structlog

from quantbus_contracts.errors import BusError
from quantbus_contracts.ports import AsyncCandleReader, AsyncCandleWriter
from quantbus_contracts.schema import Candle, CandleReport
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.venue.backoff import delays

__all__ = ["PatientBars"]

Result = TypeVar("Result")
_log = structlog.get_logger(__name__)


class PatientBars:
    """Reads and writes bars; tries again what the bus may do the next time.

    Nothing is queued meanwhile: whoever writes waits, and what was not written is asked for again later.
    """

    def __init__(
        self,
        reader: AsyncCandleReader,
        writer: AsyncCandleWriter,
        *,
        attempts: int,
        random: Callable[[], float],
        follow: Callable[[], Awaitable[bool]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Wrap the stores; ``follow`` goes to where the bus is now, and tells whether that is elsewhere."""
        self._reader = reader
        self._writer = writer
        self._attempts = attempts
        self._random = random
        self._follow = follow
        self._sleep = sleep

    async def write(self, candles: Sequence[Candle]) -> CandleReport:
        """Insert what is missing, correct what differs, leave the rest untouched."""
        return await self._again(lambda: self._writer.write(candles))

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, *, limit: int | None = None
    ) -> list[Candle]:
        """Return the bars that open in ``[start, end)``, oldest first; with ``limit`` the newest that many."""
        return await self._again(lambda: self._reader.candles(symbol, timeframe, start, end, limit=limit))

    async def open_times(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[datetime]:
        """Return the open times of stored bars in ``[start, end)``, oldest first."""
        return await self._again(lambda: self._reader.open_times(symbol, timeframe, start, end))

    async def last_open_time(self, symbol: str, timeframe: Timeframe) -> datetime | None:
        """Return the open time of the newest stored bar; None if there is none."""
        return await self._again(lambda: self._reader.last_open_time(symbol, timeframe))

    async def _again(self, call: Callable[[], Awaitable[Result]]) -> Result:
        pauses = delays(self._attempts, first=0.5, ceiling=10.0, random=self._random)
        while True:
            try:
                return await call()
            except BusError as error:
                if await self._follow():
                    _log.warning("bus_moved", error=str(error))
                    continue  # each move is another address, so this ends
                pause = next(pauses, None)
                if not error.retryable or pause is None:
                    raise
                _log.warning("bus_error", error=str(error), pause_seconds=round(pause, 2))
                await self._sleep(pause)
