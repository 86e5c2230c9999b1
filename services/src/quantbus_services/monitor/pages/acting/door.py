"""``/session``: sign in with a key of the gateway that has the scope admin, and out again."""

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from quantbus_contracts.schema.api_key import ApiKey
from quantbus_contracts.schema.tokens import parse_token
from quantbus_services.monitor.pages.acting.forms import form_of
from quantbus_services.monitor.pages.refusals import Refused
from quantbus_services.monitor.pages.rendering import HEADERS
from quantbus_services.monitor.pages.sessions import LASTS, Failures, Session
from quantbus_services.monitor.pages.site import COOKIE, Site

__all__ = ["done", "door_routes", "session_of"]

_log = structlog.get_logger(__name__)
_NOT_GOOD = "this key is not known, no longer good, or has not the scope admin"


def done(path: str) -> Response:
    """Return the answer to a form that was taken: look at the page again."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER, headers=dict(HEADERS))


async def session_of(site: Site, request: Request, form: Mapping[str, str]) -> Session:
    """Return the session in which a form was posted; its key is looked up again, so that a revoked one ends here.

    Raises
    ------
    Refused
        If nobody is signed in, the form is not of this session, or the key is no longer good.
    """
    session = site.session(request)
    if session is None:
        raise Refused(HTTPStatus.UNAUTHORIZED, "You are not signed in, or no longer; sign in under Controls.")
    if not session.sent(form):
        raise Refused(HTTPStatus.FORBIDDEN, "This form is not of your session; open the page again.")
    if not _is_good(await site.reads.key(session.key_id), site):
        site.sessions.end(session)
        raise Refused(HTTPStatus.UNAUTHORIZED, f"You were signed out: {_NOT_GOOD}.")
    return session


def _is_good(key: ApiKey | None, site: Site) -> bool:
    return key is not None and key.kind == "api" and key.permits("admin") and key.fault(site.now()) is None


def door_routes(site: Site) -> APIRouter:
    """Return the routes of signing in and out."""
    router = APIRouter(include_in_schema=False)
    failures = Failures()

    @router.post("/session")
    async def sign_in(request: Request) -> Response:
        """Open a session for a good key."""

        async def act() -> Response:
            key = await _key_of(site, failures, await form_of(request))
            session = site.sessions.begin(key, site.clock.now())
            _log.info("signed_in", key_id=key.key_id, name=key.name)
            answer = done("/controls")
            answer.set_cookie(
                COOKIE,
                session.session_id,
                max_age=int(LASTS.total_seconds()),
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
            return answer

        return await site.take(request, act)

    @router.post("/session/end")
    async def sign_out(request: Request) -> Response:
        """Close the session."""

        async def act() -> Response:
            form = await form_of(request)
            session = site.session(request)
            if session is not None and session.sent(form):
                site.sessions.end(session)
            answer = done("/controls")
            answer.delete_cookie(COOKIE)
            return answer

        return await site.take(request, act)

    return router


async def _key_of(site: Site, failures: Failures, form: Mapping[str, str]) -> ApiKey:
    now = site.clock.now()
    if failures.used_up(now):
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Too many keys were not good; try again in a minute.")
    token = parse_token(form.get("key", ""))
    key = await site.reads.key(token.key_id) if token is not None else None
    if token is None or key is None or not token.opens(key) or not _is_good(key, site):
        failures.add(now)
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            f"Nobody was signed in: {_NOT_GOOD}. `quantbus keys create --name … --scope admin` makes one.",
        )
    return key
