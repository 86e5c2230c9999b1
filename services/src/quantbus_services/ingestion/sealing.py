"""Seals the days that are over: after a backfill, and once a day beside the live loop.

Blocks only make reading faster, so nothing here may fail what goes on around it: an error is logged, and what was
not sealed is sealed the next time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.mongo.block_sealer import SealReport
from quantbus_contracts.mongo.block_spans import SETTLING
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.outcome import outcome
from quantbus_services.ingestion.series import Series

__all__ = ["DailySealing", "seal"]

_log = structlog.get_logger(__name__)
_AFTER_START = timedelta(minutes=10)  # the past is being filled then; who seals and who writes would meet
_AFTER_SETTLING = timedelta(minutes=5)
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_SLEEP_SECONDS = 60.0  # after which the clock is looked at, should it have been moved


class Sealer(Protocol):
    """Makes blocks of stored bars; `AsyncBlockSealer` is one."""

    async def seal(self, symbol: str, timeframe: Timeframe) -> SealReport:
        """Seal every span of the series that is over and not sealed yet."""
        ...


async def seal(sealer: Sealer, series: Series) -> None:
    """Seal what can be sealed of a series; a bus that fails or refuses is logged."""
    try:
        report = await sealer.seal(series.instrument.symbol, series.timeframe)
    except (BusError, ConfigError) as error:
        _log.warning("not_sealed", series=str(series), error=str(error))
        return
    if report.contended:
        _log.warning("seal_contended", series=str(series), blocks=report.contended)
    if report.sealed:
        _log.info("sealed", series=str(series), blocks=report.sealed)


class DailySealing:
    """Seals followed series once a day, one after the other, as soon as the day before has settled."""

    def __init__(
        self,
        series: Sequence[Series],
        sealer: Sealer,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Look after ``series``."""
        self._series = tuple(series)
        self._sealer = sealer
        self._now = now
        self._sleep = sleep

    async def run(self) -> None:
        """Seal a while after the start, and then every day, until cancelled."""
        due = self._now() + _AFTER_START
        while True:
            await self._sleep_until(due)
            for series in self._series:
                ended = await outcome(seal(self._sealer, series))
                if isinstance(ended, Exception):  # blocks are no reason to stop ingesting
                    _log.error("not_sealed", series=str(series), error=str(ended), exc_info=ended)
            due = next_sealing(self._now())

    async def _sleep_until(self, due: datetime) -> None:
        while (left := (due - self._now()).total_seconds()) > 0:
            await self._sleep(min(left, _LONGEST_SLEEP_SECONDS))


def next_sealing(now: datetime) -> datetime:
    """Return when to seal after ``now``: once a day, when the day before has settled."""
    offset = SETTLING + _AFTER_SETTLING
    return _EPOCH + ((now - offset - _EPOCH) // _DAY + 1) * _DAY + offset
