"""Fill a range of history: ask the bus what is missing, fetch it page by page, write it.

Progress derives from the data: a run that was killed is started again and fetches only what is still absent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from quantbus_contracts.ports import AsyncCandleReader, AsyncCandleWriter
from quantbus_contracts.schema import CandleReport, Rejection
from quantbus_services.ingestion.normalise import to_candles
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.source import CandleSource
from quantbus_services.ingestion.windows import Window, missing, split

__all__ = ["Backfiller", "Copied", "Filled"]

_KEPT_REJECTIONS = 20


@dataclass(frozen=True, slots=True)
class Filled:
    """What a backfill did to one series."""

    series: Series
    wanted: int = 0
    """Bars of the range that are closed."""
    present_before: int = 0
    report: CandleReport = field(default_factory=CandleReport)
    rejections: tuple[Rejection, ...] = ()
    """The first refused rows."""
    error: str = ""
    """Why the range was not finished; empty if it was."""

    @property
    def absent(self) -> int:
        """How many bars of the range are not on the bus now."""
        return self.wanted - self.present_before - self.report.inserted

    def failed(self, error: str) -> "Filled":
        """Return the same, ended early by ``error``."""
        return replace(self, error=error)

    def plus(self, page: "Copied") -> "Filled":
        """Return the same with one more page counted."""
        return replace(
            self,
            report=self.report + page.report,
            rejections=(self.rejections + page.rejections)[:_KEPT_REJECTIONS],
        )


@dataclass(frozen=True, slots=True)
class Copied:
    """What one or more requests brought."""

    report: CandleReport = field(default_factory=CandleReport)
    rejections: tuple[Rejection, ...] = ()
    newest: datetime | None = None
    """Open time of the newest bar written or found unchanged."""

    def __add__(self, other: "Copied") -> "Copied":
        newest = max((moment for moment in (self.newest, other.newest) if moment), default=None)
        return Copied(self.report + other.report, self.rejections + other.rejections, newest)


class Backfiller:
    """Fills ranges of series from one source."""

    def __init__(
        self,
        source: CandleSource,
        reader: AsyncCandleReader,
        writer: AsyncCandleWriter,
        *,
        page_bars: int,
        venue_now: Callable[[], datetime],
        on_write: Callable[[Series, CandleReport], None] = lambda _series, _report: None,
    ) -> None:
        """Take what to read from and write to; ``venue_now`` is the venue's clock."""
        self._source = source
        self._reader = reader
        self._writer = writer
        self._page_bars = page_bars
        self._venue_now = venue_now
        self._on_write = on_write

    async def fill(
        self,
        series: Series,
        start: datetime,
        end: datetime,
        *,
        on_progress: Callable[[int, int, Filled], None] = lambda _done, _total, _filled: None,
    ) -> Filled:
        """Fetch and write every absent bar in ``[start, end)``; ``on_progress`` gets bars done, bars wanted.

        Raises
        ------
        VenueError, BusError
            If the source or the bus fails; what was written until then stays.
        """
        timeframe = series.timeframe
        stored = await self._reader.open_times(series.instrument.symbol, timeframe, start, end)
        runs = missing(stored, start, end, timeframe)
        wanted = timeframe.count(start, end)
        filled = Filled(series, wanted=wanted, present_before=len(stored))
        on_progress(filled.present_before, wanted, filled)
        to_do = sum(timeframe.count(run.start, run.end) for run in runs)
        for window in split(runs, timeframe, self._source.page_bars(series.instrument, self._page_bars)):
            page = await self._copy(series, window)
            filled = filled.plus(page)
            left = sum(timeframe.count(max(run.start, window.end), run.end) for run in runs)
            on_progress(filled.present_before + to_do - left, wanted, filled)
        return filled

    async def refresh(self, series: Series, start: datetime, end: datetime) -> Copied:
        """Fetch and write every bar in ``[start, end)``, stored or not, so that corrections land.

        Raises
        ------
        VenueError, BusError
            If the source or the bus fails; what was written until then stays.
        """
        copied = Copied()
        limit = self._source.page_bars(series.instrument, self._page_bars)
        for window in split([Window(start, end)], series.timeframe, limit):
            copied += await self._copy(series, window)
        return copied

    async def _copy(self, series: Series, window: Window) -> Copied:
        """Copy one window; a venue that gives fewer rows than asked for is asked again from there."""
        copied = Copied()
        cursor = window.start
        while cursor < window.end:
            limit = series.timeframe.count(cursor, window.end)
            rows = await self._source.fetch(series.instrument, series.timeframe, cursor, limit)
            page = to_candles(
                rows, series.instrument, series.timeframe, now=self._venue_now(), source=self._source.source
            )
            inside = [candle for candle in page.candles if window.start <= candle.open_time < window.end]
            report = await self._writer.write(inside) if inside else CandleReport()
            report += CandleReport(rejected=len(page.rejections))
            self._on_write(series, report)
            copied += Copied(report, page.rejections, inside[-1].open_time if inside else None)
            if not page.candles or page.candles[-1].open_time < cursor:
                break  # nothing closed at or after the cursor: the venue has no more of this window
            cursor = page.candles[-1].open_time + series.timeframe.delta
        return copied
