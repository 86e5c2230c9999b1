"""What all pages share: where they look, who is signed in, and how they answer when something is not to be had."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus

import structlog
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError, QuantbusError
from quantbus_services.monitor.board import Board
from quantbus_services.monitor.checks import Check, Limits
from quantbus_services.monitor.pages.assets import Assets
from quantbus_services.monitor.pages.reads import Chain, Reads
from quantbus_services.monitor.pages.refusals import Refused
from quantbus_services.monitor.pages.rendering import HEADERS, Renderer
from quantbus_services.monitor.pages.sessions import Session, Sessions
from quantbus_services.monitor.pages.verdict import verdict_on
from quantbus_services.monitor.status import Status

__all__ = ["COOKIE", "Site"]

COOKIE = "quantbus_admin"
_log = structlog.get_logger(__name__)
Context = Mapping[str, object]
Gather = Callable[[datetime], Awaitable[Context]]


@dataclass(frozen=True, slots=True)
class Site:
    """The parts of every page."""

    board: Board
    chain: Chain
    reads: Reads
    clock: Clock
    checks: Sequence[type[Check]]
    limits: Limits
    stuck_after: timedelta
    started_at: datetime | None = None
    assets: Assets = field(default_factory=Assets)
    sessions: Sessions = field(default_factory=Sessions)

    def status(self) -> Status:
        """Return what the loop knows."""
        return self.board.status(self.clock.now())

    def now(self) -> datetime:
        """Return the time by the bus's clock, as far as it is known."""
        offset = self.status().clock_offset_seconds
        return self.clock.now() + timedelta(seconds=offset or 0.0)

    def session(self, request: Request) -> Session | None:
        """Return the session of whoever asks."""
        return self.sessions.of(request.cookies.get(COOKIE), self.clock.now())

    async def show(
        self, request: Request, template: str, gather: Gather, *, refreshed: bool = True
    ) -> HTMLResponse:
        """Answer with a page; where the bus does not answer, or there is nothing of the kind, with one that says so."""
        if not self.board.bus_up:
            return self.bus_down(request, self.status().bus_error or "it was not asked yet")
        now = self.now()
        try:
            context = await gather(now)
        except Refused as refusal:
            return self.refused(request, refusal)
        except QuantbusError as error:
            _log.warning("page_failed", path=request.url.path, error=str(error))
            return self.bus_down(request, str(error))
        return self.render(request, template, {**context, "refreshed": refreshed})

    async def take(self, request: Request, act: Callable[[], Awaitable[Response]]) -> Response:
        """Answer to a form with what ``act`` makes of it, or with a page that says why nothing was done."""
        try:
            return await act()
        except Refused as refusal:
            return self.refused(request, refusal)
        except ConfigError as error:
            return self.refused(request, Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)))
        except QuantbusError as error:
            _log.warning("form_failed", path=request.url.path, error=str(error))
            return self.bus_down(request, str(error))

    async def draw(self, gather: Callable[[], Awaitable[Context]]) -> Response:
        """Answer with the figures of a chart as JSON."""
        try:
            return JSONResponse(await gather(), headers=dict(HEADERS))
        except Refused as refusal:
            return JSONResponse({"error": refusal.message}, refusal.status)
        except QuantbusError as error:
            return JSONResponse({"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)

    def bus_down(self, request: Request, error: str) -> HTMLResponse:
        """Say that nothing can be known, and go on asking."""
        context = {"error": error, "lasting": not self.board.bus_up, "refreshed": True}
        return self.render(request, "bus_down.html.j2", context, HTTPStatus.SERVICE_UNAVAILABLE)

    def refused(self, request: Request, refusal: Refused) -> HTMLResponse:
        """Say why something is not to be had."""
        context = {"message": refusal.message, "refreshed": False}
        return self.render(request, "refused.html.j2", context, refusal.status)

    def render(
        self, request: Request, template: str, context: Context, status: HTTPStatus = HTTPStatus.OK
    ) -> HTMLResponse:
        """Return a page with what stands around every page."""
        known = self.status()
        around = {
            "path": request.url.path,
            "now": self.now(),
            "verdict": verdict_on(
                known,
                self.board.last_cycle,
                self.clock.now(),
                self.stuck_after,
                started_at=self.started_at,
            ),
            "session": self.session(request),
        }
        page = Renderer(self.assets).html(template, {**around, **context})
        return HTMLResponse(page, status, headers=dict(HEADERS))
