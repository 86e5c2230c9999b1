"""Whether a bot waits for a person: orders of which nobody knows, or an account that another bot trades."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["OrdersInDoubt"]

_EXECUTOR = "executor"


class OrdersInDoubt:
    """Finds each bot that says so in its sign of life."""

    name: ClassVar[str] = "orders_in_doubt"
    every: ClassVar[timedelta] = timedelta(seconds=5)
    threshold: ClassVar[str] = "any order of unknown fate, or an account without its lease"
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limits = sources.limits

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each doubt of a bot that lives at ``now``; a dead one is another finding."""
        found = []
        for beat in await self._view.heartbeats():
            if beat.process != _EXECUTOR or now - beat.at > self._limits.heartbeat_lost_after:
                continue
            unknown = beat.detail.get("claims_unknown")
            if isinstance(unknown, int) and unknown > 0:
                found.append(_of_unknown_fate(beat.instance, unknown))
            if beat.detail.get("lease_held") is False:
                found.append(_without_account(beat.instance))
        return found


def _of_unknown_fate(bot: str, count: int) -> Finding:
    return Finding(
        kind="orders_in_doubt",
        severity=Severity.CRITICAL,
        subject=f"{_EXECUTOR}/{bot}",
        message=f"expected to know of every order whether the venue has it, but of {count} of {bot} nobody does; their "
        "pairs are not entered",
        action="look at the venue; `quantbus executor claims` lists them, `quantbus executor settle` ends each doubt",
        evidence=str(count),
    )


def _without_account(bot: str) -> Finding:
    return Finding(
        kind="account_lost",
        severity=Severity.CRITICAL,
        subject=f"{_EXECUTOR}/{bot}",
        message=f"expected {bot} to hold its account, but another bot has the lease, or it could not be renewed; it "
        "enters nothing",
        action="let one bot trade the account; the log of this one names the other",
    )
