"""Beside the live loop: ask again for what is missing, now and then, a bounded number at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import structlog

from quantbus_contracts.errors import BusError
from quantbus_contracts.schema import BROKEN_GAPS, Gap
from quantbus_services.ingestion.gaps.ports import GapLedger
from quantbus_services.ingestion.gaps.repair import GapRepairer
from quantbus_services.ingestion.outcome import outcome
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.venue.gate import Held

__all__ = ["GapKeeper", "told"]

_log = structlog.get_logger(__name__)
_AT_ONCE = 20


def told(gap: Gap) -> dict[str, str | int]:
    """Return what a line of the log says about a gap."""
    return {
        "symbol": gap.symbol,
        "timeframe": gap.timeframe,
        "start": gap.start.isoformat(),
        "bars": gap.bars,
        "state": gap.state.value,
    }


class GapKeeper:
    """Repairs the gaps of followed series when they are due."""

    def __init__(
        self,
        series: Sequence[Series],
        ledger: GapLedger,
        repairer: GapRepairer,
        *,
        every_seconds: float,
        now: Callable[[], datetime],
        on_standing: Callable[[Series, Sequence[Gap]], None] = lambda _series, _gaps: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Look after ``series``; ``on_standing`` hears of what is missing in each after every round."""
        self._series = tuple(series)
        self._ledger = ledger
        self._repairer = repairer
        self._every_seconds = every_seconds
        self._now = now
        self._on_standing = on_standing
        self._sleep = sleep

    async def run(self) -> None:
        """Make a round every so often until cancelled; a bus that is away is waited for."""
        while True:
            ended = await outcome(self.round())
            if isinstance(ended, BusError):
                _log.warning("gap_round_failed", error=str(ended))
            elif isinstance(ended, Exception):  # a gap is no reason to stop ingesting
                _log.error("gap_round_failed", error=str(ended), exc_info=ended)
            await self._sleep(self._every_seconds)

    async def round(self) -> None:
        """Ask for the gaps that are due, those that were asked for longest ago first.

        Raises
        ------
        BusError
            If the bus fails.
        """
        standing = {series: await self._broken(series) for series in self._series}
        due = [
            (series, gap)
            for series, gaps in standing.items()
            for gap in gaps
            if self._repairer.rules.is_due(gap, self._now())
        ]
        due.sort(key=lambda item: item[1].last_attempt or item[1].first_seen)
        try:
            for series, gap in due[:_AT_ONCE]:
                for row in await self._repairer.repair(series, gap):
                    _log.info("gap_asked_for", **told(row), attempts=row.attempts, note=row.note)
        except Held as held:
            _log.info("gaps_wait", due=len(due), reason=str(held))
        asked = {series for series, _ in due[:_AT_ONCE]}
        for series, gaps in standing.items():
            self._on_standing(series, await self._broken(series) if series in asked else gaps)

    async def _broken(self, series: Series) -> list[Gap]:
        return await self._ledger.find(series.instrument.symbol, series.timeframe, states=BROKEN_GAPS)
