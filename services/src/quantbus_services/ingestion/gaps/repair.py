"""Ask the venue for the bars of a gap, and draw conclusions from its answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.errors import VenueError
from quantbus_contracts.ports import AsyncCandleWriter
from quantbus_contracts.schema import Gap, GapState
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.gaps.ports import GapLedger
from quantbus_services.ingestion.gaps.rules import Answer, GapRules
from quantbus_services.ingestion.gaps.watch import GapWatch
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.venue.gate import Held
from quantbus_services.ingestion.venue.normalise import to_candles
from quantbus_services.ingestion.venue.source import CandleSource

__all__ = ["GapRepairer"]

_NEIGHBOURS = 3
"""Bars asked for on either side of a gap, so that an answer around it can be told from no answer."""


@dataclass(frozen=True, slots=True)
class _Heard:
    inside: int
    answer: Answer
    note: str


@dataclass(frozen=True, slots=True)
class _Fetched:
    times: list[datetime]
    """Open times of the bars that came and were written."""
    refused: list[tuple[datetime, str]]
    """Open times and reasons of those that came and were not fit to be."""


class GapRepairer:
    """Fills gaps from one source, or finds out that it cannot be done."""

    def __init__(
        self,
        source: CandleSource,
        writer: AsyncCandleWriter,
        ledger: GapLedger,
        watch: GapWatch,
        *,
        rules: GapRules,
        page_bars: int,
        venue_now: Callable[[], datetime],
        now: Callable[[], datetime],
    ) -> None:
        """Take what to ask, where to write and how to judge; ``venue_now`` is the venue's clock."""
        self._source = source
        self._writer = writer
        self._ledger = ledger
        self._watch = watch
        self.rules = rules
        self._page_bars = page_bars
        self._venue_now = venue_now
        self._now = now

    async def repair(self, series: Series, gap: Gap) -> list[Gap]:
        """Ask for the bars of one gap and write what comes; return what became of it, in parts if it was cut.

        Raises
        ------
        BusError
            If the bus fails; what was written until then stays.
        Held
            If the venue is to be left alone: nothing was asked.
        """
        heard = await self._ask(series, gap)
        if heard.inside:
            await self._watch.look(gap.symbol, series.timeframe, gap.start, gap.end)
        now = self._now()
        rows = [
            row
            for row in await self._ledger.find(gap.symbol, series.timeframe, gap.start, gap.end)
            if gap.start <= row.start < gap.end
        ]
        judged = [
            row.model_copy(update={"attempts": row.attempts + 1, "last_attempt": now, "note": None})
            if row.state is GapState.REPAIRED and row.start == gap.start
            else row
            if row.state is GapState.REPAIRED
            else self.rules.judged(row, heard.answer, heard.note, now)
            for row in rows
        ]
        await self._ledger.put(judged)
        return judged

    async def _ask(self, series: Series, gap: Gap) -> _Heard:
        step = series.timeframe.delta
        start, end = gap.start - _NEIGHBOURS * step, gap.end + _NEIGHBOURS * step
        try:
            fetched = await self._fetch(series, start, min(end, self._closed_end(series.timeframe)))
        except Held:
            raise
        except VenueError as error:
            return _Heard(0, "failed", str(error))
        inside = sum(gap.start <= moment < gap.end for moment in fetched.times)
        before = any(moment < gap.start for moment in fetched.times)
        after = any(moment >= gap.end for moment in fetched.times)
        reasons = {reason for moment, reason in fetched.refused if gap.start <= moment < gap.end}
        if reasons:  # it has such bars, though not in a form that may be stored
            told = ", ".join(sorted(reasons))
            return _Heard(
                inside, "nothing", f"{self._source.source} gives bars inside it that were refused: {told}"
            )
        if before and after:
            return _Heard(inside, "around", f"{self._source.source} answers around it")
        side = "nothing" if not (before or after) else "nothing after it" if before else "nothing before it"
        return _Heard(inside, "nothing", f"{self._source.source} gives {side}")

    async def _fetch(self, series: Series, start: datetime, end: datetime) -> _Fetched:
        """Fetch and write the closed bars of a range, page by page."""
        fetched = _Fetched([], [])
        most = self._source.page_bars(series.instrument, self._page_bars)
        cursor = start
        while cursor < end:
            limit = min(most, series.timeframe.count(cursor, end))
            # A bar that closes while the answer is under way is in it as it was before.
            asked_at = self._venue_now()
            rows = await self._source.fetch(series.instrument, series.timeframe, cursor, limit)
            answer = to_candles(
                rows, series.instrument, series.timeframe, now=asked_at, source=self._source.source
            )
            page = answer.candles
            fetched.refused.extend(answer.refused)
            inside = [candle for candle in page if start <= candle.open_time < end]
            if inside:
                await self._writer.write(inside)
                fetched.times.extend(candle.open_time for candle in inside)
            if not page or page[-1].open_time < cursor:
                break
            cursor = page[-1].open_time + series.timeframe.delta
        return fetched

    def _closed_end(self, timeframe: Timeframe) -> datetime:
        return timeframe.last_closed(self._venue_now()) + timeframe.delta
