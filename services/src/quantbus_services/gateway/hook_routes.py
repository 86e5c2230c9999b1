"""``/v1/hooks/tradingview/{strategy_id}``: alerts, which carry their secret in the body."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from quantbus_contracts.errors import UnknownInstrument
from quantbus_services.gateway.body import read_json, refuse_secrets
from quantbus_services.gateway.door import OF_ANY, OF_BODIES
from quantbus_services.gateway.errors import ApiError, Code, problems
from quantbus_services.gateway.gate import client_of
from quantbus_services.gateway.parts import Parts
from quantbus_services.gateway.publishing import answer_of
from quantbus_services.gateway.queries import StrategyPath
from quantbus_services.gateway.reports import Report
from quantbus_services.gateway.rows import CheckedRows, check_rows, spelt
from quantbus_services.gateway.tradingview import Alert, AlertRefused, alert_of, row_of

__all__ = ["hook_routes"]

_MOST_BYTES = 16_384
_EXAMPLE = {
    "token": "qbh_0123456789ab_the-secret-that-was-shown-once",
    "symbol": "BINANCE:BTCUSDT",
    "interval": "60",
    "time": "2026-01-05T12:00:00Z",
    "prev_market_position": "flat",
    "market_position": "long",
    "price": 97250.5,
}


def _body_schema() -> dict[str, Any]:
    schema = Alert.model_json_schema()
    token = {"type": "string", "description": "The hook's token, from `quantbus keys create --hook`."}
    schema["properties"] = {"token": token} | schema["properties"]
    schema["required"] = ["token", *schema["required"]]
    schema["description"] = "An alert's message."
    content = {"schema": schema, "examples": {"strategy": {"value": _EXAMPLE}}}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def hook_routes(parts: Parts) -> APIRouter:
    """Return the routes over ``parts``."""
    router = APIRouter(prefix="/v1/hooks", tags=["hooks"])

    @router.post(
        "/tradingview/{strategy_id}",
        response_model=Report,
        responses=problems(*OF_BODIES, *OF_ANY),
        openapi_extra=_body_schema(),
    )
    async def tradingview(request: Request, strategy_id: StrategyPath) -> JSONResponse:
        """Publish one alert. The same alert again is `unchanged`."""
        client = client_of(request)
        message, token = await _message(request, parts, client)
        key = await parts.gate.admit(token, client, kind="hook", scope="write")
        refuse_secrets(message)
        parts.gate.confine(key, strategy_id)
        return answer_of(await parts.publisher.publish(await _checked(message, strategy_id, parts), key))

    return router


async def _message(request: Request, parts: Parts, client: str) -> tuple[object, str | None]:
    """Read the alert and take its token out, before anything else looks at it."""
    try:
        value = await read_json(request, most_bytes=_MOST_BYTES)
    except ApiError as error:
        if error.problem.error.code is Code.BAD_JSON:  # a stranger, as far as we can know
            answer = parts.gate.failed(client, "malformed")
            raise (answer if answer.status is HTTPStatus.TOO_MANY_REQUESTS else error) from None
        raise
    token = value.pop("token", None) if isinstance(value, dict) else None
    return value, token if isinstance(token, str) else None


async def _checked(message: object, strategy_id: str, parts: Parts) -> CheckedRows:
    """Return the alert as the one row of a batch, good or refused."""
    try:
        alert = alert_of(message)
        pair = alert.pair
        if pair is None:
            pair = (await parts.markets.resolve(strategy_id, alert.symbol)).pair
        row = row_of(alert, strategy_id=strategy_id, symbol=alert.symbol, pair=pair)
    except AlertRefused as refusal:
        return CheckedRows((), (), ((spelt(message), refusal.rejection),))
    except UnknownInstrument as unknown:
        refused = AlertRefused("symbol", unknown.value, str(unknown))
        return CheckedRows((), (), ((spelt(message), refused.rejection),))
    return check_rows([row])
