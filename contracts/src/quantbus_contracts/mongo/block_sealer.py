"""Seals blocks: packs the bars of spans that are over into `crypto_blocks`, and checks those that are there.

Who seals reads the rows of some spans and writes their blocks in one transaction. Whoever changes a bar writes the
span's block document too (`quantbus_contracts.mongo.block_marks`), so where the two meet, the database lets one of
them commit and the other begin again. Sealing twice changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from pymongo import UpdateOne

from quantbus_contracts.bar_arrays import FIELDS, BarArrays
from quantbus_contracts.collections import candle_collection
from quantbus_contracts.errors import BusContended
from quantbus_contracts.mongo.bar_reader import read_rows
from quantbus_contracts.mongo.block_codec import DamagedBlock, pack, unpack
from quantbus_contracts.mongo.block_marks import BLOCKS, opening
from quantbus_contracts.mongo.block_spans import block_id, day_of, may_be_sealed, span_length, span_start
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.steps import (
    Row,
    Steps,
    bulk_write,
    find,
    in_transaction,
    new_deadline,
    pause,
    server_time,
)
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncBlockSealer", "BlockSealer", "SealReport"]

_BARS_AT_ONCE = (
    20_000  # a transaction must end well within the server's limit, three seconds where it is ours
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ATTEMPTS = 8
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class SealReport:
    """What became of the blocks of one series."""

    symbol: str
    timeframe: Timeframe
    sealed: int = 0
    """Sealed by this call."""
    standing: int = 0
    """Found sealed (and, where that was asked, found to be what their rows are)."""
    empty: int = 0
    """Spans between the first and the last bar without any bar; they have no block."""
    damaged: tuple[str, ...] = ()
    """Days of blocks that were not what their rows are."""
    contended: int = 0
    """Left unsealed because bars changed again and again meanwhile."""

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain values, ready for JSON."""
        return {
            "symbol": self.symbol,
            "timeframe": self.timeframe.name,
            "sealed": self.sealed,
            "standing": self.standing,
            "empty": self.empty,
            "damaged": list(self.damaged),
            "contended": self.contended,
        }


def _seal(
    symbol: str, timeframe: Timeframe, *, check: bool, bars_at_once: int = _BARS_AT_ONCE
) -> Steps[SealReport]:
    now: datetime = yield server_time()
    bounds = yield from _first_and_last(symbol, timeframe)
    if bounds is None:
        return SealReport(symbol, timeframe)
    length = span_length(timeframe)
    first = span_start(timeframe, bounds[0])
    count = (span_start(timeframe, bounds[1]) - first) // length + 1
    spans = [first + number * length for number in range(count)]
    spans = [span for span in spans if may_be_sealed(timeframe, span, now)]
    standing = yield from _standing(symbol, timeframe)
    damaged = (yield from _damaged(symbol, timeframe, [s for s in spans if s in standing])) if check else []
    wanted = sorted({*(span for span in spans if span not in standing), *damaged})
    sealed = empty = contended = 0
    at_once = max(1, bars_at_once * timeframe.seconds // round(length.total_seconds()))
    for begin in range(0, len(wanted), at_once):
        group = wanted[begin : begin + at_once]
        made = yield from _seal_group(symbol, timeframe, group, now)
        if made is None:
            contended += len(group)
        else:
            sealed, empty = sealed + made, empty + len(group) - made
    kept = len(standing.intersection(spans)) - len(damaged)
    days = tuple(day_of(span) for span in damaged)
    return SealReport(symbol, timeframe, sealed, kept, empty, days, contended)


def _first_and_last(symbol: str, timeframe: Timeframe) -> Steps[tuple[datetime, datetime] | None]:
    when = "date" if timeframe.is_daily else "datetime"
    found = []
    for direction in (1, -1):
        rows = yield find(
            candle_collection(timeframe),
            {"symbol": {"$eq": symbol}},
            {when: 1, "_id": 0},
            sort=[("symbol", direction), (when, direction)],
            limit=1,
        )
        if not rows:
            return None
        found.append(_day(rows[0]["date"]) if timeframe.is_daily else rows[0]["datetime"])
    return found[0], found[1]


def _day(text: str) -> datetime:
    return datetime.strptime(f"{text}+0000", "%Y%m%d%z")


def _standing(symbol: str, timeframe: Timeframe) -> Steps[set[datetime]]:
    rows = yield find(
        BLOCKS,
        {"symbol": {"$eq": symbol}, "timeframe": timeframe.name, "sealed": True},
        {"day": 1, "_id": 0},
        batch_size=100_000,
    )
    return {_day(row["day"]) for row in rows}


def _seal_group(
    symbol: str, timeframe: Timeframe, spans: Sequence[datetime], now: datetime
) -> Steps[int | None]:
    """Seal spans at once; return how many of them have bars, None where writers would not let it be done."""
    for attempt in range(1, _ATTEMPTS + 1):
        yield new_deadline()
        try:
            return (yield from in_transaction(_read_and_write(symbol, timeframe, spans, now)))
        except BusContended:
            yield pause(_PAUSE_SECONDS * attempt)
    return None


def _read_and_write(
    symbol: str, timeframe: Timeframe, spans: Sequence[datetime], now: datetime
) -> Steps[int]:
    requests: list[UpdateOne] = []
    filled: set[datetime] = set()
    for first, last in _runs(spans, span_length(timeframe)):
        read = yield from read_rows([symbol], timeframe, first, last, FIELDS)
        for start, bars in _by_span(read[symbol], timeframe):
            filled.add(start)
            row: Row = {
                "symbol": symbol,
                "timeframe": timeframe.name,
                "day": day_of(start),
                "sealed": True,
                "sealed_at": now,
                **pack(bars, symbol, timeframe, start),
            }
            stale = {} if "times" in row else {"$unset": {"times": ""}}
            update = {"$set": row, "$inc": {"generation": 1}, **stale}
            requests.append(UpdateOne({"_id": block_id(symbol, timeframe, start)}, update, upsert=True))
    # A block of bars that somebody removed by hand must not go on being read.
    requests += [opening(symbol, timeframe, span, upsert=False) for span in spans if span not in filled]
    yield bulk_write(BLOCKS, requests)
    return len(filled)


def _runs(spans: Sequence[datetime], length: timedelta) -> list[tuple[datetime, datetime]]:
    runs: list[tuple[datetime, datetime]] = []
    for span in spans:
        if runs and runs[-1][1] == span:
            runs[-1] = (runs[-1][0], span + length)
        else:
            runs.append((span, span + length))
    return runs


def _by_span(bars: BarArrays, timeframe: Timeframe) -> list[tuple[datetime, BarArrays]]:
    if len(bars) == 0:
        return []
    length_ms = round(span_length(timeframe).total_seconds()) * 1000
    numbers = np.unique(bars.open_times_ms // length_ms).tolist()
    return [
        (
            _EPOCH + timedelta(milliseconds=number * length_ms),
            bars.between(number * length_ms, (number + 1) * length_ms),
        )
        for number in numbers
    ]


def _damaged(symbol: str, timeframe: Timeframe, spans: Sequence[datetime]) -> Steps[list[datetime]]:
    """Return the spans whose sealed blocks are not, bit for bit, what their rows are at the same instant."""
    damaged = []
    for span in spans:
        yield new_deadline()
        sound = yield from in_transaction(_is_sound(symbol, timeframe, span))
        if not sound:
            damaged.append(span)
    return damaged


def _is_sound(symbol: str, timeframe: Timeframe, span: datetime) -> Steps[bool]:
    found = yield find(BLOCKS, {"_id": block_id(symbol, timeframe, span), "sealed": True})
    if not found:
        return True  # opened meanwhile, so nobody reads it
    end = span + span_length(timeframe)
    rows = (yield from read_rows([symbol], timeframe, span, end, FIELDS))[symbol]
    try:
        bars = unpack(found[0], timeframe, span, FIELDS)
    except DamagedBlock:
        return False
    return np.array_equal(bars.open_times_ms, rows.open_times_ms) and all(
        bars.columns[name].tobytes() == rows.columns[name].tobytes() for name in FIELDS
    )


class BlockSealer:
    """Seals the blocks of series, synchronously; for ingestion and for `quantbus market seal`."""

    def __init__(self, connection: Connection) -> None:
        """Seal over ``connection``, whose user may write the market database."""
        self._connection = connection

    def seal(self, symbol: str, timeframe: Timeframe, *, check: bool = False) -> SealReport:
        """Seal every span of the series that is over and not sealed yet.

        With ``check`` every block that stands is compared with its rows as well, and sealed anew where it differs.
        """
        return self._connection.run(_seal(symbol, timeframe, check=check))


class AsyncBlockSealer:
    """Seals the blocks of series, asynchronously."""

    def __init__(self, connection: AsyncConnection, *, bars_at_once: int = _BARS_AT_ONCE) -> None:
        """Seal over ``connection``, whose user may write the market database.

        The event loop stands still while the bars of one transaction are packed: ``bars_at_once`` bounds them (a
        block is never cut).
        """
        self._connection = connection
        self._bars_at_once = bars_at_once

    async def seal(self, symbol: str, timeframe: Timeframe, *, check: bool = False) -> SealReport:
        """Seal every span of the series that is over and not sealed yet; see `BlockSealer.seal`."""
        return await self._connection.run(
            _seal(symbol, timeframe, check=check, bars_at_once=self._bars_at_once)
        )
