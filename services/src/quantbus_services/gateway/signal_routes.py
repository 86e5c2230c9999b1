"""``/v1/signals``: publish and read."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quantbus_contracts.mongo.signal_pages import PageQuery
from quantbus_contracts.schema import Signal
from quantbus_contracts.schema.api_key import ApiKey
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.gateway.body import read_json, refuse_secrets
from quantbus_services.gateway.errors import ApiError, Code, Detail, problems
from quantbus_services.gateway.gate import client_of
from quantbus_services.gateway.parts import Parts
from quantbus_services.gateway.publishing import answer_of
from quantbus_services.gateway.queries import (
    Cursor,
    DryRun,
    Limit,
    Moment,
    Pairs,
    SignalId,
    StrategyId,
    TimeframeName,
    View,
    cursor_of,
    key_of,
)
from quantbus_services.gateway.reports import Report
from quantbus_services.gateway.rows import check_rows
from quantbus_services.gateway.views import SignalDetail, SignalList, SignalView

__all__ = ["signal_routes"]

_BEARER = HTTPBearer(auto_error=False, description="A key of `quantbus keys create`.")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
_DOOR = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_BODY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
_EXAMPLE = {
    "strategy_id": "momentum-1h",
    "symbol": "BINANCE:BTCUSDT",
    "pair": "BTC/USDT",
    "timeframe": "1h",
    "ts": "2026-01-05T12:00:00Z",
    "action": "enter_long",
    "score": 0.4,
}


class _Batch(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    signals: list[object]
    expected_versions: Annotated[
        dict[Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")], Annotated[int, Field(ge=0, le=201)]],
        Field(max_length=10_000),
    ] = {}


def _body_schema() -> dict[str, Any]:
    rows = {"type": "array", "maxItems": 1_000, "items": Signal.model_json_schema()}
    wrapped = _Batch.model_json_schema()
    wrapped["properties"]["signals"] = rows
    content = {
        "schema": {"anyOf": [rows, wrapped]},
        "examples": {
            "list": {"value": [_EXAMPLE]},
            "object": {"value": {"signals": [_EXAMPLE | {"action": "exit_long"}], "expected_versions": {}}},
        },
    }
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def signal_routes(parts: Parts) -> APIRouter:
    """Return the routes over ``parts``."""
    router = APIRouter(prefix="/v1/signals", tags=["signals"])

    async def writer(request: Request, credentials: _Credentials) -> ApiKey:
        return await parts.gate.admit(_secret(credentials), client_of(request), kind="api", scope="write")

    async def reader(request: Request, credentials: _Credentials) -> ApiKey:
        return await parts.gate.admit(_secret(credentials), client_of(request), kind="api", scope="read")

    @router.post(
        "",
        response_model=Report,
        responses={
            207: {"model": Report, "description": "Some rows stand on the bus, some were refused."},
            **problems(*_BODY, *_DOOR),
        },
        openapi_extra=_body_schema(),
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
        batch = _batch_of(value, parts.settings.batch_rows)
        for strategy_id in _strategies_of(batch.signals):
            parts.gate.confine(key, strategy_id)
        report = await parts.publisher.publish(
            check_rows(batch.signals), key, expected_versions=batch.expected_versions, dry_run=dry_run
        )
        return answer_of(report)

    @router.get("", response_model_exclude_none=True, responses=problems(*_DOOR))
    async def read_signals(
        key: Annotated[ApiKey, Depends(reader)],
        strategy_id: StrategyId,
        timeframe: TimeframeName,
        pairs: Pairs = [],  # noqa: B006  # read only; FastAPI copies it
        view: View = "latest",
        start: Moment | None = None,
        end: Moment | None = None,
        as_of: Moment | None = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> SignalList:
        """Read signals with `start <= ts < end`, now or as the bus stood at `as_of`; page by page."""
        parts.gate.confine(key, strategy_id)
        query = PageQuery(
            strategy_id=strategy_id,
            timeframe=Timeframe.parse(timeframe),
            limit=limit,
            pairs=pairs,
            start=start,
            end=end,
            as_of=as_of,
            after=key_of(cursor),
        )
        page = await (parts.pages.latest(query) if view == "latest" else parts.pages.span(query))
        return SignalList(
            signals=[SignalView.of(signal) for signal in page.signals], next_cursor=cursor_of(page.after)
        )

    @router.get(
        "/{signal_id}",
        response_model_exclude_none=True,
        responses=problems(HTTPStatus.NOT_FOUND, *_DOOR),
    )
    async def read_signal(signal_id: SignalId, key: Annotated[ApiKey, Depends(reader)]) -> SignalDetail:
        """Read one signal with its earlier versions, and what each bot did with it."""
        signal = await parts.reader.get(signal_id)
        if signal is None or not key.covers(signal.signal.strategy_id):
            raise ApiError(HTTPStatus.NOT_FOUND, Code.NOT_FOUND, "no signal with this id")
        return SignalDetail(
            **dict(SignalView.of(signal)),
            history=list(signal.history),
            executions=await parts.ledger.of_signal(signal_id),
        )

    return router


def _secret(credentials: HTTPAuthorizationCredentials | None) -> str | None:
    return credentials.credentials if credentials else None


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, Code.UNSUPPORTED_MEDIA_TYPE, "expected application/json"
        )


def _batch_of(value: object, most_rows: int) -> _Batch:
    try:
        batch = _Batch.model_validate({"signals": value} if isinstance(value, list) else value)
    except ValidationError as error:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            Code.INVALID,
            'expected a list of signals, or {"signals": [...]}',
            details=[
                Detail(field=".".join(str(part)[:64] for part in item["loc"]), reason=item["msg"])
                for item in error.errors()[:20]
            ],
        ) from None
    if len(batch.signals) > most_rows:
        raise ApiError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            Code.TOO_LARGE,
            f"expected at most {most_rows} rows, found {len(batch.signals)}; send smaller batches",
        )
    return batch


def _strategies_of(rows: Sequence[object]) -> set[str]:
    named = (row.get("strategy_id") for row in rows if isinstance(row, Mapping))
    return {name for name in named if isinstance(name, str)}
