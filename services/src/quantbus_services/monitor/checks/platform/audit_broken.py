"""Whether what was published is still what it was."""

import hashlib
from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts.schema import AuditFinding
from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["AuditBroken"]


class AuditBroken:
    """Finds each strategy whose audit is altered, broken, or says something else than its signals."""

    name: ClassVar[str] = "audit_broken"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = (
        "any row of the audit that does not fit; a few rows are looked at each time, round and round"
    )
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each strategy with something that does not fit."""
        by_strategy: dict[str, list[AuditFinding]] = {}
        for item in (await self._view.audit()).findings:
            by_strategy.setdefault(item.strategy_id, []).append(item)
        return [
            Finding(
                kind=self.name,
                severity=Severity.CRITICAL,
                subject=strategy_id,
                strategy_id=strategy_id,
                message=f"expected the audit of {strategy_id} to fit, but {_told(items)}",
                action=f"stop its bots (`quantbus controls block`), then look at all of it with `quantbus audit "
                f"verify --strategy-id {strategy_id}`: somebody changed what was published",
                evidence=_evidence(items),
            )
            for strategy_id, items in sorted(by_strategy.items())
        ]


def _evidence(items: list[AuditFinding]) -> str:
    named = " ".join(sorted(f"{item.kind} {item.subject}" for item in items))
    return f"{len(items)} {hashlib.sha256(named.encode()).hexdigest()[:16]}"


def _told(items: list[AuditFinding]) -> str:
    first = items[0]
    more = f", and {len(items) - 1} more" if len(items) > 1 else ""
    return f"{first.subject}: {first.reason} ({first.kind}){more}"
