"""Whether every strategy speaks as often as it declared.

Speaking means leaving a ``publish_runs`` row for the bar: an evaluation that found nothing to say is fine.
"""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.due import NEVER, run_due_at
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["SignalMissing"]


class SignalMissing:
    """Finds each declared strategy that has gone silent."""

    name: ClassVar[str] = "signal_missing"
    every: ClassVar[timedelta] = timedelta(seconds=5)
    threshold: ClassVar[str] = (
        "no evaluation for the bar that the declared cadence asks for, allowed delay included"
    )
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each strategy that is silent at ``now``."""
        findings = []
        declared_at, last_runs = await self._view.declared_at(), await self._view.last_runs()
        for strategy in await self._view.strategies():
            run = last_runs.get(strategy.strategy_id)
            since = declared_at.get(strategy.strategy_id, NEVER)
            if run_due_at(strategy, run.ts if run else None, declared_at=since) >= now:
                continue
            cadence = "every bar" if strategy.cadence_bars == 1 else f"every {strategy.cadence_bars} bars"
            found = f"the last was for the bar of {run.ts.isoformat()}" if run else "there was none at all"
            findings.append(
                Finding(
                    kind=self.name,
                    severity=Severity.CRITICAL,
                    subject=strategy.strategy_id,
                    strategy_id=strategy.strategy_id,
                    message=f"expected an evaluation of {strategy.strategy_id} at {cadence} of "
                    f"{strategy.timeframe}, but {found}",
                    action="see whether its research worker runs, and whether its bars arrive (candle_stale)",
                )
            )
        return findings
