"""Packs the bars of a span into the columns of a block, and back; pure.

Each column is four bytes of checksum and then the numbers, compressed with LZ4 (bars are read far more often than
they are packed, and LZ4 is read fastest). The checksum covers the compressed bytes, which block and which column it
is, and how many bars it holds; so a column that was cut, changed or moved is found out. A span that has all its bars
needs no times.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from quantbus_contracts.bar_arrays import FIELDS, BarArrays, Integers
from quantbus_contracts.errors import BusError
from quantbus_contracts.mongo.block_spans import block_id, span_length
from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.timeframe import Timeframe

__all__ = ["DamagedBlock", "pack", "unpack"]

_CODEC = pa.Codec("lz4")


class DamagedBlock(BusError):
    """A block is not what it was sealed as."""


def pack(bars: BarArrays, symbol: str, timeframe: Timeframe, start: datetime) -> Row:
    """Return columns and count of the block whose span begins at ``start`` and has these bars, at least one."""
    identity = block_id(symbol, timeframe, start)
    full = span_length(timeframe).total_seconds() / timeframe.seconds
    row: Row = {"bars": len(bars)}
    if len(bars) != full:
        steps = (bars.open_times_ms - _ms(start)) // (timeframe.seconds * 1000)
        row["times"] = _pressed(steps.astype("<i4").tobytes(), identity, "times", len(bars))
    for name in FIELDS:
        numbers = np.ascontiguousarray(bars.columns[name], dtype="<f8").tobytes()
        row[name] = _pressed(numbers, identity, name, len(bars))
    return row


def unpack(
    row: Mapping[str, object], timeframe: Timeframe, start: datetime, fields: Sequence[str]
) -> BarArrays:
    """Return the bars of a block.

    Raises
    ------
    DamagedBlock
        If a column is missing or is not what was sealed.
    """
    identity, count = str(row["_id"]), row.get("bars")
    if not isinstance(count, int) or count < 1:
        raise DamagedBlock(f"block {identity}: expected how many bars it holds, found {count!r}")
    full = round(span_length(timeframe).total_seconds() / timeframe.seconds)
    step = timeframe.seconds * 1000
    if "times" in row:
        steps = np.frombuffer(_eased(row, "times", identity, count, 4), "<i4").astype(np.int64)
    elif count == full:
        steps = np.arange(full, dtype=np.int64)
    else:
        raise DamagedBlock(f"block {identity}: expected {full} bars or their times, found {count} without")
    times: Integers = steps * step + _ms(start)
    return BarArrays(
        times, {name: np.frombuffer(_eased(row, name, identity, count, 8), "<f8") for name in fields}
    )


def _pressed(numbers: bytes, identity: str, name: str, count: int) -> bytes:
    pressed = bytes(_CODEC.compress(numbers, asbytes=True))
    return struct.pack("<I", _checksum(pressed, identity, name, count)) + pressed


def _eased(row: Mapping[str, object], name: str, identity: str, count: int, width: int) -> memoryview:
    stored = row.get(name)
    if not isinstance(stored, bytes) or len(stored) < 4:
        raise DamagedBlock(f"block {identity}: expected the column {name!r}, found {type(stored).__name__}")
    pressed = memoryview(stored)[4:]
    if struct.unpack_from("<I", stored)[0] != _checksum(pressed, identity, name, count):
        raise DamagedBlock(f"block {identity}: the checksum of the column {name!r} does not hold")
    return memoryview(_CODEC.decompress(pressed, count * width))


def _checksum(pressed: bytes | memoryview, identity: str, name: str, count: int) -> int:
    return zlib.crc32(pressed, zlib.crc32(f"{identity}|{name}|{count}".encode()))


def _ms(moment: datetime) -> int:
    return round(moment.astimezone(UTC).timestamp()) * 1000
