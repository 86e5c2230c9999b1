"""What a request to publish may look like."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quantbus_contracts.schema import Signal
from quantbus_services.gateway.errors import ApiError, Code, Detail

__all__ = ["Batch", "batch_of", "body_schema", "strategies_of"]

_EXAMPLE = {
    "strategy_id": "momentum-1h",
    "symbol": "BINANCE:BTCUSDT",
    "pair": "BTC/USDT",
    "timeframe": "1h",
    "ts": "2026-01-05T12:00:00Z",
    "action": "enter_long",
    "score": 0.4,
}


class Batch(BaseModel):
    """Rows, not yet looked at, and the versions that their publisher expects to stand."""

    model_config = ConfigDict(strict=True, extra="forbid")

    signals: list[object]
    expected_versions: Annotated[
        dict[Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")], Annotated[int, Field(ge=0, le=201)]],
        Field(max_length=10_000),
    ] = {}


def body_schema() -> dict[str, Any]:
    """Return what the OpenAPI says of the body."""
    rows = {"type": "array", "maxItems": 1_000, "items": Signal.model_json_schema()}
    wrapped = Batch.model_json_schema()
    wrapped["properties"]["signals"] = rows
    content = {
        "schema": {"anyOf": [rows, wrapped]},
        "examples": {
            "list": {"value": [_EXAMPLE]},
            "object": {"value": {"signals": [_EXAMPLE | {"action": "exit_long"}], "expected_versions": {}}},
        },
    }
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def batch_of(value: object, most_rows: int) -> Batch:
    """Return the batch that ``value`` is.

    Raises
    ------
    ApiError
        If it is none, or too long a one.
    """
    try:
        batch = Batch.model_validate({"signals": value} if isinstance(value, list) else value)
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


def strategies_of(rows: Sequence[object]) -> set[str]:
    """Return the strategies that the rows name, good rows and bad."""
    named = (row.get("strategy_id") for row in rows if isinstance(row, Mapping))
    return {name for name in named if isinstance(name, str)}
