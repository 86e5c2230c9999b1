"""Keeps findings on the bus, and blocks new entries while a position is unexplained.

Nothing is decided from memory: each turn brings findings and blocks to what they should be by what stands on the bus.
So a monitor that is killed in between, or a second one beside it, leaves nothing half done.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from quantbus_contracts.errors import BusError, BusUnavailable
from quantbus_contracts.mongo.findings import FindingSnapshot
from quantbus_contracts.ports import ControlSnapshot
from quantbus_contracts.schema import Control, ControlKind, RecordedFinding, Sighting
from quantbus_services.monitor.board import Outcome
from quantbus_services.monitor.findings import Finding
from quantbus_services.monitor.reconciliation.gathering import NOBODY

__all__ = ["SOURCE", "Controls", "FindingKeeper", "Findings"]

SOURCE = "monitor"
"""Whose controls these are: nobody else's are touched."""
_REFRESHED_AFTER = timedelta(seconds=30)
_ABANDONED_AFTER = timedelta(minutes=3)
"""Nobody has seen it for this long: whoever saw it first is gone."""
_LONGEST_MESSAGE = 2_000
_LONGEST_REASON = 500
_log = structlog.get_logger(__name__)
Key = tuple[str, str, str]


class Findings(Protocol):
    """Where findings are kept."""

    async def record(self, seen: Sequence[Sighting], gone: Sequence[Key], *, judged_at: datetime) -> None:
        """Note what is seen, and close what is gone."""
        ...

    async def snapshot(self) -> FindingSnapshot:
        """Return what stands."""
        ...


class Controls(Protocol):
    """Where controls are kept."""

    async def put(self, control: Control) -> None:
        """Store or replace what its source says about its scope."""
        ...

    async def lift(self, scope: str, source: str, *, by: str) -> bool:
        """Let a control end now."""
        ...

    async def snapshot(self) -> ControlSnapshot:
        """Return every control."""
        ...


class FindingKeeper:
    """Takes over what checks found in one cycle."""

    def __init__(self, findings: Findings, controls: Controls, *, instance: str, blocking: bool) -> None:
        """Keep them; ``blocking`` says whether unexplained positions stop new entries."""
        self._findings = findings
        self._controls = controls
        self._by = f"monitor {instance}"
        self._blocking = blocking
        self._seen: set[Key] = set()
        self._is_told = False

    async def keep(self, outcomes: Sequence[Outcome], now: datetime) -> None:
        """Bring findings and blocks to what ``outcomes`` say at ``now`` (the bus's clock).

        Raises
        ------
        BusUnavailable
            If the bus does not answer.
        """
        try:
            standing = await self._findings.snapshot()
            if await self._record(outcomes, {row.key: row for row in standing.findings}, now):
                standing = await self._findings.snapshot()
            await self._block(standing)
        except BusUnavailable:
            raise
        except BusError as error:  # such as a role from before there were findings
            if not self._is_told:
                self._is_told = True
                _log.error("findings_not_kept", error=str(error), advice="run `quantbus bus init`")
        else:
            self._is_told = False

    async def _record(
        self, outcomes: Sequence[Outcome], standing: dict[Key, RecordedFinding], now: datetime
    ) -> bool:
        seen = {
            (outcome.check, finding.kind, finding.subject): _sighting(outcome.check, finding)
            for outcome in outcomes
            for finding in outcome.findings
        }
        owners = {outcome.check: outcome.owner for outcome in outcomes if outcome.error is None}
        gone = [
            row.key
            for key, row in standing.items()
            if row.check in owners and key not in seen and self._may_close(row, owners[row.check], now)
        ]
        fresh = [one for key, one in seen.items() if _is_news(one, standing.get(key), now)]
        self._seen = {key for key in self._seen | seen.keys() if key not in gone}
        if fresh or gone:
            await self._findings.record(fresh, gone, judged_at=now)
        return bool(fresh or gone)

    def _may_close(self, row: RecordedFinding, owner: str, now: datetime) -> bool:
        """Tell whether it is ours to close: another monitor may watch another bot, and be down itself."""
        if row.key in self._seen:
            return True
        is_ours = not owner or row.subject.partition(" ")[0] in (owner, NOBODY)
        return is_ours and row.last_seen < now - _ABANDONED_AFTER

    async def _block(self, standing: FindingSnapshot) -> None:
        wanted = {
            row.blocks: row
            for row in reversed(standing.findings)  # of several, the oldest gives the reason
            if row.blocks is not None and not row.is_acknowledged(standing.now)
        }
        controls = await self._controls.snapshot()
        ours = {
            control.scope
            for control in controls.controls
            if control.source == SOURCE
            and control.is_active(controls.now)
            and (self._blocking or control.by == self._by)  # one that does not block undoes only its own
        }
        wanted = wanted if self._blocking else {}
        for scope in sorted(ours - wanted.keys()):
            if await self._controls.lift(scope, SOURCE, by=self._by):
                _log.info("block_lifted", scope=scope)
        for scope in sorted(wanted.keys() - ours):
            row = wanted[scope]
            await self._controls.put(
                Control(
                    scope=scope,
                    source=SOURCE,
                    kind=ControlKind.BLOCK,
                    reason=f"{row.kind}: {row.message}"[: _LONGEST_REASON - 60]
                    + f" (`quantbus monitor ack {row.finding_id}` lifts it)",
                    at=controls.now,
                    by=self._by,
                )
            )
            _log.warning("block_set", scope=scope, finding=row.finding_id, kind=row.kind)


def _sighting(check: str, finding: Finding) -> Sighting:
    return Sighting(
        check=check,
        kind=finding.kind,
        subject=finding.subject,
        severity="critical" if finding.severity.value == "critical" else "warning",
        message=finding.message[:_LONGEST_MESSAGE],
        action=finding.action[:_LONGEST_MESSAGE],
        evidence=finding.evidence,
        blocks=finding.blocks or None,
    )


def _is_news(one: Sighting, row: RecordedFinding | None, now: datetime) -> bool:
    """Tell whether the bus has to hear of it: it is new, it changed, or nobody has said for a while that it stands."""
    return (
        row is None
        or (one.severity, one.evidence, one.blocks) != (row.severity, row.evidence, row.blocks)
        or row.last_seen <= now - _REFRESHED_AFTER
    )
