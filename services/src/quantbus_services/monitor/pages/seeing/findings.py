"""``/findings``: what is wrong, since when, what to do, who has taken it on; and what every check looks at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from quantbus_contracts.schema import RecordedFinding
from quantbus_services.monitor.pages.site import Site
from quantbus_services.monitor.status import CheckStatus, FindingStatus

__all__ = ["Standing", "finding_routes", "in_order", "standing"]

_HISTORY = timedelta(days=2)
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """A finding that stands: as the loop sees it, and what is recorded about it."""

    seen: FindingStatus
    recorded: RecordedFinding | None

    @property
    def since(self) -> datetime:
        """When it was first seen, by whichever monitor."""
        return self.recorded.first_seen if self.recorded else self.seen.since


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check: what it looks at, and how it went."""

    status: CheckStatus
    threshold: str
    every_seconds: float | None


def _urgency(item: FindingStatus) -> tuple[bool, bool, datetime, str]:
    return item.acknowledged, item.severity != "critical", item.since, item.subject


def in_order(findings: Iterable[FindingStatus]) -> list[FindingStatus]:
    """Return findings as they are to be read: those nobody has taken on first, the critical, the oldest."""
    return sorted(findings, key=_urgency)


def standing(findings: Iterable[FindingStatus], recorded: Iterable[RecordedFinding]) -> list[Standing]:
    """Join what the loop sees with what is recorded, in the order to be read."""
    by_key = {item.key: item for item in recorded if item.is_open}
    return [Standing(item, by_key.get((item.check, item.kind, item.subject))) for item in in_order(findings)]


def _check_rows(site: Site, checks: Sequence[CheckStatus]) -> list[CheckRow]:
    made: Mapping[str, tuple[str, float]] = {
        check.name: (check.threshold, check.every.total_seconds()) for check in site.checks
    }
    return [CheckRow(check, *made.get(check.name, ("", None))) for check in checks]


def finding_routes(site: Site) -> APIRouter:
    """Return the page's route."""
    router = APIRouter(include_in_schema=False)

    async def gather(now: datetime) -> dict[str, object]:
        status = site.status()
        snapshot = await site.reads.findings(now - _HISTORY)
        over = [item for item in snapshot.findings if not item.is_open]
        return {
            "standing": standing(status.findings, snapshot.findings),
            "over": sorted(over, key=lambda item: item.resolved_at or now, reverse=True)[:_SHOWN],
            "checks": _check_rows(site, status.checks),
        }

    @router.get("/findings")
    async def findings(request: Request) -> HTMLResponse:
        """Show what is wrong, what was, and what is looked at."""
        return await site.show(request, "findings.html.j2", gather)

    return router
