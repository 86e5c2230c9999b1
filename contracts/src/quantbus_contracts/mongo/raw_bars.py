"""Reads bars out of raw BSON with numpy, many rows at a time.

Writers of bars always write the same fields in the same order, so the rows of one symbol are all of one length and
differ only in their values. The first row of a stretch is walked through by its BSON rules; of the rows that follow,
every byte that is not a value (lengths, types, names, the symbol) is compared with the first row's, and where all of
them agree, values are read at their places. A row that differs begins the next stretch; one that is laid out in an
unexpected way (a whole number where a double belongs) is decoded by the driver. Nothing is guessed.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import bson
import numpy as np

from quantbus_contracts.bar_arrays import BarArrays, Floats, Integers
from quantbus_contracts.errors import BusError
from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.timeframe import Timeframe

__all__ = ["bars_of_raw", "batch_of"]

_DOUBLE, _STRING, _DATE, _LONG = 0x01, 0x02, 0x09, 0x12
_SIZES = {_DOUBLE: 8, 0x07: 12, 0x08: 1, _DATE: 8, 0x0A: 0, 0x10: 4, 0x11: 8, _LONG: 8}
_DAY_BYTES = 8
_DAY_MS = 86_400_000
_FEW, _MANY = 64, 4_096
"""Rows that are compared at once: few at first, and at most as many as stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a row is laid out: where its time and its numbers stand, and which bytes all rows of a stretch share."""

    length: int
    symbol: str
    when: int
    fields: tuple[int, ...]
    fixed: tuple[tuple[int, int], ...]
    """Eight-byte words that must agree: (offset, mask)."""


def batch_of(cursor: bytes) -> bytes:
    """Return the inside of the array of documents in the server's answer to ``find``.

    Raises
    ------
    BusError
        If not all that was asked for fitted into the answer.
    """
    batch, left, at = None, 0, 4
    while cursor[at]:
        kind, stop = cursor[at], cursor.index(0, at + 1)
        name, at = cursor[at + 1 : stop], stop + 1
        size = _SIZES.get(kind, 0) or struct.unpack_from("<i", cursor, at)[0] + 4 * (kind == _STRING)
        if name == b"firstBatch":
            batch = cursor[at + 4 : at + size - 1]
        elif name == b"id":
            left = struct.unpack_from("<q", cursor, at)[0]
        at += size
    if batch is None or left:
        raise BusError(
            "expected all the bars that were asked for in one answer of the server, found a part of them"
        )
    return batch


def bars_of_raw(raw: bytes, timeframe: Timeframe, fields: Sequence[str]) -> Iterator[tuple[str, BarArrays]]:
    """Yield (symbol, bars) stretch by stretch, in the order of the rows; a symbol may come in several stretches.

    ``raw`` is the inside of a BSON array, as `batch_of` finds it: type, number in digits, a zero, the row.

    Raises
    ------
    BusError
        If a row is no bar.
    """
    offset = 0
    while offset < len(raw):
        layout = _layout(raw, offset, timeframe, fields)
        if layout is None:
            start = raw.index(0, offset) + 1
            length = struct.unpack_from("<i", raw, start)[0]
            yield _decoded(bson.decode(raw[start : start + length]), timeframe, fields)
            offset = start + length
            continue
        count = _alike(raw, offset, layout)
        yield layout.symbol, _read(raw, offset, count, layout, timeframe, fields)
        offset += count * layout.length


def _layout(raw: bytes, offset: int, timeframe: Timeframe, fields: Sequence[str]) -> _Layout | None:
    """Walk through one element and its row; None if it is not laid out as writers of bars do."""
    before = raw.index(0, offset) + 1 - offset
    length = before + struct.unpack_from("<i", raw, offset + before)[0]
    when = ("date", _STRING) if timeframe.is_daily else ("datetime", _DATE)
    values: dict[str, tuple[int, int]] = {}
    variable = bytearray(length)
    variable[1 : before - 1] = b"\x01" * (before - 2)
    symbol, at, end = "", before + 4, length - 1
    while at < end:
        kind = raw[offset + at]
        stop = raw.index(0, offset + at + 1) - offset
        name = raw[offset + at + 1 : offset + stop].decode()
        at = stop + 1
        if kind == _STRING:
            size = struct.unpack_from("<i", raw, offset + at)[0] - 1
            at += 4
            if name == "symbol":
                symbol = raw[offset + at : offset + at + size].decode()
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            return None
        if name != "symbol":
            variable[at : at + size] = b"\x01" * size
        values[name] = (kind, at)
        at += size + (kind == _STRING)
    expected = {name: _DOUBLE for name in fields} | {when[0]: when[1]}
    if (
        not symbol
        or length < 8
        or any(values.get(name, (0, 0))[0] != kind for name, kind in expected.items())
    ):
        return None
    return _Layout(
        length,
        symbol,
        values[when[0]][1],
        tuple(values[name][1] for name in fields),
        _fixed_words(variable),
    )


def _fixed_words(variable: bytearray) -> tuple[tuple[int, int], ...]:
    words = []
    for start in [*range(0, len(variable) - 8, 8), len(variable) - 8]:
        mask = bytes(0 if changes else 0xFF for changes in variable[start : start + 8])
        if any(mask):
            words.append((start, int.from_bytes(mask, "little")))
    return tuple(words)


def _alike(raw: bytes, offset: int, layout: _Layout) -> int:
    """Return how many rows from ``offset`` on are laid out alike; at least 1."""
    most = (len(raw) - offset) // layout.length
    counted, step = 1, _FEW
    while counted < most:
        rows = min(step, most - counted)
        start = offset + counted * layout.length
        differs = np.zeros(rows, dtype="<u8")
        for place, mask in layout.fixed:
            word = np.ndarray((rows,), "<u8", raw, start + place, (layout.length,))
            first = np.frombuffer(raw, "<u8", 1, offset + place)
            differs |= (word ^ first) & np.uint64(mask)
        if differs.any():
            return counted + int(np.flatnonzero(differs)[0])
        counted += rows
        step = min(step * 4, _MANY)
    return counted


def _read(
    raw: bytes, offset: int, count: int, layout: _Layout, timeframe: Timeframe, fields: Sequence[str]
) -> BarArrays:
    def column(place: int, kind: str) -> Floats:
        return np.ndarray((count,), kind, raw, offset + place, (layout.length,)).copy()

    if timeframe.is_daily:
        texts = np.ndarray((count, _DAY_BYTES), "u1", raw, offset + layout.when, (layout.length, 1))
        times = _days(texts.copy())
    else:
        times = column(layout.when, "<i8").astype(np.int64, copy=False)
    numbers = {name: column(place, "<f8") for name, place in zip(fields, layout.fields, strict=True)}
    return BarArrays(times, numbers)


def _days(texts: "np.typing.NDArray[np.uint8]") -> Integers:
    digits = texts.astype(np.int64) - ord("0")
    year, month, day = (digits[:, part] @ weights for part, weights in _PARTS)
    months = ((year - 1970) * 12 + (month - 1)).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    sound = (digits >= 0).all() and (digits <= 9).all() and ((month >= 1) & (month <= 12)).all()
    if not sound or (days.astype("datetime64[M]") != months).any():
        raise BusError("expected dates as YYYYMMDD in crypto_market, found one that is no day")
    found: Integers = days.astype(np.int64) * _DAY_MS
    return found


_PARTS = (
    (slice(0, 4), np.array([1000, 100, 10, 1])),
    (slice(4, 6), np.array([10, 1])),
    (slice(6, 8), np.array([10, 1])),
)


def _decoded(row: Row, timeframe: Timeframe, fields: Sequence[str]) -> tuple[str, BarArrays]:
    try:
        if timeframe.is_daily:
            moment = np.datetime64(f"{row['date'][:4]}-{row['date'][4:6]}-{row['date'][6:8]}", "ms")
        else:
            moment = np.datetime64(row["datetime"].replace(tzinfo=None), "ms")
        numbers = {name: np.array([float(row[name])]) for name in fields}
        return str(row["symbol"]), BarArrays(np.array([moment.astype(np.int64)]), numbers)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BusError(f"expected a bar, found the row {row.get('_id')!r}: {error!r}") from None
