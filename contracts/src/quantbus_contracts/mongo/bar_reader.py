"""Reads the bars of many symbols as columns: sealed blocks where there are any, rows for the rest.

Rows are the truth. A block that is sealed holds what its rows hold (`quantbus_contracts.mongo.block_marks` says why);
a block that fails its checksum is passed over, with a warning, and its rows are read instead. Every question asks for
a bounded number of documents and has a time-out of its own, so a long history takes long and does not fail.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from quantbus_contracts.bar_arrays import BarArrays
from quantbus_contracts.collections import candle_collection
from quantbus_contracts.errors import BusContended, BusUnavailable
from quantbus_contracts.mongo.block_codec import DamagedBlock, unpack
from quantbus_contracts.mongo.block_marks import BLOCKS
from quantbus_contracts.mongo.block_spans import day_of, span_length, span_start
from quantbus_contracts.mongo.raw_bars import bars_of_raw, batch_of
from quantbus_contracts.mongo.steps import Call, Row, Steps, find, find_raw, new_deadline
from quantbus_contracts.timeframe import Timeframe

__all__ = ["read_bars", "read_rows"]

_log = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCKS_AT_ONCE = 500
_ROWS_AT_ONCE = 30_000  # at most 430 bytes each by the validator, so they fit into one answer
Span = tuple[datetime, datetime]


@dataclass(slots=True)
class _Found:
    """What was read so far, by symbol."""

    parts: dict[str, list[BarArrays]] = field(default_factory=lambda: defaultdict(list))
    covered: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))


def read_bars(
    symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime, fields: Sequence[str]
) -> Steps[dict[str, BarArrays]]:
    """Return the bars that open in ``[start, end)`` of every symbol, from blocks and rows."""
    found = _Found()
    yield from _read_blocks(found, sorted(symbols), timeframe, start, end, fields)
    holes: dict[Span, list[str]] = defaultdict(list)
    for symbol in sorted(symbols):
        for hole in _holes(found.covered[symbol], start, end):
            holes[hole].append(symbol)
    for (first, last), lacking in holes.items():
        yield from _read_rows(found, lacking, timeframe, first, last, fields)
    return {symbol: BarArrays.join(found.parts[symbol], fields) for symbol in symbols}


def read_rows(
    symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime, fields: Sequence[str]
) -> Steps[dict[str, BarArrays]]:
    """Return the bars that open in ``[start, end)`` of every symbol, from rows alone."""
    found = _Found()
    yield from _read_rows(found, sorted(symbols), timeframe, start, end, fields)
    return {symbol: BarArrays.join(found.parts[symbol], fields) for symbol in symbols}


def _read_blocks(
    found: _Found,
    symbols: list[str],
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    fields: Sequence[str],
) -> Steps[None]:
    if start >= end:
        return
    days = {"$gte": day_of(span_start(timeframe, start)), "$lt": _day_after(timeframe, end)}
    projection = dict.fromkeys(("symbol", "day", "bars", "times", *fields), 1)
    place: Row | None = None
    while symbols:
        yield new_deadline()
        rows: list[Row] = yield find(
            BLOCKS,
            _from_place(symbols, place, "day", days) | {"timeframe": timeframe.name, "sealed": True},
            projection,
            sort=[("symbol", 1), ("timeframe", 1), ("day", 1)],
            limit=_BLOCKS_AT_ONCE,
            batch_size=_BLOCKS_AT_ONCE,
        )
        for row in rows:
            _take(found, row, timeframe, start, end, fields)
        if len(rows) < _BLOCKS_AT_ONCE:
            return
        place = rows[-1]
        symbols = [symbol for symbol in symbols if symbol >= place["symbol"]]


def _take(
    found: _Found, row: Row, timeframe: Timeframe, start: datetime, end: datetime, fields: Sequence[str]
) -> None:
    begins = datetime.strptime(f"{row['day']}+0000", "%Y%m%d%z")
    try:
        bars = unpack(row, timeframe, begins, fields)
    except DamagedBlock as error:
        _log.warning("%s; its rows are read instead, `quantbus market seal --check` finds all such", error)
        return
    found.covered[row["symbol"]].append((begins, begins + span_length(timeframe)))
    found.parts[row["symbol"]].append(bars.between(_ms(start), _ms(end)))


def _read_rows(
    found: _Found,
    symbols: list[str],
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    fields: Sequence[str],
) -> Steps[None]:
    when = "date" if timeframe.is_daily else "datetime"
    place: Row | None = None
    while symbols and start < end:
        yield new_deadline()
        bounds = {"$gte": _stored(timeframe, start), "$lt": _stored(timeframe, end)}
        query = _from_place(symbols, place, when, bounds)
        order = {"symbol": 1, when: 1}
        question = find_raw(candle_collection(timeframe), query, sort=order, limit=_ROWS_AT_ONCE)
        cursor = yield from _asked_twice(question)
        count = 0
        for symbol, bars in bars_of_raw(batch_of(cursor), timeframe, fields):
            found.parts[symbol].append(bars)
            count += len(bars)
            place = {"symbol": symbol, when: bars}
        if count < _ROWS_AT_ONCE or place is None:
            return
        last = _EPOCH + timedelta(milliseconds=int(place[when].open_times_ms[-1]))
        place = {"symbol": place["symbol"], when: _stored(timeframe, last)}
        symbols = [symbol for symbol in symbols if symbol >= place["symbol"]]


def _asked_twice(question: Call) -> Steps[bytes]:
    """Ask again, within the same time-out, where the connection broke: the driver does so for all but commands."""
    reply: bytes
    try:
        reply = yield question
    except BusContended:
        raise
    except BusUnavailable:
        reply = yield question
    return reply


def _from_place(symbols: list[str], place: Row | None, name: str, bounds: Row) -> Row:
    """Return the filter for what follows ``place`` in the order of symbol and ``name``; ``symbols`` begins with its."""
    if place is None:
        return {"symbol": {"$in": symbols}, name: bounds}
    here: Row = {"symbol": place["symbol"], name: {**bounds, "$gt": place[name]}}
    rest: Row = {"symbol": {"$in": symbols[1:]}, name: bounds}
    return {"$or": [here, rest]} if symbols[1:] else here


def _holes(covered: list[Span], start: datetime, end: datetime) -> list[Span]:
    holes = []
    at = start
    for first, last in covered:
        if first > at:
            holes.append((at, min(first, end)))
        at = max(at, last)
    return [*holes, (at, end)] if at < end else holes


def _day_after(timeframe: Timeframe, end: datetime) -> str:
    return day_of(span_start(timeframe, end - timedelta(milliseconds=1)) + timedelta(days=1))


def _stored(timeframe: Timeframe, moment: datetime) -> datetime | str:
    """Return how rows spell a time; one inside a day comes out as the next day, where 1d bars are meant."""
    if not timeframe.is_daily:
        return moment
    floor = timeframe.floor(moment)
    return f"{floor if floor == moment else floor + timeframe.delta:%Y%m%d}"


def _ms(moment: datetime) -> int:
    """Return the first whole millisecond at or after ``moment``."""
    return -((_EPOCH - moment) // timedelta(milliseconds=1))
