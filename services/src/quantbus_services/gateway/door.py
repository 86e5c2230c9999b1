"""What the routes with keys share: how a key is shown, and the answers that anybody may get."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from quantbus_contracts.schema.api_key import ApiKey, Scope
from quantbus_services.gateway.gate import Gate, client_of

__all__ = ["OF_ANY", "OF_BODIES", "key_with"]

OF_ANY = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
OF_BODIES = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
_BEARER = HTTPBearer(auto_error=False, description="A key of `quantbus keys create`.")


def key_with(gate: Gate, scope: Scope) -> Callable[..., Awaitable[ApiKey]]:
    """Return the dependency that lets in who shows a key with ``scope``; before anything else is looked at."""

    async def admitted(
        request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> ApiKey:
        return await gate.admit(
            shown.credentials if shown else None, client_of(request), kind="api", scope=scope
        )

    return admitted
