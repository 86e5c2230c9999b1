"""Whether anyone reads the signals."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts import PublishedSignal
from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["SignalsUnseen"]


class SignalsUnseen:
    """Finds each strategy with signals that no consumer has a ledger row for."""

    name: ClassVar[str] = "signals_unseen"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = "on the bus for longer than the unseen limit without a row in the ledger"
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limits = sources.limits

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each strategy with unseen signals among the recent ones."""
        ripe = [
            signal
            for signal in await self._view.live_signals(now - self._limits.recent)
            # One that is revised later was seen, or missed, when it was new: the ledger is not read back that far.
            if now - self._limits.recent <= signal.first_available_at <= now - self._limits.unseen_after
        ]
        seen = {row.signal_id for row in await self._view.executions(now - 2 * self._limits.recent)}
        unseen: dict[str, list[PublishedSignal]] = {}
        for signal in ripe:
            if signal.signal_id not in seen:
                unseen.setdefault(signal.signal.strategy_id, []).append(signal)
        return [self._finding(strategy_id, signals) for strategy_id, signals in sorted(unseen.items())]

    def _finding(self, strategy_id: str, unseen: Sequence[PublishedSignal]) -> Finding:
        oldest = min(signal.first_available_at for signal in unseen)
        return Finding(
            kind=self.name,
            severity=Severity.CRITICAL,
            subject=strategy_id,
            strategy_id=strategy_id,
            message=f"expected a consumer to see each signal of {strategy_id} within "
            f"{self._limits.unseen_after.total_seconds():g} s, but {len(unseen)} were seen by none, "
            f"the oldest since {oldest.isoformat()}",
            action="see whether the bot runs, reads this bus and follows this strategy_id",
        )
