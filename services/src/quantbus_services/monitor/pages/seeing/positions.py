"""``/positions``: what bots hold, what the exchange account says, and where the sides disagree."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from quantbus_services.monitor.pages.seeing.findings import standing
from quantbus_services.monitor.pages.site import Site
from quantbus_services.monitor.status import Status

__all__ = ["comparing_checks", "position_routes"]

_LAST_FILLS = timedelta(days=2)
_SHOWN_FILLS = 50
_COMPARING = ("position", "reconcil")


def comparing_checks(status: Status) -> set[str]:
    """Return the names of the checks that compare the sides with each other."""
    return {check.name for check in status.checks if any(word in check.name for word in _COMPARING)}


def position_routes(site: Site) -> APIRouter:
    """Return the page's route."""
    router = APIRouter(include_in_schema=False)

    async def gather(now: datetime) -> dict[str, object]:
        status = site.status()
        comparing = comparing_checks(status)
        recorded = await site.reads.findings(now)
        holdings = await site.reads.holdings()
        return {
            "freqtrade": status.freqtrade,
            "compared": [check for check in status.checks if check.name in comparing],
            "mismatches": standing(
                [finding for finding in status.findings if finding.check in comparing],
                recorded.findings,
            ),
            "held": [holding for holding in holdings if holding.side != "flat"],
            "balances": await site.reads.balances(),
            "accounts": await site.reads.accounts(),
            "old": now - site.limits.heartbeat_lost_after,
            "fills": await site.reads.fills(now - _LAST_FILLS, now + timedelta(days=1), _SHOWN_FILLS),
        }

    @router.get("/positions")
    async def positions(request: Request) -> HTMLResponse:
        """Show what is held, by each side's books."""
        return await site.show(request, "positions.html.j2", gather)

    return router
