"""Whether the bars that strategies need still arrive."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.due import candle_due_at, streams_of
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["CandleStale"]


class CandleStale:
    """Finds each declared stream of bars whose next bar is overdue."""

    name: ClassVar[str] = "candle_stale"
    every: ClassVar[timedelta] = timedelta(seconds=5)
    threshold: ClassVar[str] = "the next bar closed longer ago than the candle grace and is not on the bus"
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._grace = sources.limits.candle_grace

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each stream that is overdue at ``now``."""
        streams = streams_of(await self._view.strategies(), await self._view.declared_at())
        newest = {
            timeframe: await self._view.last_candles(timeframe)
            for timeframe in {timeframe for _, timeframe in streams}
        }
        findings = []
        for (symbol, timeframe), needed_since in streams.items():
            last = newest[timeframe].get(symbol)
            if candle_due_at(timeframe, last, self._grace, needed_since=needed_since) < now:
                found = f"the newest one opened at {last.isoformat()}" if last else "there is none at all"
                findings.append(
                    Finding(
                        kind=self.name,
                        severity=Severity.CRITICAL,
                        subject=f"{symbol} {timeframe}",
                        message=f"expected the {timeframe} bar of {symbol} that opened at "
                        f"{timeframe.last_closed(now, self._grace).isoformat()}, but {found}",
                        action="see whether ingestion runs and reaches the exchange; "
                        "then `quantbus ingest backfill` fills the hole",
                    )
                )
        return findings
