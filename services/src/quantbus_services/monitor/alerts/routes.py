"""Where Alertmanager posts: ``/alerts`` and ``/alerts/watchdog``."""

import hmac
import ipaddress
from collections.abc import Callable
from http import HTTPStatus

import structlog
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import SecretStr, ValidationError
from starlette.requests import ClientDisconnect

from quantbus_services.monitor.alerts.metrics import AlertMetrics
from quantbus_services.monitor.alerts.webhook import Notification

__all__ = ["alert_routes"]

_log = structlog.get_logger(__name__)
_LONGEST_BODY_BYTES = 1_048_576


def alert_routes(
    *,
    metrics: AlertMetrics,
    token: SecretStr | None,
    take: Callable[[Notification], None],
    take_watchdog: Callable[[Notification], None],
) -> APIRouter:
    """Return the routes; with a ``token`` whoever posts must know it, without one only this machine may post."""
    routes = APIRouter()

    async def read(request: Request) -> Notification:
        try:
            _let_in(request, token)
            return _parse(await _body(request))
        except HTTPException as refused:
            metrics.refused.inc()
            _log.warning("alert_refused", status=refused.status_code, why=refused.detail)
            raise

    @routes.post("/alerts", status_code=HTTPStatus.ACCEPTED)
    async def alerts(request: Request) -> Response:
        """Take alerts and pass them on to the messengers."""
        take(await read(request))
        return Response(status_code=HTTPStatus.ACCEPTED)

    @routes.post("/alerts/watchdog", status_code=HTTPStatus.ACCEPTED)
    async def watchdog(request: Request) -> Response:
        """Take the sign of life of Prometheus and Alertmanager."""
        take_watchdog(await read(request))
        return Response(status_code=HTTPStatus.ACCEPTED)

    return routes


def _let_in(request: Request, token: SecretStr | None) -> None:
    if token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
        if scheme.lower() != "bearer" or not right:
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "expected the alert token as bearer token")
    elif not _is_this_machine(request):
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            "expected a post from this machine; for others set QUANTBUS_MONITOR_ALERT_TOKEN_FILE",
        )
    # A page in somebody's browser cannot send this type to another address without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected application/json")


def _is_this_machine(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LONGEST_BODY_BYTES:
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {_LONGEST_BODY_BYTES} bytes"
                )
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the body broke off") from None
    return bytes(body)


def _parse(body: bytes) -> Notification:
    try:
        return Notification.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise HTTPException(
            HTTPStatus.BAD_REQUEST,
            f"expected Alertmanager's webhook, version 4; found at {where or 'the start'}: {first['msg']}",
        ) from None
