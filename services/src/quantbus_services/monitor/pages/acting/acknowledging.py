"""Takes a finding on, for as long as it stays what it is now."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request, Response

from quantbus_contracts.cli.arguments import parse_duration
from quantbus_contracts.errors import ConfigError
from quantbus_services.monitor.pages.acting.door import done, session_of
from quantbus_services.monitor.pages.acting.forms import form_of
from quantbus_services.monitor.pages.refusals import Refused
from quantbus_services.monitor.pages.site import Site

__all__ = ["acknowledging_routes"]

_log = structlog.get_logger(__name__)
_LONGEST_REASON = 500
_ID_LENGTH = 12


def acknowledging_routes(site: Site) -> APIRouter:
    """Return the route."""
    router = APIRouter(include_in_schema=False)

    @router.post("/findings/acknowledge")
    async def acknowledge(request: Request) -> Response:
        """Record who takes a finding on, and why."""

        async def act() -> Response:
            form = await form_of(request)
            session = await session_of(site, request, form)
            if session.strategies:
                raise Refused(HTTPStatus.FORBIDDEN, "This key is for some strategies only; nothing was done.")
            name, reason, until = _asked(form, site.now())
            if await site.reads.acknowledge(name, by=session.by, reason=reason, until=until) is None:
                raise Refused(HTTPStatus.CONFLICT, "This finding is over; nothing was done.")
            _log.info("finding_acknowledged", finding_id=name, by=session.by)
            return done("/findings")

        return await site.take(request, act)

    return router


def _asked(form: Mapping[str, str], now: datetime) -> tuple[str, str, datetime | None]:
    name, reason, lasting = (form.get(field, "") for field in ("finding", "reason", "lasting"))
    if len(name) != _ID_LENGTH:
        raise ConfigError("finding: expected the id of a finding; open the page again")
    if not 0 < len(reason) <= _LONGEST_REASON:
        raise ConfigError(f"reason: expected 1 to {_LONGEST_REASON} characters, for whoever reads it later")
    length: timedelta | None = parse_duration(lasting, "how long") if lasting else None
    return name, reason, now + length if length is not None else None
