"""Whether the members of the replica set keep up, and are there."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts.schema import MemberHealth
from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["ReplicaLag"]


class ReplicaLag:
    """Finds each member of the replica set that is behind, or out of service."""

    name: ClassVar[str] = "replica_lag"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = (
        "behind the primary by more than the lag limit, or neither primary, secondary nor arbiter"
    )
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limit = sources.limits.replica_lag.total_seconds()

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each member that does not keep up.

        Raises
        ------
        BusError
            If the server does not tell of its members.
        """
        found = []
        for member in (await self._view.health()).members:
            if member.state == "other":
                found.append(_out_of_service(member))
            elif member.lag_seconds is not None and member.lag_seconds > self._limit:
                found.append(self._behind(member, member.lag_seconds))
        return found

    def _behind(self, member: MemberHealth, lag_seconds: float) -> Finding:
        return Finding(
            kind=self.name,
            severity=Severity.WARNING,
            subject=member.name,
            message=f"expected {member.name} within {self._limit:g} s of the primary, but it is "
            f"{lag_seconds:.0f} s behind",
            action="see load and disk of that machine; writes by majority wait for it where a majority needs it",
        )


def _out_of_service(member: MemberHealth) -> Finding:
    return Finding(
        kind="replica_out",
        severity=Severity.CRITICAL,
        subject=member.name,
        message=f"expected {member.name} to serve as primary or secondary, but it does neither",
        action="see its log; while no majority of members serves, nothing can be written and bots do not enter",
    )
