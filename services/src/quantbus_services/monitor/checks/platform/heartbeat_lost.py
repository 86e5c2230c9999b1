"""Whether every process still lives."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["HeartbeatLost"]


class HeartbeatLost:
    """Finds each process whose last sign of life is old."""

    name: ClassVar[str] = "heartbeat_lost"
    every: ClassVar[timedelta] = timedelta(seconds=5)
    threshold: ClassVar[str] = "no sign of life for longer than the heartbeat limit"
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limits = sources.limits

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each process that is silent at ``now``, unless it was taken out of service."""
        return [
            Finding(
                kind=self.name,
                severity=Severity.CRITICAL,
                subject=f"{beat.process}/{beat.instance}",
                message=f"expected a sign of life of {beat.process}/{beat.instance} every "
                f"{self._limits.heartbeat_lost_after.total_seconds():g} s, but the last was "
                f"at {beat.at.isoformat()}",
                action=f"see whether {beat.process} runs; its log says why it stopped",
            )
            for beat in await self._view.heartbeats()
            if self._limits.heartbeat_lost_after < now - beat.at <= self._limits.forget_process_after
        ]
