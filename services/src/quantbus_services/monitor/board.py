"""What the loop last found out, kept for ``/healthz``, ``/readyz`` and ``/status``."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quantbus_services.monitor.findings import Finding
from quantbus_services.monitor.status import (
    CheckStatus,
    ConsumerStatus,
    FindingStatus,
    Status,
    StrategyStatus,
)

__all__ = ["Board", "Outcome"]


Bot = Literal["up", "down", "unknown", "not_configured"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of a check went: findings, or why it could not know."""

    check: str
    at: datetime
    findings: tuple[Finding, ...] = ()
    error: str | None = None
    note: str = ""
    """What the check says of itself besides."""
    owner: str = ""
    """Whose findings it judged, where their subjects begin with an owner; empty: all of its own."""


class Board:
    """Holds the newest outcome of every check; a check that could not know keeps no findings."""

    def __init__(self, checks: tuple[str, ...], *, with_bot: bool) -> None:
        """Expect an outcome from each of ``checks``; ``with_bot`` says whether a bot is configured."""
        self._checks = checks
        self._outcomes: dict[str, Outcome] = {}
        self._since: dict[tuple[str, str, str], datetime] = {}
        self._last_cycle: datetime | None = None
        self._bus_error: str | None = "not asked yet"
        self._offset: float | None = None
        self._strategies: tuple[StrategyStatus, ...] = ()
        self._consumers: tuple[ConsumerStatus, ...] = ()
        self._bot: Bot = "unknown" if with_bot else "not_configured"
        self.became_ready = asyncio.Event()

    @property
    def bus_up(self) -> bool:
        """Whether the bus answered in the last cycle."""
        return self._bus_error is None

    @property
    def ready(self) -> bool:
        """Whether the bus answers and every check had its first turn."""
        return self.bus_up and set(self._checks) <= set(self._outcomes)

    @property
    def last_cycle(self) -> datetime | None:
        """When the last cycle ended, by this machine's clock; None before the first."""
        return self._last_cycle

    def outcome_of(self, check: str) -> Outcome | None:
        """Return the newest outcome of a check."""
        return self._outcomes.get(check)

    def put(self, outcome: Outcome) -> None:
        """Replace the outcome of a check; findings that stood before keep the time they were first seen."""
        self._outcomes[outcome.check] = outcome
        standing = {(outcome.check, finding.kind, finding.subject) for finding in outcome.findings}
        for name in [name for name in self._since if name[0] == outcome.check and name not in standing]:
            del self._since[name]
        for name in standing:
            self._since.setdefault(name, outcome.at)

    def put_overview(
        self, strategies: tuple[StrategyStatus, ...], consumers: tuple[ConsumerStatus, ...]
    ) -> None:
        """Replace the summary of strategies and consumers."""
        self._strategies = strategies
        self._consumers = consumers

    def bus_answered(self, offset_seconds: float) -> None:
        """Note that the bus answered, and how far its clock is ahead of this machine's."""
        self._bus_error = None
        self._offset = offset_seconds

    def bot_asked(self, *, answered: bool) -> None:
        """Note whether the bot answered."""
        self._bot = "up" if answered else "down"

    def bus_failed(self, error: str) -> None:
        """Note that the bus did not answer: nothing that was known about it is known any more."""
        self._bus_error = error
        self._offset = None
        self._outcomes.clear()
        self._since.clear()
        self.put_overview((), ())
        if self._bot != "not_configured":
            self._bot = "unknown"

    def cycle_ended(self, at: datetime) -> None:
        """Note that a cycle ended at ``at``, by this machine's clock."""
        self._last_cycle = at
        if self.ready:
            self.became_ready.set()

    def status(self, now: datetime) -> Status:
        """Return everything at once."""
        findings = tuple(
            FindingStatus.of(name, finding, self._since[name, finding.kind, finding.subject])
            for name in self._checks
            if name in self._outcomes
            for finding in self._outcomes[name].findings
        )
        checks = tuple(self._check_status(name) for name in self._checks)
        return Status(
            ok=self.ready and all(check.outcome == "fine" for check in checks),
            ready=self.ready,
            at=now,
            bus_up=self.bus_up,
            bus_error=self._bus_error,
            clock_offset_seconds=self._offset,
            freqtrade=self._bot,
            findings=findings,
            checks=checks,
            strategies=self._strategies,
            consumers=self._consumers,
        )

    def _check_status(self, name: str) -> CheckStatus:
        outcome = self._outcomes.get(name)
        if outcome is None:
            return CheckStatus(name=name, outcome="not_run")
        if outcome.error is not None:
            return CheckStatus(name=name, outcome="unknown", checked_at=outcome.at, error=outcome.error)
        found = any(not finding.acknowledged for finding in outcome.findings)
        return CheckStatus(
            name=name, outcome="found" if found else "fine", checked_at=outcome.at, note=outcome.note or None
        )
