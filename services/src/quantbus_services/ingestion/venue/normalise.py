"""Rows as ccxt gives them -> closed candles and refused rows; pure.

The last row of an exchange's answer is usually the forming candle. It is told from a closed one by the
venue's clock, never by its position.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quantbus_contracts.schema import Candle, Rejection, ohlcv_fault
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Normalised", "Row", "is_garbage", "moment_of", "opened_before", "to_candles"]

Row = Sequence[object]
"""``[open time in ms, open, high, low, close, volume]``, as yet unproven."""

_FIELDS = ("open", "high", "low", "close", "volume")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 253_402_300_799_000  # the end of the year 9999, past which no datetime goes


@dataclass(frozen=True, slots=True)
class Normalised:
    """Closed candles in time order, one per open time; the refused rows; how many still form."""

    candles: tuple[Candle, ...]
    rejections: tuple[Rejection, ...]
    forming: int = 0
    refused: tuple[tuple[datetime, str], ...] = ()
    """Open times of refused rows that have one, with the reason."""


def is_garbage(rows: object) -> bool:
    """Tell whether an answer is not candles at all, as ccxt makes of an HTML page with status 200."""
    if not isinstance(rows, list):
        return True
    return any(
        not isinstance(row, list | tuple) or len(row) < 6 or _milliseconds(row[0]) is None for row in rows
    )


def moment_of(value: object) -> datetime | None:
    """Return the time that a venue gives in milliseconds; None if it is none."""
    milliseconds = _milliseconds(value)
    return None if milliseconds is None else _EPOCH + timedelta(milliseconds=milliseconds)


def opened_before(row: Row, latest: datetime) -> bool:
    """Tell whether a row's open time is at or before ``latest``."""
    opened = moment_of(row[0])
    return opened is not None and opened <= latest


def to_candles(
    rows: Sequence[Row], instrument: Instrument, timeframe: Timeframe, *, now: datetime, source: str
) -> Normalised:
    """Turn rows into candles that are closed at ``now``; refuse the others, each with its reason.

    Of several rows with one open time the last one counts: venues append the corrected candle.
    """
    candles: dict[datetime, Candle] = {}
    rejections: list[Rejection] = []
    refused: list[tuple[datetime, str]] = []
    forming = 0
    for number, row in enumerate(rows):
        open_time = moment_of(row[0]) if row else None
        if open_time is None:
            rejections.append(Rejection(number, "ts", repr(row[0] if row else None), "open_time_missing"))
            continue
        fault = _fault(row, open_time, timeframe)
        if fault is not None:
            rejections.append(Rejection(number, *fault))
            refused.append((open_time, fault[2]))
        elif open_time + timeframe.delta > now:
            forming += 1
        else:
            candles[open_time] = _candle(row, open_time, instrument, timeframe, source)
    ordered = tuple(candles[moment] for moment in sorted(candles))
    return Normalised(ordered, tuple(rejections), forming, tuple(refused))


def _milliseconds(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 < value <= _LATEST_MS else None


def _fault(row: Row, open_time: datetime, timeframe: Timeframe) -> tuple[str, str, str] | None:
    """Return (field, value, reason) of the first rule the row breaks."""
    if not timeframe.is_open_time(open_time):
        return "ts", open_time.isoformat(), "misaligned"
    numbers: list[float] = []
    for name, value in zip(_FIELDS, row[1:6], strict=False):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return name, repr(value), f"{name}_not_a_number"
        numbers.append(float(value))
    if len(numbers) < len(_FIELDS):
        return "volume", repr(list(row)), "row_too_short"
    fault = ohlcv_fault(*numbers)
    if fault is None:
        return None
    reason, value = fault
    return reason.split("_", maxsplit=1)[0], repr(value), reason


def _candle(
    row: Row, open_time: datetime, instrument: Instrument, timeframe: Timeframe, source: str
) -> Candle:
    open_, high, low, close, volume = (float(value) for value in row[1:6])  # type: ignore[arg-type]  # _fault looked
    return Candle(
        symbol=instrument.symbol,
        timeframe=timeframe.name,
        open_time=open_time,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume,
        source=source,
    )
