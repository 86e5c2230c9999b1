"""Whether bots act on what they are told."""

from collections import Counter
from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts.policy import Reason
from quantbus_contracts.schema import ExecutionState
from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["RefusedShare"]

_JUDGED = (ExecutionState.REFUSED, ExecutionState.REJECTED, ExecutionState.FILLED, ExecutionState.ORDERED)
_FINE = frozenset(
    reason.value for reason in Reason if not reason.remedy or reason.remedy.startswith("Nothing is wrong")
)
"""Reasons that a person need not do anything about."""


class RefusedShare:
    """Finds each bot and reason for which a large share of signals was refused."""

    name: ClassVar[str] = "refused_share"
    every: ClassVar[timedelta] = timedelta(seconds=30)
    threshold: ClassVar[str] = (
        "one reason for more than the share of a bot's recent signals, and for more than a few"
    )
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limits = sources.limits

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each bot and reason that stand out at ``now``."""
        judged: Counter[str] = Counter()
        refused: Counter[tuple[str, str]] = Counter()
        for row in await self._view.executions(now - self._limits.orders):
            if row.state not in _JUDGED or row.reason in _FINE:
                continue
            judged[row.consumer_id] += 1
            if row.state is ExecutionState.REFUSED and row.reason is not None:
                refused[row.consumer_id, row.reason] += 1
        return [
            self._finding(bot, reason, count, judged[bot])
            for (bot, reason), count in sorted(refused.items())
            if count >= self._limits.refused_least and count / judged[bot] > self._limits.refused_share
        ]

    def _finding(self, bot: str, reason: str, count: int, judged: int) -> Finding:
        known = Reason(reason) if reason in set(Reason) else None
        return Finding(
            kind=self.name,
            severity=Severity.WARNING,
            subject=f"{bot} {reason}",
            message=f"expected {bot} to act on most signals, but {count} of {judged} in the last "
            f"{self._limits.orders.total_seconds() / 60:g} min were refused as {reason}"
            + (f": {known.meaning}" if known else ""),
            action=known.remedy
            if known and known.remedy
            else "`quantbus signals show` tells of one signal what became of it",
        )
