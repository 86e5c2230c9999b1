"""Whether signals come soon enough after their bar's close."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts import PublishedSignal
from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.due import NEVER, allowed_delay, publish_delay
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["SignalLate"]


class SignalLate:
    """Finds each strategy that published a recent signal too late."""

    name: ClassVar[str] = "signal_late"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = "published later after bar close than declared, or than half a bar"
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._recent = sources.limits.recent

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each strategy with late signals among the recent ones."""
        declared = {strategy.strategy_id: strategy for strategy in await self._view.strategies()}
        declared_at = await self._view.declared_at()
        signals = [
            signal
            for signal in await self._view.live_signals(now - self._recent)
            # A bar that closed before the strategy was declared was promised to nobody.
            if signal.signal.closes_at >= declared_at.get(signal.signal.strategy_id, NEVER)
        ]
        by_strategy: dict[str, list[PublishedSignal]] = {}
        for signal in signals:
            by_strategy.setdefault(signal.signal.strategy_id, []).append(signal)
        findings = []
        for strategy_id, own in sorted(by_strategy.items()):
            late = [
                publish_delay(signal)
                for signal in own
                if publish_delay(signal) > allowed_delay(signal.signal.timeframe, declared.get(strategy_id))
            ]
            if late:
                findings.append(self._finding(strategy_id, late, len(own)))
        return findings

    def _finding(self, strategy_id: str, late: Sequence[timedelta], published: int) -> Finding:
        return Finding(
            kind=self.name,
            severity=Severity.WARNING,
            subject=strategy_id,
            strategy_id=strategy_id,
            message=f"expected signals of {strategy_id} soon after bar close, but {len(late)} of the last "
            f"{published} came too late, the worst after {max(late).total_seconds():.1f} s",
            action="see what its worker waits for: late bars, a slow model, a busy machine",
        )
