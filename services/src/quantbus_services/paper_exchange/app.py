"""The HTTP side: routes, the marking of every answer, and health."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response

from quantbus_contracts.clock import Clock
from quantbus_services.paper_exchange import binance
from quantbus_services.paper_exchange.counters import RequestCounters
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.queries import Query, Refusal

__all__ = ["DATA_HEADER", "create_app", "health"]

DATA_HEADER = "X-Quantbus-Data"
Answer = Callable[[Market, Query, int], object]
"""Gives text that is JSON already, or something to turn into JSON."""

_log = structlog.get_logger(__name__)


def _server_time(market: Market, query: Query, now_ms: int) -> object:
    return {"serverTime": now_ms}


def _ping(market: Market, query: Query, now_ms: int) -> object:
    return {}


def _exchange_info(market: Market, query: Query, now_ms: int) -> object:
    listings = query.symbols(market.listings)
    return binance.exchange_info(market, market.listings.values() if listings is None else listings, now_ms)


def _tickers(one: Callable[..., dict[str, Any]]) -> Answer:
    """Answer for one market as an object, for several or all as a list."""

    def answer(market: Market, query: Query, now_ms: int) -> object:
        listings = query.symbols(market.listings)
        options = (
            {"full": query.choice("type", ("FULL", "MINI")) == "FULL"} if one is binance.ticker_24h else {}
        )
        if listings is not None and query.names_one:
            return one(market, listings[0], now_ms, **options)
        chosen = market.listings.values() if listings is None else listings
        return [one(market, listing, now_ms, **options) for listing in chosen]

    return answer


def _no_derivatives(market: Market, query: Query, now_ms: int) -> object:
    return binance.no_derivatives(now_ms)


_MARKETS = frozenset({"symbol", "symbols", "symbolStatus"})
_ROUTES: dict[str, tuple[Answer, frozenset[str]]] = {
    "/api/v3/ping": (_ping, frozenset()),
    "/api/v3/time": (_server_time, frozenset()),
    "/api/v3/exchangeInfo": (_exchange_info, _MARKETS | {"permissions", "showPermissionSets"}),
    "/api/v3/klines": (
        binance.klines,
        frozenset({"symbol", "interval", "startTime", "endTime", "limit"}),
    ),
    "/api/v3/depth": (binance.depth, frozenset({"symbol", "limit"})),
    "/api/v3/trades": (binance.recent_trades, frozenset({"symbol", "limit"})),
    "/api/v3/aggTrades": (
        binance.aggregate_trades,
        frozenset({"symbol", "fromId", "startTime", "endTime", "limit"}),
    ),
    "/api/v3/ticker/24hr": (_tickers(binance.ticker_24h), _MARKETS | {"type"}),
    "/api/v3/ticker/price": (_tickers(binance.price_ticker), _MARKETS),
    "/api/v3/ticker/bookTicker": (_tickers(binance.book_ticker), _MARKETS),
    "/fapi/v1/exchangeInfo": (_no_derivatives, frozenset()),
    "/dapi/v1/exchangeInfo": (_no_derivatives, frozenset()),
}


def create_app(market: Market, clock: Clock) -> FastAPI:
    """Return the exchange as an ASGI application; it keeps no state but the counters of requests."""
    app = FastAPI(title="quantbus paper exchange", openapi_url=None)
    counters = RequestCounters()
    reported_over: set[str] = set()

    async def answer(request: Request) -> Response:
        path = request.url.path
        counters.count(request.method, path)
        now_ms = int(clock.now().timestamp() * 1000)
        _report_over(market, now_ms, reported_over)
        if path == "/health":
            return _json(market, health(market, counters, now_ms))
        try:
            return _json(market, _answer(market, request, now_ms))
        except Refusal as refusal:
            _log.info("request_refused", method=request.method, path=path, code=refusal.code)
            return _json(market, {"code": refusal.code, "msg": refusal.message}, refusal.status)

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    app.add_api_route("/{path:path}", answer, methods=methods)
    return app


def _answer(market: Market, request: Request, now_ms: int) -> object:
    path = request.url.path
    if request.method != "GET":
        raise Refusal(
            -1002,
            f"No orders here: {request.method} {path} was refused; a dry run sends GET only.",
            status=405,
        )
    if path not in _ROUTES:
        raise Refusal(-5000, f"Path {path}, Method {request.method} is invalid", status=404)
    make, known = _ROUTES[path]
    return make(market, Query(request.query_params.multi_items(), known), now_ms)


def _json(market: Market, content: object, status: int = 200) -> Response:
    body = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    return Response(
        body, status_code=status, media_type="application/json", headers={DATA_HEADER: market.kind}
    )


def _report_over(market: Market, now_ms: int, reported: set[str]) -> None:
    for name in market.listings:
        if name not in reported and market.is_over(name, now_ms):
            reported.add(name)
            _log.warning(
                "recorded_data_ran_out", symbol=name, consequence="halted: no further bars, empty book"
            )


def health(market: Market, counters: RequestCounters, now_ms: int) -> dict[str, Any]:
    """Return what is served and how long for; ``status`` is ``exhausted`` once any market is over."""
    symbols = {}
    for name, listing in market.listings.items():
        end = market.source.span(name).end_ms
        symbols[listing.pair] = {
            "last_closed_bar": _moment(market.last_closed(name, now_ms).open_time),
            "data_ends": None if end is None else _moment(end),
            "is_over": market.is_over(name, now_ms),
        }
    return {
        "status": "exhausted" if any(row["is_over"] for row in symbols.values()) else "ok",
        "data": market.kind,
        "origin": market.source.origin,
        "now": _moment(now_ms),
        "shift_seconds": market.source.shift_ms // 1000,
        "timeframe": market.source.base.name,
        "symbols": symbols,
        "requests": dict(counters.answered),
        "refused": dict(counters.refused),
    }


def _moment(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")
