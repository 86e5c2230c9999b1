"""Whether the bus has room to write."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["DiskLow"]

_GIB = 2**30


class DiskLow:
    """Finds a disk of the bus that is nearly full; a database without room stops."""

    name: ClassVar[str] = "disk_low"
    every: ClassVar[timedelta] = timedelta(seconds=30)
    threshold: ClassVar[str] = "less of the bus's disk free than the limit's share"
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limit = sources.limits.disk_free_ratio

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding if there is too little room.

        Raises
        ------
        BusError
            If the server does not tell of its disk.
        """
        health = await self._view.health()
        if health.disk_free_bytes >= self._limit * health.disk_size_bytes:
            return []
        return [
            Finding(
                kind=self.name,
                severity=Severity.CRITICAL,
                subject="bus",
                message=f"expected {self._limit:.0%} of the bus's disk to be free, but it is "
                f"{health.disk_free_bytes / health.disk_size_bytes:.1%} "
                f"({health.disk_free_bytes / _GIB:.1f} of {health.disk_size_bytes / _GIB:.1f} GiB)",
                action="make room or move the data to a larger disk: the database stops when it is full",
            )
        ]
