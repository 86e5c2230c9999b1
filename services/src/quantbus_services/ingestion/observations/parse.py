"""What ccxt answers -> observations and refused rows; pure.

An answer is believed field by field: what is missing stays missing, what is no number, not finite or out of
range is refused with its reason, and nothing is taken from a neighbour.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from quantbus_contracts.errors import ContractError
from quantbus_contracts.schema import FundingRate, MarkPrice, Observation, OpenInterest, Rejection
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Contract", "Parsed", "funding_rates", "mark_history", "mark_prices", "open_interest", "refused"]

Answer = Mapping[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 253_402_300_799_000  # the end of the year 9999, past which no datetime goes
_MINUTE = Timeframe.parse("1m")
_SLACK = timedelta(minutes=1)  # by which a venue's stamps may run ahead of the clock it tells


@dataclass(frozen=True, slots=True)
class Parsed:
    """Observations as they go to the bus, and the rows that may not."""

    observations: tuple[Observation, ...] = ()
    rejections: tuple[Rejection, ...] = ()

    def __add__(self, other: "Parsed") -> "Parsed":
        return Parsed(self.observations + other.observations, self.rejections + other.rejections)


@dataclass(frozen=True, slots=True)
class Contract:
    """What one contract of a derivative stands for; spot markets count in base currency."""

    size: float = 1.0
    is_inverse: bool = False


def funding_rates(rows: Sequence[Answer], instrument: Instrument, *, now: datetime, source: str) -> Parsed:
    """Read settled funding rates; a settlement is named by the nearest full minute."""

    def read(row: Answer) -> Observation:
        return FundingRate(
            symbol=instrument.symbol,
            at=_MINUTE.floor(_moment(row.get("timestamp")) + _MINUTE.delta / 2),
            source=source,
            rate=_required(row, "fundingRate"),
        )

    return _each(rows, read, now)


def mark_prices(
    rows: Iterable[Answer], instruments: Mapping[str, Instrument], *, now: datetime, source: str
) -> Parsed:
    """Read mark prices of the present, of those ``instruments`` (by pair); an answer without a mark is passed over.

    ``now`` is when the answer was there; it stands in where the venue gives no time.
    """

    def read(row: Answer) -> Observation:
        next_at = row.get("fundingTimestamp")
        return MarkPrice(
            symbol=instruments[row["symbol"]].symbol,
            at=_moment(row["timestamp"]) if row.get("timestamp") else now,
            source=source,
            mark=_required(row, "markPrice"),
            index=_optional(row, "indexPrice", zero_is_none=True),
            funding_rate=_optional(row, "fundingRate"),
            next_funding_at=_moment(next_at) if next_at else None,
        )

    wanted = [row for row in rows if row.get("symbol") in instruments and row.get("markPrice") is not None]
    return _each(wanted, read, now)


def mark_history(
    marks: Sequence[Sequence[Any]],
    indices: Sequence[Sequence[Any]],
    instrument: Instrument,
    timeframe: Timeframe,
    *,
    now: datetime,
    source: str,
) -> Parsed:
    """Read candles of mark and index price: the close of each is the price at the instant it closed.

    Both legs come from the candle of the same open time; a mark without its index stands alone. Candles that
    still form are passed over.
    """
    index_at = {row[0]: row[4] for row in indices if len(row) > 4}

    def read(row: Answer) -> Observation:
        opened = _moment(row["opened"])
        return MarkPrice(
            symbol=instrument.symbol,
            at=timeframe.close_of(opened),
            source=source,
            mark=_required(row, "mark"),
            index=_optional(row, "index", zero_is_none=True),
        )

    rows = [
        {"opened": row[0], "mark": row[4] if len(row) > 4 else None, "index": index_at.get(row[0])}
        for row in marks
        if row and not _still_forms(row[0], timeframe, now)
    ]
    return _each(rows, read, now)


def open_interest(
    rows: Sequence[Answer], instrument: Instrument, contract: Contract, *, now: datetime, source: str
) -> Parsed:
    """Read open interest; contracts are turned into currency by their size."""

    def read(row: Answer) -> Observation:
        contracts = _optional(row, "openInterestAmount")
        amount, value = _optional(row, "baseVolume"), _optional(row, "openInterestValue")
        if contracts is not None and contract.is_inverse:
            value = contracts * contract.size if value is None else value
        elif contracts is not None:
            amount = contracts * contract.size if amount is None else amount
        return OpenInterest(
            symbol=instrument.symbol,
            at=_moment(row["timestamp"]) if row.get("timestamp") else now,
            source=source,
            amount=amount,
            value=value,
        )

    return _each(rows, read, now)


def refused(number: int, row: object, error: Exception) -> Rejection:
    """Return why a row does not stand, in the words of the model where it was the model that refused it."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        return Rejection(
            number, field, repr(first["input"])[:200], first["msg"].removeprefix("Value error, ")
        )
    return Rejection(number, "", repr(row)[:200], str(error))


def _each(rows: Sequence[Answer], read: Callable[[Answer], Observation], now: datetime) -> Parsed:
    observations: list[Observation] = []
    rejections: list[Rejection] = []
    for number, row in enumerate(rows):
        try:
            observation = read(row)
            if observation.at > now + _SLACK:
                raise ValueError(f"in the future: {observation.at.isoformat()}, now is {now.isoformat()}")
            observations.append(observation)
        except (ValueError, KeyError, TypeError, ContractError) as error:
            rejections.append(refused(number, row, error))
    return Parsed(tuple(observations), tuple(rejections))


def _still_forms(opened: object, timeframe: Timeframe, now: datetime) -> bool:
    return isinstance(opened, int | float) and _moment(opened) + timeframe.delta > now


def _moment(value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LATEST_MS:
        raise ValueError(f"expected a time in milliseconds, found {value!r}")
    return _EPOCH + timedelta(milliseconds=int(value))


def _required(row: Answer, name: str) -> float:
    found = _optional(row, name)
    if found is None:
        raise ValueError(f"expected {name}, found none")
    return found


def _optional(row: Answer, name: str, *, zero_is_none: bool = False) -> float | None:
    value = row.get(name)
    if value is None or (zero_is_none and value == 0):  # what venues say of an index they do not have
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number for {name}, found {value!r}")
    return float(value)
