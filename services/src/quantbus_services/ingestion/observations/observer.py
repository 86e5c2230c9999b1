"""The observing loop: one kind after its own clock, beside the others.

Each round asks for every symbol, writes what came, and rests until the venue's clock shows the next multiple of
its interval. A symbol that fails is logged and counted; a round in which all of them fail is tried again after a
growing pause, and too many of those in a row end the process. What the bus could not take is kept for the next
round: unlike a bar, an order book that was not written cannot be asked for again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import BusError, VenueError
from quantbus_contracts.mongo.observations import AsyncObservationStore
from quantbus_contracts.schema import CandleReport, Observation
from quantbus_services.ingestion.observations.metrics import ObservationMetrics
from quantbus_services.ingestion.observations.parse import Parsed

__all__ = ["GaveUp", "Observer", "Round"]

_log = structlog.get_logger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_REST_SECONDS = 60.0
_SLICE_SECONDS = 5.0  # a clock that is set is noticed after at most this
_MOST_PENDING = 20_000


class GaveUp(Exception):
    """A kind failed too many times in a row."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one kind asks for: a question for each part (a symbol, or all of them at once)."""

    kind: str
    every: timedelta
    questions: Sequence[tuple[str, Callable[[], Awaitable[Parsed]]]]


class Observer:
    """Asks the rounds of one kind until it is cancelled, or fails too often in a row."""

    def __init__(
        self,
        ask: Round,
        store: AsyncObservationStore,
        *,
        clock: Clock,
        gate: asyncio.Semaphore,
        metrics: ObservationMetrics,
        max_failures: int,
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take every part ready made; ``gate`` bounds the requests under way, over all kinds."""
        self._round = ask
        self.kind = ask.kind
        self._store = store
        self._clock = clock
        self._gate = gate
        self._metrics = metrics
        self._max_failures = max_failures
        self._random = random
        self._sleep = sleep
        self._pending: list[Observation] = []
        self.failures = 0
        self.totals = CandleReport()
        self.last_at: datetime | None = None

    async def run(self) -> None:
        """Observe for ever.

        Raises
        ------
        GaveUp
            If too many rounds in a row failed.
        """
        while True:
            try:
                await self.round()
            except (VenueError, BusError) as error:
                await self._fail(error)
            else:
                await self._rest_until(self._next(self._clock.now()))

    async def round(self) -> CandleReport:
        """Ask every question once, and write what was answered.

        Raises
        ------
        BusError
            If the bus fails; the answers are kept for the next round.
        VenueError
            If every question failed.
        """
        outcomes = await asyncio.gather(
            *(self._answer(name, ask) for name, ask in self._round.questions), return_exceptions=True
        )
        failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for error in failed:
            if not isinstance(error, VenueError):
                raise error
        answers = [outcome for outcome in outcomes if isinstance(outcome, Parsed)]
        report = await self._write(sum(answers, Parsed()))
        if failed and not answers:
            raise failed[0]
        self._metrics.cycle(self._round.kind, "partial" if failed else "ok")
        self.failures = 0
        self.last_at = self._clock.now()
        return report

    async def _answer(self, name: str, ask: Callable[[], Awaitable[Parsed]]) -> Parsed:
        try:
            async with self._gate:
                return await ask()
        except VenueError as error:
            _log.warning(
                "not_observed", kind=self._round.kind, part=name, error=str(error), error_kind=error.kind
            )
            raise

    async def _write(self, parsed: Parsed) -> CandleReport:
        for item in parsed.rejections:
            _log.warning("observation_refused", kind=self._round.kind, **item.as_dict())
        self._pending += parsed.observations
        if len(self._pending) > _MOST_PENDING:
            _log.error("observations_lost", kind=self._round.kind, count=len(self._pending) - _MOST_PENDING)
            del self._pending[:-_MOST_PENDING]
        written = list(self._pending)
        report = CandleReport(rejected=len(parsed.rejections)) + await self._store.write(written)
        self._pending.clear()
        self._metrics.written(self._round.kind, report)
        self._metrics.stored(written)
        self.totals += report
        return report

    async def _fail(self, error: VenueError | BusError) -> None:
        self.failures += 1
        self._metrics.cycle(self._round.kind, "failed")
        _log.error("round_failed", kind=self._round.kind, failures=self.failures, error=str(error))
        if self.failures >= self._max_failures:
            raise GaveUp(f"{self._round.kind}: {self.failures} rounds in a row failed, the last: {error}")
        bound = min(_LONGEST_REST_SECONDS, 2.0 ** min(self.failures - 1, 10))
        asked = error.retry_after_seconds or 0.0 if isinstance(error, VenueError) else 0.0
        await self._sleep(max(bound * (0.5 + 0.5 * self._random()), asked))

    def _next(self, now: datetime) -> datetime:
        whole = (now - _EPOCH) // self._round.every
        return _EPOCH + (whole + 1) * self._round.every

    async def _rest_until(self, wake: datetime) -> None:
        """Sleep in slices; a clock that is set back does not make it sleep longer than one interval."""
        slept = 0.0
        while (left := (wake - self._clock.now()).total_seconds()) > 0:
            pause = min(left, _SLICE_SECONDS, self._round.every.total_seconds() - slept)
            if pause <= 0:
                return
            slept += pause
            await self._sleep(pause)
