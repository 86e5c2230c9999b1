"""The HTTP side: routes, the marking of every answer, and health."""

import json
from collections.abc import Sequence

import structlog
from fastapi import FastAPI, Request, Response

from quantbus_services.paper_exchange import control
from quantbus_services.paper_exchange.binance import futures_routes, spot_routes
from quantbus_services.paper_exchange.binance.queries import Query, Refusal
from quantbus_services.paper_exchange.binance.stream_routes import add_stream_routes
from quantbus_services.paper_exchange.counters import RequestCounters
from quantbus_services.paper_exchange.health import health
from quantbus_services.paper_exchange.listings.listings import KINDS
from quantbus_services.paper_exchange.rooms import Handler, Room
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["DATA_HEADER", "create_app"]

DATA_HEADER = "X-Quantbus-Data"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_MARKET_ROUTES = {**spot_routes.ROUTES, **futures_routes.ROUTES}

_log = structlog.get_logger(__name__)


def create_app(venue: Venue, *, rooms: Sequence[Room] = ()) -> FastAPI:
    """Return the exchange as an ASGI application; rooms add routes, and wrap it, the last one outermost."""
    app = FastAPI(title="quantbus paper exchange", openapi_url=None)
    counters = RequestCounters()
    reported_over: set[str] = set()
    handlers: dict[tuple[str, str], Handler] = dict(control.routes(venue))
    for room in rooms:
        handlers |= room.routes
        app.add_middleware(room.wrap)
    takes_orders = any(method == "POST" and path.startswith("/api/") for method, path in handlers)

    async def answer(request: Request) -> Response:
        path = request.url.path
        handler = handlers.get((request.method, path))
        counters.count(request.method, path, is_taken=request.method == "GET" or handler is not None)
        now_ms = venue.now_ms()
        _report_over(venue, now_ms, reported_over)
        if path == "/health":
            return _json(venue, path, health(venue, counters, now_ms))
        try:
            if handler is not None:
                content = await handler(request, now_ms)
                return content if isinstance(content, Response) else _json(venue, path, content)
            return _json(venue, path, _market_answer(venue, request, now_ms, takes_orders=takes_orders))
        except Refusal as refusal:
            _log.info("request_refused", method=request.method, path=path, code=refusal.code)
            return _json(venue, path, {"code": refusal.code, "msg": refusal.message}, refusal.status)

    add_stream_routes(app, venue)
    app.add_api_route("/{path:path}", answer, methods=_METHODS)
    return app


def _market_answer(venue: Venue, request: Request, now_ms: int, *, takes_orders: bool) -> object:
    path = request.url.path
    if request.method != "GET" and not takes_orders:
        raise Refusal(
            -1002,
            f"No orders here: {request.method} {path} was refused; a dry run sends GET only. "
            "Start the exchange with --accounts to take orders.",
            status=405,
        )
    if request.method != "GET" or path not in _MARKET_ROUTES:
        raise Refusal(-5000, f"Path {path}, Method {request.method} is invalid", status=404)
    make, known = _MARKET_ROUTES[path]
    return make(venue, Query(request.query_params.multi_items(), known), now_ms)


def _json(venue: Venue, path: str, content: object, status: int = 200) -> Response:
    body = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    data = (venue.futures if path.startswith(("/fapi", "/futures")) else venue.spot).data
    return Response(body, status_code=status, media_type="application/json", headers={DATA_HEADER: data})


def _report_over(venue: Venue, now_ms: int, reported: set[str]) -> None:
    for market in map(venue.market, KINDS):
        for name, listing in market.listed(now_ms).items():
            if listing.pair not in reported and market.is_over(name, now_ms):
                reported.add(listing.pair)
                _log.warning(
                    "market_halted",
                    symbol=listing.pair,
                    consequence="delisted, or its recorded data ran out: no further bars, empty book",
                )
