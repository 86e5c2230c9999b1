"""Whether clocks agree: ours with the bus's, and ingestion's with the exchange's."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts import Heartbeat
from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["ClockOffset"]

_ASKING = ("ingestion", "observation")
"""Processes that talk to an exchange, and say in their sign of life what it made of them."""


class ClockOffset:
    """Finds each clock that is too far from another that it has to agree with."""

    name: ClassVar[str] = "clock_offset"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = (
        "further apart than the clock limit: this machine and the bus, or ingestion and its exchange"
    )
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limits = sources.limits

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each pair of clocks that disagree."""
        apart = [("bus", "the bus", await self._view.clock_offset())]
        for beat in await self._view.heartbeats():
            told = _told(beat)
            if told is not None and now - beat.at <= self._limits.heartbeat_lost_after:
                venue = str(beat.detail.get("venue") or "the exchange")
                apart.append((f"{beat.process}/{beat.instance}", venue, told))
        limit = self._limits.clock_offset.total_seconds()
        return [
            self._finding(subject, other, seconds, limit)
            for subject, other, seconds in apart
            if abs(seconds) > limit
        ]

    def _finding(self, subject: str, other: str, seconds: float, limit: float) -> Finding:
        ours = "this machine's" if subject == "bus" else f"that of {subject}"
        return Finding(
            kind=self.name,
            severity=Severity.WARNING,
            subject=subject,
            message=f"expected the clock of {other} within {limit:g} s of {ours}, but it is {abs(seconds):.1f} s "
            f"{'ahead' if seconds > 0 else 'behind'}",
            action="see whether NTP runs on both machines (`timedatectl`); bars and signals are judged by the "
            "bus's clock",
        )


def _told(beat: Heartbeat) -> float | None:
    offset = beat.detail.get("venue_clock_offset_seconds")
    is_number = isinstance(offset, int | float) and not isinstance(offset, bool)
    return float(offset) if beat.process in _ASKING and is_number and offset is not None else None
