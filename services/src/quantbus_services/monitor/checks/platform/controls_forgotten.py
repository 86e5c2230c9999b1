"""Whether somebody remembers why bots are held back."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["ControlsForgotten"]


class ControlsForgotten:
    """Finds each control without an end that has stood for so long that it may be forgotten."""

    name: ClassVar[str] = "controls_forgotten"
    every: ClassVar[timedelta] = timedelta(seconds=30)
    threshold: ClassVar[str] = "in force without an expiry for longer than the control limit"
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limit = sources.limits.control_forgotten_after

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each such control."""
        return [
            Finding(
                kind=self.name,
                severity=Severity.WARNING,
                subject=f"{control.scope} {control.source}",
                message=f"expected a control to be lifted or to have an end, but {control.source} set "
                f"{control.kind.value} on {control.scope} at {control.at.isoformat()} without one: {control.reason}",
                action=f"lift it if it is over (`quantbus controls resume --scope {control.scope} --source "
                f"{control.source}`), or set it again with an end",
            )
            for control in await self._view.controls()
            if control.expires_at is None and now - control.at > self._limit
        ]
