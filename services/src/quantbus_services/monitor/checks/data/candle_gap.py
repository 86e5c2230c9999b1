"""Whether bars are missing between stored ones."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.due import streams_of
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["CandleGap"]


class CandleGap:
    """Finds each declared stream with gaps that ingestion has not filled in time."""

    name: ClassVar[str] = "candle_gap"
    every: ClassVar[timedelta] = timedelta(seconds=30)
    threshold: ClassVar[str] = (
        "a gap in a declared stream, first seen longer ago than the gap limit, neither filled nor empty"
    )
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._patience = sources.limits.gap_after

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each stream with old gaps at ``now``."""
        declared = streams_of(await self._view.strategies(), await self._view.declared_at())
        needed = {(symbol, timeframe.name) for symbol, timeframe in declared}
        missing: dict[tuple[str, str], int] = {}
        for gap in await self._view.gaps():
            stream = gap.symbol, gap.timeframe
            if stream in needed and now - gap.first_seen > self._patience:
                missing[stream] = missing.get(stream, 0) + gap.bars
        return [
            Finding(
                kind=self.name,
                severity=Severity.WARNING,
                subject=f"{symbol} {timeframe}",
                message=f"expected every {timeframe} bar of {symbol}, but {bars} are missing between stored ones "
                f"for longer than {self._patience.total_seconds() / 60:g} min",
                action="`quantbus ingest gaps` tells where, and what the venue answered; signals over a gap are "
                "degraded",
            )
            for (symbol, timeframe), bars in sorted(missing.items())
        ]
