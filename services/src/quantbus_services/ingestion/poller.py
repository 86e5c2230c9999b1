"""The live loop: wake when a bar has closed, fetch until it is there, write it, rest.

The database and the exchange may both go away. A cycle that fails is logged and counted, the next try comes
after a growing pause, and since each cycle asks the bus where it stands, whatever was missed is fetched then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from quantbus_contracts.errors import BusError, VenueError
from quantbus_contracts.ports import AsyncCandleReader
from quantbus_contracts.schema import CandleReport
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.backfill import Backfiller
from quantbus_services.ingestion.backoff import delays
from quantbus_services.ingestion.bar_clock import next_wake_of
from quantbus_services.ingestion.beside import Alone, Beside
from quantbus_services.ingestion.metrics import IngestionMetrics
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.venue_clock import VenueClock

__all__ = ["Poller", "State"]

_log = structlog.get_logger(__name__)
_LONGEST_REST_SECONDS = 30.0
_CATCH_UP_BARS = 20_000  # between two signs of life
_CLOCK_SLACK_SECONDS = 0.05  # by which a sleep may end before the clock says so


@dataclass(slots=True)
class State:
    """Where the loop stands; what the heartbeat tells."""

    newest: dict[Series, datetime] = field(default_factory=dict)
    """Open time of the newest stored bar, by series that has been caught up."""
    failures: int = 0
    """Cycles in a row that failed."""
    totals: CandleReport = field(default_factory=CandleReport)
    last_cycle_at: datetime | None = None

    def detail(self) -> dict[str, str | int | float | bool | None]:
        """Return the state as a heartbeat's detail."""
        return {
            "series": len(self.newest),
            "failures": self.failures,
            "last_cycle_at": self.last_cycle_at.isoformat() if self.last_cycle_at else None,
            **self.totals.as_dict(),
        }


class Poller:
    """Keeps series current until it is cancelled, or fails too often in a row."""

    def __init__(
        self,
        series: Sequence[Series],
        backfiller: Backfiller,
        reader: AsyncCandleReader,
        *,
        clock: VenueClock,
        settings: IngestionSettings,
        metrics: IngestionMetrics,
        beat: Callable[[State], Awaitable[None]],
        random: Callable[[], float],
        beside: Beside | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take every part ready made; ``beat`` gives a sign of life, ``beside`` hears of what was stored."""
        self._series = tuple(series)
        self._backfiller = backfiller
        self._reader = reader
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._beat = beat
        self._beside = beside or Alone()
        self._random = random
        self._sleep = sleep
        self._beaten_at: datetime | None = None
        self.state = State()

    async def run(self) -> int:
        """Poll for ever; return 1 once too many cycles in a row have failed."""
        due = frozenset(item.timeframe for item in self._series)
        while True:
            try:
                await self.cycle(due)
            except Exception as error:  # noqa: BLE001  # a loop body: log, count, give up after N
                if not await self._survive(error):
                    return 1
                due = frozenset(item.timeframe for item in self._series)
                continue
            wake, due = next_wake_of(
                self._clock.now(), {item.timeframe for item in self._series}, self._grace
            )
            await self._rest_until(wake)

    async def cycle(self, due: frozenset[Timeframe]) -> None:
        """Bring every series of the due timeframes up to the bar that closed last.

        Raises
        ------
        BusError
            If the bus fails.
        VenueError
            If the venue fails for every series; one that fails alone is logged and tried again next time.
        """
        await self._clock.refresh()
        wanted = [item for item in self._series if item.timeframe in due or item not in self.state.newest]
        outcomes = await asyncio.gather(*(self._bring_up(item) for item in wanted), return_exceptions=True)
        failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for error in failed:
            if not isinstance(error, VenueError):
                raise error
        if wanted and len(failed) == len(wanted):
            raise failed[0]
        self._metrics.cycle("ok" if all(outcome is True for outcome in outcomes) else "late")
        self.state.failures = 0
        self.state.last_cycle_at = self._clock.now()

    async def _bring_up(self, series: Series) -> bool:
        """Return whether the newest closed bar is stored."""
        try:
            if series not in self.state.newest:
                await self._catch_up(series)
            return await self._follow(series)
        except VenueError as error:
            _log.warning("series_failed", series=str(series), kind=error.kind, error=str(error))
            if await self._beside.failed(series, error):
                return False  # stored, but not by the venue: late
            raise

    async def _catch_up(self, series: Series) -> None:
        now = self._clock.now()
        end = series.timeframe.last_closed(now) + series.timeframe.delta
        start = end - max(timedelta(days=self._settings.history_days), series.timeframe.delta)
        report, absent = CandleReport(), 0
        for part_start in _steps(start, end, _CATCH_UP_BARS * series.timeframe.delta):
            part_end = min(part_start + _CATCH_UP_BARS * series.timeframe.delta, end)
            filled = await self._backfiller.fill(series, part_start, part_end)
            report, absent = report + filled.report, absent + filled.absent
            await self._give_sign_of_life()
        await self._beside.stored(series, start, end)
        self._count(report)
        _log.info("caught_up", series=str(series), absent=absent, **report.as_dict())
        newest = await self._reader.last_open_time(series.instrument.symbol, series.timeframe)
        self._note(series, newest or start - series.timeframe.delta)

    async def _follow(self, series: Series) -> bool:
        """Read the last bars again, and again until the one that just closed is there or patience ends."""
        timeframe = series.timeframe
        target = timeframe.last_closed(self._clock.now())
        start = min(
            target - (self._settings.reread_bars - 1) * timeframe.delta,
            self.state.newest[series] + timeframe.delta,
        )
        pauses = delays(1_000, first=0.2, ceiling=2.0, random=self._random, factor=1.5)
        deadline = self._clock.now() + timedelta(seconds=self._settings.patience_seconds)
        while True:
            try:
                refreshed = await self._backfiller.refresh(series, start, target + timeframe.delta)
                self._arrived(series, refreshed.report, refreshed.newest)
                if self.state.newest[series] >= target:
                    await self._beside.stored(series, start, target + timeframe.delta)
                    return True
                failure: VenueError | None = None
            except VenueError as error:
                failure = error
            pause = max(next(pauses), failure.retry_after_seconds or 0.0 if failure else 0.0)
            if self._clock.now() + timedelta(seconds=pause) > deadline or (failure and not failure.retryable):
                if failure is not None:
                    raise failure
                _log.warning("bar_absent", series=str(series), open_time=target.isoformat())
                return False
            await self._sleep(pause)

    def _arrived(self, series: Series, report: CandleReport, newest: datetime | None) -> None:
        self._count(report)
        if newest is not None and newest > self.state.newest[series]:
            delay = (self._clock.now() - newest - series.timeframe.delta).total_seconds()
            self._metrics.delayed(delay)
            self._note(series, newest)
            _log.info(
                "bar_stored", series=str(series), open_time=newest.isoformat(), delay_seconds=round(delay, 3)
            )
        if report.updated or report.rejected:
            _log.warning("bars_corrected", series=str(series), **report.as_dict())

    def _note(self, series: Series, newest: datetime) -> None:
        self.state.newest[series] = newest
        self._metrics.stored(series, newest)

    def _count(self, report: CandleReport) -> None:
        self.state.totals += report

    async def _survive(self, error: Exception) -> bool:
        """Log and count a failed cycle, and rest before the next; False once there were too many in a row."""
        self.state.failures += 1
        self._metrics.cycle("failed")
        expected = isinstance(error, BusError | VenueError)
        _log.error(
            "cycle_failed",
            failures=self.state.failures,
            error=str(error),
            exc_info=None if expected else error,
        )
        if self.state.failures >= self._settings.max_failures:
            _log.error("gave_up", failures=self.state.failures)
            return False
        bound = min(_LONGEST_REST_SECONDS, 2.0 ** min(self.state.failures - 1, 10))
        asked = error.retry_after_seconds or 0.0 if isinstance(error, VenueError) else 0.0
        pause = max(bound * (0.5 + 0.5 * self._random()), asked)
        await self._rest_until(self._clock.now() + timedelta(seconds=pause))
        return True

    async def _rest_until(self, wake: datetime) -> None:
        """Sleep until ``wake`` in slices, a sign of life before each.

        A clock that is set back meanwhile does not make it sleep longer than was meant at the start.
        """
        meant = (wake - self._clock.now()).total_seconds()
        slept = 0.0
        while slept <= meant and (wake - self._clock.now()).total_seconds() > 0:
            until_next = await self._give_sign_of_life()
            left = (wake - self._clock.now()).total_seconds()
            pause = max(0.0, min(left, until_next, meant - slept + _CLOCK_SLACK_SECONDS))
            slept += pause
            await self._sleep(pause)

    async def _give_sign_of_life(self) -> float:
        """Beat if that is due; return the seconds until the next time."""
        now = self._clock.now()
        every = self._settings.heartbeat_seconds
        since = (now - self._beaten_at).total_seconds() if self._beaten_at else every
        if 0 <= since < every:
            return every - since
        self._beaten_at = now
        try:
            await self._beat(self.state)
        except BusError as error:
            _log.warning("heartbeat_failed", error=str(error))
        return every

    @property
    def _grace(self) -> timedelta:
        return timedelta(seconds=self._settings.grace_seconds)


def _steps(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    while start < end:
        yield start
        start += step
