"""The gateway's application: routes, the guard around them, errors in one shape."""

from http import HTTPStatus

from fastapi import APIRouter, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from quantbus_services.gateway.errors import add_error_handlers, problems
from quantbus_services.gateway.guard import Guard
from quantbus_services.gateway.hook_routes import hook_routes
from quantbus_services.gateway.parts import Parts
from quantbus_services.gateway.publish_routes import publish_routes
from quantbus_services.gateway.read_routes import read_routes

__all__ = ["create_app"]

_DESCRIPTION = (
    "Publish trading signals to the bus and read them, over HTTP. Every answer but a good one has the shape "
    '`{"error": {"code", "message", ...}}`; 429 and 503 say in `Retry-After` when to come back.'
)


class Alive(BaseModel):
    """The process answers."""

    alive: bool


class Ready(BaseModel):
    """Whether requests can be served."""

    ready: bool


def create_app(parts: Parts, *, version: str) -> FastAPI:
    """Return the application over ``parts``."""
    app = FastAPI(
        title="quantbus gateway",
        version=version,
        description=_DESCRIPTION,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.include_router(publish_routes(parts))
    app.include_router(read_routes(parts))
    app.include_router(hook_routes(parts))
    app.include_router(_probes(parts))
    app.add_middleware(
        Guard,
        metrics=parts.metrics,
        monotonic=parts.monotonic,
        in_flight=parts.settings.in_flight,
        request_seconds=parts.settings.request_seconds,
    )
    add_error_handlers(app)
    return app


def _probes(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["probes"])
    ours = problems(HTTPStatus.INTERNAL_SERVER_ERROR)

    @router.get("/healthz", responses=ours)
    async def healthz() -> Alive:
        """Answer 200 while the process does."""
        return Alive(alive=True)

    @router.get(
        "/readyz", responses={503: {"model": Ready, "description": "The bus does not answer."}, **ours}
    )
    async def readyz(response: Response) -> Ready:
        """Answer 200 while the bus answers."""
        if not parts.pulse.bus_up:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Ready(ready=parts.pulse.bus_up)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}, **ours},
    )
    async def metrics() -> Response:
        """Answer in Prometheus's text format."""
        return Response(generate_latest(parts.registry), media_type=CONTENT_TYPE_LATEST)

    return router
