"""The routes that switch faults: for programs on this machine only."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.faults.desk import FaultDesk
from quantbus_services.paper_exchange.local_only import is_local

__all__ = ["PREFIX", "ControlRoutes"]

PREFIX = "/paper/faults"


class ControlRoutes:
    """``GET``, ``PUT /paper/faults/NAME`` with a JSON object of settings, ``DELETE``, with or without NAME."""

    def __init__(self, desk: FaultDesk) -> None:
        """Switch the faults of ``desk``."""
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            status, content = await self._answer(request)
        except ConfigError as error:
            status, content = 400, {"error": str(error)}
        await JSONResponse(content, status)(scope, receive, send)

    async def _answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        if not is_local(request):
            return 403, {"error": f"{PREFIX} answers to programs on this machine only"}
        name = request.url.path.removeprefix(PREFIX).strip("/")
        if request.method == "PUT" and name:
            self._desk.set(name, _object(await request.body()))
        elif request.method == "DELETE":
            self._desk.clear(name or None)
        elif request.method != "GET" or name:
            return 405, {
                "error": f"expected GET {PREFIX}, PUT {PREFIX}/NAME or DELETE {PREFIX}[/NAME], "
                f"found {request.method} {request.url.path}"
            }
        return 200, self._desk.told()


def _object(body: bytes) -> dict[str, object]:
    try:
        values = json.loads(body or b"{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ConfigError(f'expected a JSON object of settings such as {{"share": 0.1}}, found {body[:80]!r}')
    return values
