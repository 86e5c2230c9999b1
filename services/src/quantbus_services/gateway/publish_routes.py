"""``POST /v1/signals``: publish."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from quantbus_contracts.schema.api_key import ApiKey
from quantbus_services.gateway.batches import batch_of, body_schema, strategies_of
from quantbus_services.gateway.body import read_json, refuse_secrets
from quantbus_services.gateway.door import OF_ANY, OF_BODIES, key_with
from quantbus_services.gateway.errors import ApiError, Code, problems
from quantbus_services.gateway.parts import Parts
from quantbus_services.gateway.publishing import answer_of
from quantbus_services.gateway.queries import DryRun
from quantbus_services.gateway.reports import Report
from quantbus_services.gateway.rows import check_rows

__all__ = ["publish_routes"]


def publish_routes(parts: Parts) -> APIRouter:
    """Return the route over ``parts``."""
    router = APIRouter(prefix="/v1/signals", tags=["signals"])
    writer = key_with(parts.gate, "write")

    @router.post(
        "",
        response_model=Report,
        responses={
            207: {"model": Report, "description": "Some rows stand on the bus, some were refused."},
            **problems(*OF_BODIES, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, *OF_ANY),
        },
        openapi_extra=body_schema(),
    )
    async def publish_signals(
        request: Request, key: Annotated[ApiKey, Depends(writer)], dry_run: DryRun = False
    ) -> JSONResponse:
        """Publish a batch. Sending it again is always safe: equal content is `unchanged` and writes nothing.

        200: every row stands on the bus as given. 207: some do, the report says which do not. 422
        `nothing_accepted`: none does. 503 `unconfirmed`: send it again.
        """
        _require_json(request)
        value = await read_json(request, most_bytes=parts.settings.body_bytes)
        refuse_secrets(value)
        batch = batch_of(value, parts.settings.batch_rows)
        for strategy_id in strategies_of(batch.signals):
            parts.gate.confine(key, strategy_id)
        report = await parts.publisher.publish(
            check_rows(batch.signals), key, expected_versions=batch.expected_versions, dry_run=dry_run
        )
        return answer_of(report)

    return router


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, Code.UNSUPPORTED_MEDIA_TYPE, "expected application/json"
        )
