"""What the monitor answers over HTTP; read-only."""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from quantbus_contracts.clock import Clock
from quantbus_services.monitor.board import Board
from quantbus_services.monitor.status import Status

__all__ = ["create_app"]


def create_app(
    board: Board,
    registry: CollectorRegistry,
    clock: Clock,
    *,
    stuck_after: timedelta,
    version: str,
    rooms: Sequence[APIRouter] = (),
) -> FastAPI:
    """Return the application over what the loop knows; a loop without a cycle for ``stuck_after`` is unhealthy.

    ``rooms`` are what other rooms of the monitor answer.

    The handlers are coroutines on purpose: they run in the loop's own thread, between its steps, and so never
    see half of an update.
    """
    app = FastAPI(title="quantbus monitor", version=version, docs_url=None, redoc_url=None)
    started_at = clock.now()
    for room in rooms:
        app.include_router(room)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        """Answer 200 while the loop turns, whatever it finds."""
        age = clock.now() - (board.last_cycle or started_at)
        alive = age <= stuck_after
        return JSONResponse(
            {"alive": alive, "seconds_since_last_cycle": round(age.total_seconds(), 3)},
            HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE,
        )

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        """Answer 200 once the bus answers and every check had its first turn."""
        return JSONResponse(
            {"ready": board.ready, "bus_up": board.bus_up},
            HTTPStatus.OK if board.ready else HTTPStatus.SERVICE_UNAVAILABLE,
        )

    @app.get("/metrics")
    async def metrics() -> Response:
        """Answer in Prometheus's text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/status")
    async def status() -> Status:
        """Answer with findings, checks, strategies and consumers."""
        return board.status(clock.now())

    return app
