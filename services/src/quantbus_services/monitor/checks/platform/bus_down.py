"""Whether the bus answers."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts.errors import BusUnavailable
from quantbus_services.monitor.checks.base import NOTHING, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["BusDown"]


class BusDown:
    """Finds a bus that does not answer; while it stands, no other check knows anything of the bus."""

    name: ClassVar[str] = "bus_down"
    every: ClassVar[timedelta] = timedelta(seconds=5)
    threshold: ClassVar[str] = "no answer within the monitor's time-out of three seconds"
    needs: ClassVar[Needs] = NOTHING

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding if the bus does not answer."""
        try:
            await self._view.clock_offset()
        except BusUnavailable as error:
            return [
                Finding(
                    kind=self.name,
                    severity=Severity.CRITICAL,
                    subject="bus",
                    message=f"expected an answer of the database, but {error}",
                    action="`quantbus bus status`; bots make no new entries until it answers, their stops go on",
                )
            ]
        return []
