"""A second venue for a symbol: stands in when the first fails for a while, and is checked when that comes back.

The two are never mixed silently. A bar of the second source says so in its ``source``; when the first source comes
back, its bars replace those of the second, and where the two differ by more than is tolerated that is recorded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol

import structlog

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import VenueError
from quantbus_contracts.ports import AsyncCandleReader, AsyncCandleWriter
from quantbus_contracts.schema import Candle, CandleReport, Disagreement, DisagreementKind
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.backfill import Backfiller
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.venue.normalise import Row
from quantbus_services.ingestion.venue.source import PAPER, CandleSource
from quantbus_services.ingestion.windows import Window

__all__ = ["ComparingWriter", "StandIn", "Substitute", "Tolerance", "is_fallback"]

_log = structlog.get_logger(__name__)
_MARK = "fallback:"
_LONGEST_SOURCE = 64


def is_fallback(source: str) -> bool:
    """Tell whether a bar with this ``source`` came from a second venue."""
    return _MARK in source


class Substitute:
    """A `CandleSource` of another venue that answers for instruments of the first."""

    def __init__(self, source: CandleSource, market: Instrument, venue: str) -> None:
        """Ask ``source`` for its ``market`` when asked for one of ``venue``."""
        self._source = source
        self._market = market
        self.venue = venue

    @property
    def source(self) -> str:
        """What is written into each bar as its source: ``fallback:OKX:BTCUSDT``."""
        paper = f"{self._source.source}:" if self._source.source.startswith(PAPER) else ""
        return f"{paper}{_MARK}{self._market.symbol}"[:_LONGEST_SOURCE]

    @property
    def clock_doubts(self) -> int:
        """How many answers spoke against what we take for the other venue's time."""
        return self._source.clock_doubts

    async def instruments(self) -> InstrumentCatalogue:
        """Return the other venue's markets."""
        return await self._source.instruments()

    def page_bars(self, instrument: Instrument, most: int) -> int:
        """Return how many bars to ask for in one request."""
        return self._source.page_bars(self._market, most)

    async def fetch(
        self, instrument: Instrument, timeframe: Timeframe, since: datetime, limit: int
    ) -> list[Row]:
        """Return rows of the other venue's market."""
        return await self._source.fetch(self._market, timeframe, since, limit)

    async def clock_offset(self, clock: Clock) -> timedelta:
        """Return how far the other venue's clock is ahead of ``clock``."""
        return await self._source.clock_offset(clock)

    async def close(self) -> None:
        """Close the other venue's connections."""
        await self._source.close()


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much two sources may differ about one bar."""

    close: float
    """Relative difference of the closes: 0.002 is 0.2 %."""
    volume_ratio: float
    """The greater volume over the smaller one; venues differ in size, so this is wide."""

    def judge(self, first: Candle, second: Candle) -> DisagreementKind | None:
        """Return in what two bars differ by more than is tolerated; None if in nothing."""
        close = abs(first.close - second.close) > self.close * first.close
        low, high = sorted((first.volume, second.volume))
        volume = high > self.volume_ratio * low
        if close and volume:
            return DisagreementKind.BOTH
        return DisagreementKind.CLOSE if close else DisagreementKind.VOLUME if volume else None


class Disagreements(Protocol):
    """Where disagreements are kept; `AsyncGapStore` is one."""

    async def record(self, found: Sequence[Disagreement]) -> int:
        """Store disagreements; return how many were new."""
        ...


class ComparingWriter:
    """Writes bars of the first source, after comparing them with those of the second that they replace."""

    def __init__(
        self,
        writer: AsyncCandleWriter,
        reader: AsyncCandleReader,
        kept: Disagreements,
        *,
        tolerance: Tolerance,
        symbols: frozenset[str],
        now: Callable[[], datetime],
        on_found: Callable[[Disagreement], None] = lambda _found: None,
    ) -> None:
        """Compare bars of ``symbols``, which are those that have a second source."""
        self._writer = writer
        self._reader = reader
        self._kept = kept
        self._tolerance = tolerance
        self._symbols = symbols
        self._now = now
        self._on_found = on_found

    async def write(self, candles: Sequence[Candle]) -> CandleReport:
        """Record what contradicts a stored bar of the second source, then write."""
        first_hand = [
            item for item in candles if item.symbol in self._symbols and not is_fallback(item.source)
        ]

        def series(candle: Candle) -> tuple[str, str]:
            return candle.symbol, candle.timeframe

        for (symbol, timeframe), members in groupby(sorted(first_hand, key=series), key=series):
            await self._compare(
                symbol, Timeframe.parse(timeframe), {item.open_time: item for item in members}
            )
        return await self._writer.write(candles)

    async def _compare(self, symbol: str, timeframe: Timeframe, bars: Mapping[datetime, Candle]) -> None:
        stored = await self._reader.candles(symbol, timeframe, min(bars), max(bars) + timeframe.delta)
        found = [
            self._disagreement(bars[other.open_time], other, kind)
            for other in stored
            if other.open_time in bars
            and is_fallback(other.source)
            and (kind := self._tolerance.judge(bars[other.open_time], other))
        ]
        if found:
            await self._kept.record(found)
        for item in found:
            self._on_found(item)
            _log.warning("sources_disagree", **item.model_dump(mode="json"))

    def _disagreement(self, first: Candle, second: Candle, kind: DisagreementKind) -> Disagreement:
        return Disagreement(
            symbol=first.symbol,
            timeframe=first.timeframe,
            open_time=first.open_time,
            kind=kind,
            source=first.source,
            other_source=second.source,
            close=first.close,
            other_close=second.close,
            volume=first.volume,
            other_volume=second.volume,
            seen_at=self._now(),
        )


class StandIn:
    """Fetches from the second source while the first one has been failing for long enough."""

    def __init__(
        self,
        fillers: Mapping[Instrument, Backfiller],
        reader: AsyncCandleReader,
        first: Backfiller,
        *,
        after: timedelta,
        history: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        """Take a backfiller over the second source of each instrument that has one, and the ``first`` source's."""
        self._fillers = dict(fillers)
        self._reader = reader
        self._first = first
        self._after = after
        self._history = history
        self._now = now
        self._failing_since: dict[Series, datetime] = {}
        self._settled: set[Series] = set()

    def covers(self, series: Series) -> bool:
        """Tell whether the series has a second source."""
        return series.instrument in self._fillers

    async def failed(self, series: Series, error: VenueError) -> bool:
        """Stand in if the first source has failed for long enough; tell whether the newest bar is stored now.

        Raises
        ------
        BusError
            If the bus fails.
        """
        filler = self._fillers.get(series.instrument)
        if filler is None:
            return False
        now = self._now()
        since = self._failing_since.setdefault(series, now)
        if now - since < self._after:
            return False
        end = series.timeframe.last_closed(now) + series.timeframe.delta
        start = max(min(await self._next(series, end), series.timeframe.floor(since)), end - self._history)
        try:
            filled = await filler.fill(series, start, end)
        except VenueError as second:
            _log.error("second_source_failed", series=str(series), first=str(error), second=str(second))
            return False
        if filled.report.inserted:
            _log.warning("second_source_used", series=str(series), **filled.report.as_dict())
        return filled.absent == 0

    async def _next(self, series: Series, end: datetime) -> datetime:
        newest = await self._reader.last_open_time(series.instrument.symbol, series.timeframe)
        return newest + series.timeframe.delta if newest else end - self._history

    async def recovered(self, series: Series, start: datetime, end: datetime) -> None:
        """Note that the first source answers; replace bars that a second one left in ``[start, end)``, once.

        The live loop reads again what it missed while it ran. Bars that stood in before a restart are looked for here.

        Raises
        ------
        BusError
            If the bus fails.
        """
        if self._failing_since.pop(series, None) is not None:
            _log.info("first_source_back", series=str(series))
        if series.instrument not in self._fillers or series in self._settled:
            return
        stored = await self._reader.candles(series.instrument.symbol, series.timeframe, start, end)
        left = [candle.open_time for candle in stored if is_fallback(candle.source)]
        try:
            for window in _windows(left, series.timeframe):
                await self._first.refresh(series, window.start, window.end)
        except VenueError as error:
            _log.warning("second_source_not_replaced", series=str(series), error=str(error))
            return
        self._settled.add(series)


def _windows(times: Sequence[datetime], timeframe: Timeframe) -> list[Window]:
    windows: list[Window] = []
    for moment in times:
        if windows and windows[-1].end == moment:
            windows[-1] = Window(windows[-1].start, moment + timeframe.delta)
        else:
            windows.append(Window(moment, moment + timeframe.delta))
    return windows
