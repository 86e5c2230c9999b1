"""Fill a range of history: ask the bus what is missing, fetch it page by page, write it.

Progress derives from the data: a run that was killed is started again and fetches only what is still absent.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from quantbus_contracts.errors import BusError, VenueError
from quantbus_contracts.ports import AsyncCandleReader, AsyncCandleWriter
from quantbus_contracts.schema import CandleReport, Rejection
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.venue.normalise import to_candles
from quantbus_services.ingestion.venue.source import CandleSource
from quantbus_services.ingestion.windows import Window, missing, pieces, split

__all__ = ["Backfiller", "Copied", "Filled"]

_KEPT_REJECTIONS = 20
_PIECE_BARS = 50_000  # open times that are held in memory at once
_PASSES = 2  # a bar that was left out of one answer is asked for once more before it is called absent


@dataclass(frozen=True, slots=True)
class Filled:
    """What a backfill did to one series."""

    series: Series
    wanted: int = 0
    """Bars of the range that are closed."""
    present_before: int = 0
    """Of these, how many stood on the bus, as far as the range has been looked through."""
    asked: int = 0
    """How many absent bars have been asked for."""
    report: CandleReport = field(default_factory=CandleReport)
    rejections: tuple[Rejection, ...] = ()
    """The first refused rows."""
    error: str = ""
    """Why the range was not finished; empty if it was."""
    seconds: float = 0.0

    @property
    def to_ask(self) -> int:
        """How many bars are to be asked for in all, as far as is known."""
        return self.wanted - self.present_before

    @property
    def absent(self) -> int:
        """How many bars of the range are not on the bus now, as far as it was looked through."""
        return self.wanted - self.present_before - self.report.inserted

    def failed(self, error: str) -> "Filled":
        """Return the same, ended early by ``error``."""
        return replace(self, error=error)

    def plus(self, page: "Copied", asked: int) -> "Filled":
        """Return the same with one more window counted, in which ``asked`` bars were absent."""
        return replace(
            self,
            asked=self.asked + asked,
            report=self.report + page.report,
            rejections=(self.rejections + page.rejections)[:_KEPT_REJECTIONS],
        )


@dataclass(frozen=True, slots=True)
class Copied:
    """What one or more requests brought."""

    report: CandleReport = field(default_factory=CandleReport)
    rejections: tuple[Rejection, ...] = ()
    open_times: frozenset[datetime] = frozenset()
    """Of the bars written or found unchanged."""
    resumes: datetime | None = None
    """Where the venue's bars go on, if it has none in what was asked for and answered with later ones."""

    @property
    def newest(self) -> datetime | None:
        """Open time of the newest bar written or found unchanged."""
        return max(self.open_times, default=None)

    def __add__(self, other: "Copied") -> "Copied":
        return Copied(
            self.report + other.report,
            self.rejections + other.rejections,
            self.open_times | other.open_times,
            other.resumes,
        )


class Backfiller:
    """Fills ranges of series from one source; may be used by many tasks at once."""

    def __init__(
        self,
        source: CandleSource,
        reader: AsyncCandleReader,
        writer: AsyncCandleWriter,
        *,
        page_bars: int,
        venue_now: Callable[[], datetime],
        on_write: Callable[[Series, CandleReport], None] = lambda _series, _report: None,
        in_flight: int = 8,
        settle: timedelta = timedelta(0),
    ) -> None:
        """Take what to read from and write to.

        ``venue_now`` is the venue's clock, ``in_flight`` bounds the pages under way over all tasks, and a bar counts
        as closed once it has been for ``settle``.
        """
        self._source = source
        self._reader = reader
        self._writer = writer
        self._page_bars = page_bars
        self._venue_now = venue_now
        self._on_write = on_write
        self._workers = in_flight
        self._gate = asyncio.Semaphore(in_flight)
        self._settle = settle

    async def fill(
        self,
        series: Series,
        start: datetime,
        end: datetime,
        *,
        on_progress: Callable[[Filled], None] = lambda _filled: None,
    ) -> Filled:
        """Fetch and write every absent bar in ``[start, end)``; ``on_progress`` hears of each step.

        Raises
        ------
        VenueError, BusError
            If the source or the bus fails; what was written until then stays.
        """
        filling = _Filling(Filled(series, wanted=series.timeframe.count(start, end)), on_progress)
        for piece in pieces(start, end, series.timeframe, _PIECE_BARS):
            for number in range(_PASSES):
                stored = await self._stored(series, piece)
                runs = missing(stored, piece.start, piece.end, series.timeframe)
                if number == 0:
                    filling.found(len(stored))
                if not runs or not await self._fetch_runs(filling, runs, count=number == 0):
                    break
        return filling.filled

    async def refresh(
        self, series: Series, start: datetime, end: datetime, *, proven_now: datetime | None = None
    ) -> Copied:
        """Fetch and write every bar in ``[start, end)``, stored or not, so that corrections land.

        ``proven_now`` is a time that the venue's clock is known to have reached, whatever ours says.

        Raises
        ------
        VenueError, BusError
            If the source or the bus fails; what was written until then stays.
        """
        copied = Copied()
        limit = self._source.page_bars(series.instrument, self._page_bars)
        for window in split([Window(start, end)], series.timeframe, limit):
            copied += await self._copy(series, window, proven_now)
        return copied

    async def _stored(self, series: Series, piece: Window) -> list[datetime]:
        return await self._reader.open_times(
            series.instrument.symbol, series.timeframe, piece.start, piece.end
        )

    async def _fetch_runs(self, filling: "_Filling", runs: list[Window], *, count: bool) -> bool:
        """Fetch the missing runs of a piece; tell whether it is worth while to look for what is absent still.

        The first window goes alone: where it brings nothing, the answer tells where the venue's history begins, and
        no other window before that is asked for.
        """
        series = filling.filled.series
        limit = self._source.page_bars(series.instrument, self._page_bars)
        windows = list(split(runs, series.timeframe, limit))

        def absent_in(window: Window) -> int:
            return count * sum(
                series.timeframe.count(max(run.start, window.start), min(run.end, window.end)) for run in runs
            )

        while windows:
            first = windows.pop(0)
            copied = await self._copy(series, first)
            filling.copied(copied, absent_in(first))
            if copied.open_times:
                await self._copy_all(filling, windows, absent_in)
                return True
            resumes = copied.resumes
            while resumes is not None and windows and windows[0].end <= resumes:
                filling.copied(Copied(), absent_in(windows.pop(0)))
        return False

    async def _copy_all(
        self, filling: "_Filling", windows: Iterable[Window], absent_in: Callable[[Window], int]
    ) -> None:
        """Copy windows side by side; the first failure lets those under way end, and begins no other."""
        left = iter(windows)
        failures: list[VenueError | BusError] = []

        async def work() -> None:
            for window in left:
                try:
                    filling.copied(await self._copy(filling.filled.series, window), absent_in(window))
                except (VenueError, BusError) as error:
                    failures.append(error)
                if failures:
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(work())
        if failures:
            raise failures[0]

    async def _copy(self, series: Series, window: Window, proven_now: datetime | None = None) -> Copied:
        """Copy one window; a venue that gives fewer rows than asked for is asked again from there."""
        copied = Copied()
        cursor = window.start
        while cursor < window.end:
            async with self._gate:
                page = await self._copy_page(series, Window(cursor, window.end), proven_now)
            copied += page
            if page.newest is None:
                break  # nothing closed at or after the cursor: the venue has no more of this window
            cursor = page.newest + series.timeframe.delta
        return copied

    async def _copy_page(self, series: Series, window: Window, proven_now: datetime | None) -> Copied:
        timeframe = series.timeframe
        # What is closed is decided by the time before the question: an answer may be under way while a bar closes,
        # and then it shows that bar as it was before.
        asked_at = self._venue_now() - self._settle
        rows = await self._source.fetch(
            series.instrument, timeframe, window.start, timeframe.count(window.start, window.end)
        )
        page = to_candles(
            rows,
            series.instrument,
            timeframe,
            now=max(asked_at, proven_now) if proven_now else asked_at,
            source=self._source.source,
        )
        inside = [candle for candle in page.candles if window.start <= candle.open_time < window.end]
        report = await self._writer.write(inside) if inside else CandleReport()
        report += CandleReport(rejected=len(page.rejections))
        self._on_write(series, report)
        later = [candle.open_time for candle in page.candles if candle.open_time >= window.end]
        return Copied(
            report,
            page.rejections,
            frozenset(candle.open_time for candle in inside),
            min(later) if later and not inside else None,
        )


class _Filling:
    """What a fill has done so far; told after each step."""

    def __init__(self, filled: Filled, on_progress: Callable[[Filled], None]) -> None:
        self.filled = filled
        self._on_progress = on_progress

    def found(self, stored: int) -> None:
        self.filled = replace(self.filled, present_before=self.filled.present_before + stored)
        self._on_progress(self.filled)

    def copied(self, page: Copied, asked: int) -> None:
        self.filled = self.filled.plus(page, asked)
        self._on_progress(self.filled)
