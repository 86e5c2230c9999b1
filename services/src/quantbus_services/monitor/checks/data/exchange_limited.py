"""Whether an exchange has had enough of us."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts import Heartbeat
from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["ExchangeLimited"]

_ASKING = ("ingestion", "observation")
"""Processes that talk to an exchange, and say in their sign of life what it made of them."""


class ExchangeLimited:
    """Finds each ingestion process whose exchange limits or bans it, by what its sign of life says."""

    name: ClassVar[str] = "exchange_limited"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = "answered with a rate limit (429) or a ban (418) within the limit's time"
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limits = sources.limits

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each process that was limited or banned shortly before ``now``."""
        found = []
        for beat in await self._view.heartbeats():
            if beat.process not in _ASKING or now - beat.at > self._limits.heartbeat_lost_after:
                continue
            if self._is_recent(beat, "venue_banned_at", now):
                found.append(_banned(beat))
            elif self._is_recent(beat, "venue_limited_at", now):
                found.append(_limited(beat))
        return found

    def _is_recent(self, beat: Heartbeat, name: str, now: datetime) -> bool:
        told = beat.detail.get(name)
        if not isinstance(told, str):
            return False
        try:
            moment = datetime.fromisoformat(told)
        except ValueError:
            return False
        return moment.tzinfo is not None and now - moment <= self._limits.limited_within


def _banned(beat: Heartbeat) -> Finding:
    return Finding(
        kind="exchange_banned",
        severity=Severity.CRITICAL,
        subject=f"{beat.process}/{beat.instance}",
        message=f"expected {_venue(beat)} to answer, but it has banned this address; nothing is asked until "
        "the time that it named is over",
        action="leave it alone: every further request makes the ban longer; find out what else asks from this address",
    )


def _limited(beat: Heartbeat) -> Finding:
    return Finding(
        kind="exchange_limited",
        severity=Severity.WARNING,
        subject=f"{beat.process}/{beat.instance}",
        message=f"expected {_venue(beat)} to answer every request, but it told us to ask less often",
        action="ask for fewer symbols or timeframes in one process, or lower QUANTBUS_INGESTION_CONCURRENCY",
    )


def _venue(beat: Heartbeat) -> str:
    return str(beat.detail.get("venue") or "the exchange")
