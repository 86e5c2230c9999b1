"""Is everything fine? One word, one sentence."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from quantbus_services.monitor.pages.words import count, elapsed
from quantbus_services.monitor.status import Status

__all__ = ["Level", "Verdict", "verdict_on"]

Level = Literal["good", "look", "bad"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an operator wants to know first."""

    level: Level
    title: str
    sentence: str


def verdict_on(
    status: Status,
    last_cycle: datetime | None,
    now: datetime,
    stuck_after: timedelta,
    *,
    started_at: datetime | None = None,
) -> Verdict:
    """Judge what the loop knows: what cannot be known is never called fine, nor one that never began starting."""
    since = last_cycle or started_at
    age = now - since if since else None
    if age is not None and age > stuck_after:
        told = f"The monitor's own loop has stood still for {elapsed(age.total_seconds())}. "
        told += (
            "Restart the monitor."
            if last_cycle
            else "Its first look does not end: the monitor's log says why."
        )
        return Verdict("bad", "Nothing is known", told)
    if not status.bus_up:
        if last_cycle is None:
            return Verdict("look", "Starting", "The monitor has not finished its first look yet.")
        return Verdict("bad", "Nothing is known", "The bus does not answer, so no check can know its answer.")
    if not status.ready:
        return Verdict("look", "Starting", "Some checks have not had their first turn yet.")
    return _of_findings(status)


def _of_findings(status: Status) -> Verdict:
    standing = [finding for finding in status.findings if not finding.acknowledged]
    critical = sum(finding.severity == "critical" for finding in standing)
    others = len(standing) - critical
    taken = len(status.findings) - len(standing)
    unknown = sum(check.outcome == "unknown" for check in status.checks)
    besides = [
        *([count(others, "warning")] if others and critical else []),
        *([f"{count(unknown, 'check')} could not find out"] if unknown else []),
        *([f"{count(taken, 'finding')} taken on"] if taken else []),
    ]
    tail = f" Besides: {', '.join(besides)}." if besides else ""
    if critical:
        needs = "thing needs" if critical == 1 else "things need"
        return Verdict("bad", f"{critical} {needs} you now", f"What to do stands beside each.{tail}")
    if others:
        return Verdict("look", count(others, "warning"), f"Nothing is critical; look today.{tail}")
    if unknown:
        return Verdict("look", "Not all is known", f"Nothing else calls for anybody.{tail}")
    if taken:
        told = "Nothing else is wrong; who has taken them on stands under Findings."
        return Verdict("look", f"{count(taken, 'finding')} taken on", told)
    return Verdict(
        "good", "All is well", f"All {len(status.checks)} checks know their answer and found nothing."
    )
