"""Around every request: a bounded number at once, a bounded time for each, counted by what became of it."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantbus_services.gateway.errors import ApiError, Code, problem_response
from quantbus_services.gateway.metrics import GatewayMetrics

__all__ = ["Guard"]

_PROBES = {"/healthz", "/readyz", "/metrics"}
_SMALL_BODY = 65_536
_OUTCOMES = {
    HTTPStatus.MULTI_STATUS: "partial",
    HTTPStatus.UNAUTHORIZED: "denied",
    HTTPStatus.FORBIDDEN: "denied",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limited",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}


class _Exchange:
    """One request and its answer, as far as they have come."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._headers = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self.body_is_read = False
        self.status: int | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        self.body_is_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if not self.body_is_read and self._much_is_to_come():
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await self._send(message)

    def _much_is_to_come(self) -> bool:
        """Tell whether reading the rest of the body, only to drop it, is too much to ask of us."""
        length = self._headers.get(b"content-length", b"0")
        return b"transfer-encoding" in self._headers or not length.isdigit() or int(length[:20]) > _SMALL_BODY


class Guard:
    """An ASGI middleware; probes are let through when all else has to wait."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: GatewayMetrics,
        monotonic: Callable[[], float],
        in_flight: int,
        request_seconds: float,
    ) -> None:
        """Let at most ``in_flight`` requests into ``app``, each for at most ``request_seconds``."""
        self._app = app
        self._metrics = metrics
        self._monotonic = monotonic
        self._most = in_flight
        self._request_seconds = request_seconds
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._monotonic()
        exchange = _Exchange(scope, receive, send)
        self._now += 1
        self._metrics.in_flight.set(self._now)
        try:
            await self._within_limits(scope, exchange)
        finally:
            self._now -= 1
            self._metrics.in_flight.set(self._now)
            route = _route_of(scope)
            self._metrics.requests.labels(route, _outcome_of(exchange.status)).inc()
            self._metrics.seconds.labels(route).observe(self._monotonic() - started)

    async def _within_limits(self, scope: Scope, exchange: _Exchange) -> None:
        if self._now > self._most and scope["path"] not in _PROBES:
            self._metrics.rate_limited.labels("in_flight").inc()
            await _answer(_busy(), scope, exchange)
            return
        try:
            async with asyncio.timeout(self._request_seconds):
                await self._app(scope, exchange.receive, exchange.send)
        except TimeoutError:
            if exchange.status is not None:
                raise  # half an answer is out; all that is left is to close
            await _answer(self._too_slow(exchange), scope, exchange)

    def _too_slow(self, exchange: _Exchange) -> ApiError:
        if exchange.body_is_read:
            return _busy()
        return ApiError(
            HTTPStatus.REQUEST_TIMEOUT,
            Code.TIMED_OUT,
            f"expected the whole request within {self._request_seconds:g} s",
        )


async def _answer(error: ApiError, scope: Scope, exchange: _Exchange) -> None:
    await problem_response(error)(scope, exchange.receive, exchange.send)


def _busy() -> ApiError:
    return ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        Code.BUSY,
        "there is too much to do; send the same request again, which is always safe",
        retry_after_seconds=1,
    )


def _route_of(scope: Scope) -> str:
    """Return the route's template, of which there are few; what clients make up is all one."""
    return str(getattr(scope.get("route"), "path", "other"))


def _outcome_of(status: int | None) -> str:
    if status is None:
        return "error"
    named = _OUTCOMES.get(HTTPStatus(status))
    return named or ("ok" if status < 300 else "refused" if status < 500 else "error")
