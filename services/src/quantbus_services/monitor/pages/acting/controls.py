"""``/controls``: what restrains the bots; set and lifted by an admin."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from quantbus_contracts.cli.arguments import parse_duration
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import Control, ControlKind
from quantbus_services.monitor.pages.acting.door import done, session_of
from quantbus_services.monitor.pages.acting.forms import form_of
from quantbus_services.monitor.pages.refusals import Refused
from quantbus_services.monitor.pages.sessions import Session
from quantbus_services.monitor.pages.site import Site

__all__ = ["control_routes"]

_log = structlog.get_logger(__name__)
_SOURCE = "operator"
"""The same as the command line's: what a person sets here a person lifts there."""
_OVER_SHOWN = 20
_DONE = {
    "set": "The control is recorded; bots obey within about a second.",
    "lifted": "The control is lifted.",
}


def control_routes(site: Site) -> APIRouter:
    """Return the page's routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/controls")
    async def controls(request: Request) -> HTMLResponse:
        """Show the controls, and to an admin the forms."""
        return await _show(site, request)

    @router.post("/controls")
    async def put(request: Request) -> Response:
        """Set a control."""
        return await site.take(request, lambda: _put(site, request))

    @router.post("/controls/lift")
    async def lift(request: Request) -> Response:
        """Lift what a person set."""
        return await site.take(request, lambda: _lift(site, request))

    return router


async def _show(
    site: Site, request: Request, *, fault: str = "", form: Mapping[str, str] | None = None
) -> HTMLResponse:
    async def gather(now: datetime) -> dict[str, object]:
        snapshot = await site.reads.controls()
        over = [control for control in snapshot.controls if not control.is_active(snapshot.now)]
        return {
            "active": sorted(
                (control for control in snapshot.controls if control.is_active(snapshot.now)),
                key=lambda control: (-control.kind.rank, control.scope),
            ),
            "over": sorted(over, key=lambda item: item.expires_at or item.at, reverse=True)[:_OVER_SHOWN],
            "own_source": _SOURCE,
            "fault": fault,
            "form": form or {},
            "notice": _DONE.get(request.query_params.get("done", ""), ""),
        }

    return await site.show(request, "controls.html.j2", gather, refreshed=False)


async def _put(site: Site, request: Request) -> Response:
    form = await form_of(request)
    session = await session_of(site, request, form)
    try:
        control = _control_of(form, session, (await site.reads.controls()).now)
    except ConfigError as error:
        page = await _show(site, request, fault=str(error), form=form)
        page.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        return page
    await site.reads.put_control(control)
    _log.warning("control_set", kind=control.kind.value, scope=control.scope, by=control.by)
    return done("/controls?done=set")


async def _lift(site: Site, request: Request) -> Response:
    form = await form_of(request)
    session = await session_of(site, request, form)
    scope = form.get("scope", "")
    _refuse_beyond(session, scope)
    if not await site.reads.lift_control(scope, _SOURCE, by=session.by):
        told = "Nothing of that scope that a person set is in force; it may have ended by itself."
        raise Refused(HTTPStatus.CONFLICT, told)
    _log.warning("control_lifted", scope=scope, by=session.by)
    return done("/controls?done=lifted")


def _refuse_beyond(session: Session, scope: str) -> None:
    if not session.may_restrain(scope):
        raise Refused(HTTPStatus.FORBIDDEN, "This key is for other strategies; nothing was done.")


def _control_of(form: Mapping[str, str], session: Session, now: datetime) -> Control:
    about, name = form.get("about", ""), form.get("name", "")
    if about == "all" and name:
        raise ConfigError(f"name: expected none where the control is about everything, found {name!r}")
    scope = "all" if about == "all" else f"{about}:{name}"
    lasting = form.get("lasting", "")
    expires_at = now + parse_duration(lasting, "how long") if lasting else None
    try:
        control = Control.model_validate(
            {
                "scope": scope,
                "source": _SOURCE,
                "kind": form.get("kind", ""),
                "reason": form.get("reason", ""),
                "at": now,
                "expires_at": expires_at,
                "by": session.by,
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
    if control.kind is ControlKind.FLATTEN and form.get("sure") != "yes":
        raise ConfigError("flatten leaves every position of its scope: tick the box that says so")
    _refuse_beyond(session, scope)
    return control
