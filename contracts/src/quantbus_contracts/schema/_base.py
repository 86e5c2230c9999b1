"""What all documents share: frozen, closed to unknown fields, finite numbers, aware UTC times."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from quantbus_contracts.clock import truncate_to_milliseconds
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES

__all__ = ["Document", "Identifier", "Pair", "Symbol", "TimeframeName", "UtcMoment"]


class Document(BaseModel):
    """A value as it stands on the bus."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _to_utc_milliseconds(moment: datetime) -> datetime:
    if moment.tzinfo is UTC and moment.microsecond % 1_000 == 0:
        return moment
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(
            f"expected a time with its zone, found the naive {moment.isoformat()}; append Z if it is UTC"
        )
    return truncate_to_milliseconds(
        moment.astimezone(UTC) if moment.utcoffset() != timedelta(0) else moment.replace(tzinfo=UTC)
    )


def _known_timeframe(name: str) -> str:
    if name not in SUPPORTED_TIMEFRAMES:
        raise ValueError(f"expected one of {', '.join(SUPPORTED_TIMEFRAMES)}, found {name!r}")
    return name


UtcMoment = Annotated[datetime, AfterValidator(_to_utc_milliseconds)]
"""An aware datetime, turned to UTC and cut to the milliseconds that MongoDB keeps."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""A name that people choose: strategies, consumers, processes."""

Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_]{1,32}:\S{1,64}$")]
"""A bus symbol, ``EXCHANGE:BASEQUOTE``."""

Pair = Annotated[str, StringConstraints(pattern=r"^[^\s/:]{1,32}/[^\s/:]{1,32}(:[^\s/:]{1,48})?$")]
"""A Freqtrade pair, ``BTC/USDT`` or ``BTC/USDT:USDT``."""

TimeframeName = Annotated[str, AfterValidator(_known_timeframe)]
"""The spelling of a supported timeframe."""
