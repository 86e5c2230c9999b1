"""What clients may ask for, as types: whatever reaches the bus has passed one of these."""

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, BeforeValidator

from quantbus_contracts.clock import truncate_to_milliseconds
from quantbus_contracts.mongo.signal_pages import PageKey
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES
from quantbus_services.gateway.errors import ApiError, Code, Detail
from quantbus_services.gateway.rows import MOMENT

__all__ = [
    "Cursor",
    "DryRun",
    "Limit",
    "Moment",
    "Pairs",
    "SignalId",
    "StrategyId",
    "StrategyPath",
    "TimeframeName",
    "View",
    "cursor_of",
    "key_of",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STRATEGY = r"^[A-Za-z0-9_.-]{1,64}$"


def _moment(text: object) -> datetime:
    if not isinstance(text, str) or not MOMENT.fullmatch(text):
        raise ValueError("expected an RFC 3339 time from 1970 to 2099, as 2026-01-05T12:00:00Z")
    return truncate_to_milliseconds(datetime.fromisoformat(text).astimezone(UTC))


def _timeframe(name: str) -> str:
    if name not in SUPPORTED_TIMEFRAMES:
        raise ValueError(f"expected one of {', '.join(SUPPORTED_TIMEFRAMES)}")
    return name


Moment = Annotated[datetime, BeforeValidator(_moment)]
StrategyId = Annotated[str, Query(pattern=_STRATEGY, examples=["momentum-1h"])]
StrategyPath = Annotated[str, Path(pattern=_STRATEGY, examples=["momentum-1h"])]
TimeframeName = Annotated[
    str, AfterValidator(_timeframe), Query(json_schema_extra={"enum": list(SUPPORTED_TIMEFRAMES)})
]
Pairs = Annotated[
    list[Annotated[str, Query(pattern=r"^\S{3,128}$")]],
    Query(alias="pair", max_length=200, description="Repeat it for several; all pairs where it is left out."),
]
View = Annotated[
    Literal["latest", "range"],
    Query(
        description="`latest`: the newest signal of each pair; `range`: all, the oldest first in each pair."
    ),
]
Limit = Annotated[int, Query(ge=1, le=1_000)]
SignalId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=["0123456789abcdef0123456789abcdef"])]
Cursor = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9_-]{1,400}$", description="`next_cursor` of the page before."),
]


DryRun = Annotated[bool, Query(description="Say what would become of the rows; write nothing.")]


def cursor_of(key: PageKey | None) -> str | None:
    """Return what continues after ``key``."""
    if key is None:
        return None
    plain = json.dumps([key.pair, (key.ts - _EPOCH) // timedelta(milliseconds=1)])
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def key_of(cursor: str | None) -> PageKey | None:
    """Return where the page before ended.

    Raises
    ------
    ApiError
        If the cursor is none of ours.
    """
    if cursor is None:
        return None
    try:
        pair, milliseconds = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if type(pair) is str and pair and type(milliseconds) is int:
            return PageKey(pair, _EPOCH + timedelta(milliseconds=milliseconds))
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        pass
    raise ApiError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        Code.INVALID,
        "the request is not valid",
        details=[Detail(field="cursor", reason="expected the next_cursor of a page")],
    )
