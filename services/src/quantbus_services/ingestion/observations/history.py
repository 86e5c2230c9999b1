"""Fills the history of funding, mark price and open interest; may be run again at will."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from quantbus_contracts.mongo.observations import AsyncObservationStore
from quantbus_contracts.schema import (
    CandleReport,
    FundingRate,
    MarkPrice,
    Observation,
    OpenInterest,
    Rejection,
)
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.observations.parse import Parsed
from quantbus_services.ingestion.observations.source import ObservationSource

__all__ = ["Filled", "HistoryFiller"]

_FUNDING_WINDOW = timedelta(days=60)
_SHORTEST_WINDOW = timedelta(hours=2)  # no venue settles more often than hourly
_MARGIN = timedelta(minutes=1)  # by which a settlement's stamp may miss its minute
_KEPT_REJECTIONS = 20

Note = Callable[[int, int], None]
"""Hears how many windows are done, of how many."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of one symbol's history of one kind."""

    kind: str
    symbol: str
    report: CandleReport = field(default_factory=CandleReport)
    first: datetime | None = None
    last: datetime | None = None
    rejections: tuple[Rejection, ...] = ()
    """The first of them."""
    error: str = ""

    def plus(self, parsed: Parsed, report: CandleReport) -> "Filled":
        """Return the totals with one more answer."""
        moments = [item.at for item in parsed.observations]
        return replace(
            self,
            report=self.report + report + CandleReport(rejected=len(parsed.rejections)),
            first=min([*moments, *([self.first] if self.first else [])], default=None),
            last=max([*moments, *([self.last] if self.last else [])], default=None),
            rejections=(*self.rejections, *parsed.rejections)[:_KEPT_REJECTIONS],
        )

    def as_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return {
            "kind": self.kind,
            "symbol": self.symbol,
            **self.report.as_dict(),
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "rejections": [item.as_dict() for item in self.rejections],
            "error": self.error or None,
        }


class HistoryFiller:
    """Asks window by window, and writes each answer before it asks for the next."""

    def __init__(self, source: ObservationSource, store: AsyncObservationStore, *, page: int = 500) -> None:
        """Ask ``source``, ``page`` rows at a time, and write to ``store``."""
        self._source = source
        self._store = store
        self._page = page

    async def funding(
        self, instrument: Instrument, start: datetime, end: datetime, *, on_window: Note = lambda *_: None
    ) -> Filled:
        """Fill the settlements in ``[start, end)``.

        Some venues answer with the oldest rows of a range and some with the newest: a window whose answer is full
        is halved until none is, so that nothing hides behind a limit.
        """
        filled = Filled(FundingRate.kind, instrument.symbol)
        windows = list(_windows(start, end, _FUNDING_WINDOW))
        for done, (low, high) in enumerate(windows):
            parsed = await self.settlements(instrument, low, high)
            filled = filled.plus(parsed, await self._store.write(parsed.observations))
            on_window(done + 1, len(windows))
        return filled

    async def settlements(self, instrument: Instrument, start: datetime, end: datetime) -> Parsed:
        """Return every settlement in ``[start, end)``, in as many answers as that takes; write nothing."""
        return sum(await self._whole(instrument, start, end), Parsed())

    async def _whole(self, instrument: Instrument, start: datetime, end: datetime) -> list[Parsed]:
        found = await self._source.funding(instrument, start - _MARGIN, end + _MARGIN, self._page)
        rows = len(found.observations) + len(found.rejections)
        if rows >= self._page and end - start > _SHORTEST_WINDOW:
            middle = start + (end - start) / 2
            return [
                *await self._whole(instrument, start, middle),
                *await self._whole(instrument, middle, end),
            ]
        return [_within(found, start, end)]

    async def mark(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        start: datetime,
        end: datetime,
        *,
        on_window: Note = lambda *_: None,
    ) -> Filled:
        """Fill mark and index prices at every close of ``timeframe`` in ``[start, end)``."""

        async def ask(low: datetime, _high: datetime) -> Parsed:
            return await self._source.mark_history(instrument, timeframe, low - timeframe.delta, self._page)

        return await self._regular(MarkPrice, instrument, timeframe, (start, end), ask, on_window)

    async def open_interest(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        start: datetime,
        end: datetime,
        *,
        on_window: Note = lambda *_: None,
    ) -> Filled:
        """Fill open interest every ``timeframe`` in ``[start, end)``."""

        async def ask(low: datetime, high: datetime) -> Parsed:
            return await self._source.open_interest_history(instrument, timeframe, low, high, self._page)

        return await self._regular(OpenInterest, instrument, timeframe, (start, end), ask, on_window)

    async def _regular(
        self,
        model: type[Observation],
        instrument: Instrument,
        timeframe: Timeframe,
        span: tuple[datetime, datetime],
        ask: Callable[[datetime, datetime], Awaitable[Parsed]],
        on_window: Note,
    ) -> Filled:
        """Fill what comes once a ``timeframe``; a window that is whole on the bus is not asked for again."""
        filled = Filled(model.kind, instrument.symbol)
        start = next(timeframe.range(*span), span[1])
        windows = list(_windows(start, span[1], self._page * timeframe.delta))
        for done, (low, high) in enumerate(windows):
            present = {item.at for item in await self._store.range(model, instrument.symbol, low, high)}
            if any(moment not in present for moment in timeframe.range(low, high)):
                parsed = _within(await ask(low, high), low, high)
                filled = filled.plus(parsed, await self._store.write(parsed.observations))
            else:
                filled = replace(filled, report=filled.report + CandleReport(unchanged=len(present)))
            on_window(done + 1, len(windows))
        return filled


def _windows(start: datetime, end: datetime, length: timedelta) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + length, end)
        start += length


def _within(parsed: Parsed, start: datetime, end: datetime) -> Parsed:
    return Parsed(tuple(item for item in parsed.observations if start <= item.at < end), parsed.rejections)
