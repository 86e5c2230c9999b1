"""``GET /v1/signals``: read."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends

from quantbus_contracts.mongo.signal_pages import PageQuery
from quantbus_contracts.schema.api_key import ApiKey
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.gateway.door import OF_ANY, key_with
from quantbus_services.gateway.errors import ApiError, Code, problems
from quantbus_services.gateway.parts import Parts
from quantbus_services.gateway.queries import (
    Cursor,
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
from quantbus_services.gateway.views import SignalDetail, SignalList, SignalView

__all__ = ["read_routes"]


def read_routes(parts: Parts) -> APIRouter:
    """Return the routes over ``parts``."""
    router = APIRouter(prefix="/v1/signals", tags=["signals"])
    reader = key_with(parts.gate, "read")

    @router.get("", response_model_exclude_none=True, responses=problems(*OF_ANY))
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
        responses=problems(HTTPStatus.NOT_FOUND, *OF_ANY),
    )
    async def read_signal(signal_id: SignalId, key: Annotated[ApiKey, Depends(reader)]) -> SignalDetail:
        """Read one signal with its earlier versions, and what each bot did with it."""
        return await _detail(parts, signal_id, key)

    return router


async def _detail(parts: Parts, signal_id: str, key: ApiKey) -> SignalDetail:
    signal = await parts.reader.get(signal_id)
    if signal is None or not key.covers(signal.signal.strategy_id):
        raise ApiError(HTTPStatus.NOT_FOUND, Code.NOT_FOUND, "no signal with this id")
    return SignalDetail(
        **dict(SignalView.of(signal)),
        history=list(signal.history),
        executions=await parts.ledger.of_signal(signal_id),
    )
