"""The live loop: a bell that rings when bars are due, and for each series a task that answers it.

The database and the exchange may both go away. A series that fails is logged and counted and tries again after a
growing pause, and since each turn asks the bus where it stands, whatever was missed is fetched then. Series do not wait
for each other, and nothing is queued: of a series at most one turn is under way and one is due.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from quantbus_contracts.errors import BusError, VenueError
from quantbus_contracts.ports import AsyncCandleReader
from quantbus_contracts.schema import CandleReport
from quantbus_services.ingestion.backfill import Backfiller
from quantbus_services.ingestion.live.bar_clock import BarClock
from quantbus_services.ingestion.live.following import Beside, Desk, Follower
from quantbus_services.ingestion.metrics import IngestionMetrics
from quantbus_services.ingestion.outcome import end_all, outcome
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.venue.clock import VenueClock

__all__ = ["Beside", "Poller", "State", "Stream"]

_log = structlog.get_logger(__name__)
_LONGEST_REST_SECONDS = 30.0
_SHORTEST_REST_SECONDS = 0.005
_FIRST_LATE_SECONDS = 60.0  # between two turns for a bar that has closed and does not come
_LONGEST_LATE_SECONDS = 3600.0
_LONGEST_SLEEP_SECONDS = 10.0  # after which the clock is looked at, should it have been moved
_CLOCK_LOOK_SECONDS = 5.0  # how often to ask whether the clocks should be compared
_HINT_LEAD = timedelta(seconds=5)  # by which a stream may be ahead of what we take for the venue's time


class Stream(Protocol):
    """Tells of bars as they open."""

    async def run(self, on_open: Callable[[Series, datetime], None]) -> None:
        """Call ``on_open`` for every bar that is seen to be open, until cancelled."""
        ...


@dataclass(slots=True)
class State:
    """Where the loop stands; what the heartbeat tells."""

    desks: tuple[Desk, ...] = ()
    totals: CandleReport = field(default_factory=CandleReport)
    last_cycle_at: datetime | None = None

    @property
    def failures(self) -> int:
        """How many turns in a row every single series has failed."""
        return min((desk.failures for desk in self.desks), default=0)

    def detail(self) -> dict[str, str | int | float | bool | None]:
        """Return the state as a heartbeat's detail."""
        return {
            "series": sum(desk.newest is not None for desk in self.desks),
            "failing": sum(desk.failures > 0 for desk in self.desks),
            "failures": self.failures,
            "last_cycle_at": self.last_cycle_at.isoformat() if self.last_cycle_at else None,
            **self.totals.as_dict(),
        }


class Poller:
    """Keeps series current until it is cancelled, or all of them fail too often in a row."""

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
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        beside: Beside | None = None,
        stream: Stream | None = None,
        follow_bus: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Take every part ready made; ``beat`` gives a sign of life, ``follow_bus`` goes to where the bus is now."""
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._beat = beat
        self._random = random
        self._sleep = sleep
        self._stream = stream
        self._follow_bus = follow_bus
        self._beside = beside
        self._beaten_at: datetime | None = None
        self._gave_up = asyncio.Event()
        self.state = State(tuple(Desk(item) for item in series))
        self._follower = Follower(
            backfiller,
            reader,
            clock=clock,
            settings=settings,
            metrics=metrics,
            random=random,
            sleep=sleep,
            on_report=self._count,
            beside=beside,
        )

    async def run(self) -> int:
        """Poll for ever; return 1 once every series has failed too many times in a row."""
        await self._clock.refresh()
        doings: list[Coroutine[Any, Any, object]] = [self._ring(), self._keep_time(), self._pulse()]
        doings += [self._keep(desk) for desk in self.state.desks]
        if self._stream is not None:
            doings.append(self._hear(self._stream))
        ended: asyncio.Task[object] = asyncio.create_task(self._gave_up.wait())
        tasks: list[asyncio.Task[object]] = [ended, *(asyncio.create_task(doing) for doing in doings)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task  # of all tasks only giving up ends by itself; another that ends has failed
        finally:
            await end_all(tasks)
        return 1

    async def _ring(self) -> None:
        """Wake the series whose bars have become due, unless the stream was faster."""
        bell = BarClock(self._clock, {desk.series.timeframe for desk in self.state.desks}, self._grace)
        while True:
            for firing in bell.ring():
                for desk in self.state.desks:
                    is_stored = desk.newest is not None and desk.newest >= firing.last
                    if desk.series.timeframe == firing.timeframe and not is_stored:
                        desk.due.set()
            until_bar = (bell.next_wake() - self._clock.now()).total_seconds()
            await self._sleep(max(_SHORTEST_REST_SECONDS, min(until_bar, _LONGEST_SLEEP_SECONDS)))

    async def _pulse(self) -> None:
        while True:
            await self._sleep(await self._give_sign_of_life())

    async def _keep_time(self) -> None:
        while True:
            await self._sleep(_CLOCK_LOOK_SECONDS)
            await self._clock.refresh()

    async def _hear(self, stream: Stream) -> None:
        """Listen to the stream, and to it again if it ends; a stream must never cost more than its earliness."""
        while True:
            ended = await outcome(stream.run(self._opened))
            if isinstance(ended, Exception):
                self._metrics.stream_error(type(ended).__name__)
                _log.error("stream_failed", error=str(ended), exc_info=ended)
            await self._sleep(_LONGEST_REST_SECONDS)

    async def _keep(self, desk: Desk) -> None:
        """Bring one series up whenever it is due."""
        while True:
            desk.due.clear()
            is_current = await outcome(self._follower.bring_up(desk))
            if isinstance(is_current, Exception):
                await self._sleep(await self._failed(desk, is_current))
                continue
            desk.failures = 0
            desk.late = 0 if is_current else desk.late + 1
            self.state.last_cycle_at = self._clock.now()
            self._metrics.turn("ok" if is_current else "late")
            await self._until_due(desk)

    async def _until_due(self, desk: Desk) -> None:
        """Wait for the bell; a clock that was set back far must not silence it, so no longer than a bar takes.

        The bell rings once a bar: a bar that has not come yet is looked for again before, with growing pauses.
        """
        longest = desk.series.timeframe.seconds + self._settings.patience_seconds
        if desk.late:
            growing = _FIRST_LATE_SECONDS * 2.0 ** min(desk.late - 1, 10)
            longest = min(longest, growing, _LONGEST_LATE_SECONDS)
        waiting = [asyncio.ensure_future(desk.due.wait()), asyncio.ensure_future(self._sleep(longest))]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _failed(self, desk: Desk, error: Exception) -> float:
        """Log and count a failed turn; return how long to rest before the next."""
        desk.failures += 1
        is_expected = isinstance(error, BusError | VenueError)
        self._metrics.turn("failed" if is_expected else "broken")
        (_log.warning if is_expected else _log.error)(
            "series_failed",
            series=str(desk.series),
            kind=getattr(error, "kind", type(error).__name__),
            failures=desk.failures,
            error=str(error),
            exc_info=None if is_expected else error,
        )
        if self.state.failures >= self._settings.max_failures:
            _log.error("gave_up", failures=self.state.failures)
            self._gave_up.set()
        if isinstance(error, BusError) and self._follow_bus is not None and await self._follow_bus():
            _log.warning("bus_moved")
            return 0.0
        bound = min(_LONGEST_REST_SECONDS, 2.0 ** min(desk.failures - 1, 10))
        asked = error.retry_after_seconds or 0.0 if isinstance(error, VenueError) else 0.0
        if self._beside is not None and self._beside.may_stand_in(desk.series):
            # The gate keeps us from the venue for as long as it asks; its second source is not to wait for that.
            asked = min(asked, _LONGEST_REST_SECONDS)
        return max(bound * (0.5 + 0.5 * self._random()), asked)

    def _opened(self, series: Series, open_time: datetime) -> None:
        """Hear from the stream that a bar has opened, so the one before is closed: go and ask for it."""
        if not series.timeframe.is_open_time(open_time) or open_time > self._clock.now() + _HINT_LEAD:
            self._metrics.hint("implausible")
            return
        closed = open_time - series.timeframe.delta
        for desk in self.state.desks:
            if desk.series != series or desk.newest is None or desk.newest >= closed:
                continue
            if desk.proven_now is None or desk.proven_now < open_time:
                desk.proven_now = open_time
                self._metrics.hint("used")
                desk.due.set()

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

    def _count(self, report: CandleReport) -> None:
        self.state.totals += report

    @property
    def _grace(self) -> timedelta:
        return timedelta(seconds=self._settings.grace_seconds)
