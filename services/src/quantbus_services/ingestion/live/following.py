"""Bring one series up to the bar that closed last: fill what is missing, read the last bars again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import VenueError
from quantbus_contracts.ports import AsyncCandleReader
from quantbus_contracts.schema import CandleReport
from quantbus_services.ingestion.backfill import Backfiller, Copied
from quantbus_services.ingestion.metrics import IngestionMetrics
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.venue.backoff import delays
from quantbus_services.ingestion.windows import pieces

__all__ = ["Beside", "Desk", "Follower"]

_log = structlog.get_logger(__name__)
_CATCH_UP_BARS = 20_000  # between two signs of progress in the log
_HOLE_PATIENCE_BARS = 10  # then a bar that others surround is left to the ledger of gaps
_HOLE_BARS = 500  # how far back holes are asked for along with the last bars: half a page


class Beside(Protocol):
    """What goes on beside the following of a series."""

    async def stored(self, series: Series, start: datetime, end: datetime) -> None:
        """Hear that the venue answered and ``[start, end)`` was written as far as it had bars."""
        ...

    async def failed(self, series: Series, error: VenueError) -> bool:
        """Hear that the venue failed; tell whether the newest closed bar is stored all the same."""
        ...

    def may_stand_in(self, series: Series) -> bool:
        """Tell whether another source stands in for the series if this one fails for long enough."""
        ...


@dataclass(slots=True, eq=False)
class Desk:
    """Where one series stands."""

    series: Series
    newest: datetime | None = None
    """Open time of the newest stored bar; None until the series has been caught up."""
    proven_now: datetime | None = None
    """A time that the venue's clock has reached, as its stream shows."""
    failures: int = 0
    """Turns in a row that failed."""
    late: int = 0
    """Turns in a row after which the newest closed bar was still not there."""
    holes: dict[datetime, datetime] = field(default_factory=dict)
    """Bars that the venue left out between others, and the newest of those others when that was noticed first."""
    due: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, start: datetime, copied: Copied) -> None:
        """Note what came of ``[start, …)`` and which bars are missing between those that did."""
        arrived = copied.newest
        if arrived is None:
            return
        timeframe = self.series.timeframe
        horizon = arrived - _HOLE_BARS * timeframe.delta
        absent = set(timeframe.range(max(start, horizon), arrived)) - copied.open_times
        patience = _HOLE_PATIENCE_BARS * timeframe.delta
        noticed = {moment: self.holes.get(moment, arrived) for moment in sorted(absent)}
        self.holes = {moment: when for moment, when in noticed.items() if arrived - when <= patience}

    def first_wanted(self, target: datetime, reread_bars: int) -> datetime:
        """Return where to read from so as to bring up the bar ``target``: what is to be read again, and holes.

        Every bar is read ``reread_bars`` times, also those that came right before an outage.
        """
        step = self.series.timeframe.delta
        begins = [target - (reread_bars - 1) * step, *list(self.holes)[:1]]
        if self.newest is not None:
            begins.append(self.newest - (reread_bars - 2) * step)
        return min(begins)


class Follower:
    """Keeps the bars of a desk current."""

    def __init__(
        self,
        backfiller: Backfiller,
        reader: AsyncCandleReader,
        *,
        clock: Clock,
        settings: IngestionSettings,
        metrics: IngestionMetrics,
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        on_report: Callable[[CandleReport], None],
        beside: Beside | None = None,
    ) -> None:
        """Take every part ready made; ``clock`` is the venue's."""
        self._backfiller = backfiller
        self._reader = reader
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._random = random
        self._sleep = sleep
        self._on_report = on_report
        self._beside = beside
        self._grace = timedelta(seconds=settings.grace_seconds)

    async def bring_up(self, desk: Desk) -> bool:
        """Return whether the newest closed bar is stored.

        Raises
        ------
        VenueError, BusError
            If one of them fails; what was written until then stays.
        """
        try:
            if desk.newest is None:
                await self._catch_up(desk)
            return await self._follow(desk)
        except VenueError as error:
            if self._beside is not None and await self._beside.failed(desk.series, error):
                return True
            raise

    def target(self, desk: Desk) -> datetime:
        """Return the open time of the bar that closed last, by the venue's clock or as its stream proved."""
        timeframe = desk.series.timeframe
        by_clock = timeframe.last_closed(self._clock.now(), self._grace)
        return max(by_clock, timeframe.last_closed(desk.proven_now)) if desk.proven_now else by_clock

    async def _catch_up(self, desk: Desk) -> None:
        series = desk.series
        timeframe = series.timeframe
        end = timeframe.last_closed(self._clock.now(), self._grace) + timeframe.delta
        start = end - max(timedelta(days=self._settings.history_days), timeframe.delta)
        stood = await self._reader.last_open_time(series.instrument.symbol, timeframe)
        report, absent = CandleReport(), 0
        for piece in pieces(start, end, timeframe, _CATCH_UP_BARS):
            filled = await self._backfiller.fill(series, piece.start, piece.end)
            report, absent = report + filled.report, absent + filled.absent
            self._on_report(filled.report)
        if stood is not None:
            report += await self._look_again(series, min(stood + timeframe.delta, end))
        _log.info("caught_up", series=str(series), absent=absent, **report.as_dict())
        if self._beside is not None:
            await self._beside.stored(series, start, end)
        newest = await self._reader.last_open_time(series.instrument.symbol, timeframe)
        # A bar from ahead of the venue's present, which another clock let in, is no reason to wait for its time.
        self._note(desk, min(newest, end - timeframe.delta) if newest else start - timeframe.delta)

    async def _look_again(self, series: Series, end: datetime) -> CandleReport:
        """Read the bars before ``end`` again: whoever stored them may have ended before it could."""
        start = end - max(1, self._settings.reread_bars - 1) * series.timeframe.delta
        copied = await self._backfiller.refresh(series, start, end)
        self._on_report(copied.report)
        return copied.report

    async def _follow(self, desk: Desk) -> bool:
        """Read the last bars again, and again until the one that just closed is there or patience ends."""
        target = self.target(desk)
        pauses = delays(1_000, first=0.2, ceiling=2.0, random=self._random, factor=1.5)
        deadline = self._clock.now() + timedelta(seconds=self._settings.patience_seconds)
        while True:
            failure: VenueError | None = None
            try:
                if await self._reread(desk, target):
                    return True
            except VenueError as error:
                failure = error
            target = max(target, self.target(desk))  # the next bar does not wait for one that does not come
            pause = max(next(pauses), failure.retry_after_seconds or 0.0 if failure else 0.0)
            if self._clock.now() + timedelta(seconds=pause) > deadline or (failure and not failure.retryable):
                if failure is not None:
                    raise failure
                _log.warning("bar_absent", series=str(desk.series), open_time=target.isoformat())
                return False
            await self._sleep(pause)

    async def _reread(self, desk: Desk, target: datetime) -> bool:
        """Read the last bars once; tell whether the wanted one is stored."""
        series = desk.series
        start, end = desk.first_wanted(target, self._settings.reread_bars), target + series.timeframe.delta
        copied = await self._backfiller.refresh(series, start, end, proven_now=desk.proven_now)
        desk.note(start, copied)
        self._arrived(desk, copied)
        if self._beside is not None and copied.newest is not None:
            await self._beside.stored(series, start, copied.newest + series.timeframe.delta)
        return desk.newest is not None and desk.newest >= target

    def _arrived(self, desk: Desk, copied: Copied) -> None:
        series, report, newest = desk.series, copied.report, copied.newest
        self._on_report(report)
        if newest is not None and (desk.newest is None or newest > desk.newest):
            delay = (self._clock.now() - newest - series.timeframe.delta).total_seconds()
            self._metrics.delayed(delay)
            self._note(desk, newest)
            _log.info(
                "bar_stored", series=str(series), open_time=newest.isoformat(), delay_seconds=round(delay, 3)
            )
        if report.updated or report.rejected:
            _log.warning("bars_corrected", series=str(series), **report.as_dict())

    def _note(self, desk: Desk, newest: datetime) -> None:
        desk.newest = newest
        self._metrics.stored(desk.series, newest)
