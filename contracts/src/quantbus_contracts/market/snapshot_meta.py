"""What a snapshot says about itself, and the id that follows from what was asked and what was answered. Pure.

The id is the SHA-256 of the question, of every column of the answer and of the version of the form; of nothing else.
So the same question over the same data has the same id, on any machine and at any time, whether or not it is written
to disk; and a corrected bar gives another id.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from quantbus_contracts.bar_arrays import BarArrays
from quantbus_contracts.market.query import MarketQuery

__all__ = ["FORMAT", "FieldMeta", "SnapshotMeta", "SymbolMeta", "meta_of"]

FORMAT = 1
"""The version of what a snapshot is; another one gives other ids."""

_MS = 1000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldMeta(_Part):
    """One column over all symbols; hash and range of float64 values in the order of the rows."""

    sha256: str
    least: float | None
    greatest: float | None
    mean: float | None


class SymbolMeta(_Part):
    """One symbol: its bars, and the share of bars that are missing between the first and the last of the snapshot."""

    rows: int
    first_open_time: str | None
    last_open_time: str | None
    expected: int
    missing_share: float


class SnapshotMeta(_Part):
    """Stands beside the Parquet file as ``snapshot.json``."""

    snapshot_id: str
    format: int
    query: Mapping[str, Any]
    rows: int
    missing_share: float
    symbols: Mapping[str, SymbolMeta]
    fields: Mapping[str, FieldMeta]
    times_sha256: str
    file_sha256: str = ""
    file_bytes: int = 0
    taken_at: str = ""
    """When and with what it was written; no part of the id."""
    software: str = ""


def meta_of(query: MarketQuery, parts: Mapping[str, BarArrays]) -> SnapshotMeta:
    """Describe an answer; what belongs to the file is left empty."""
    times = _sha256(b"".join(_described_times(symbol, bars) for symbol, bars in parts.items()))
    fields = {name: _field(name, parts) for name in query.fields}
    symbols = _symbols(query, parts)
    identity = {
        "format": FORMAT,
        "query": query.as_dict(),
        "times": times,
        "fields": {name: field.sha256 for name, field in fields.items()},
    }
    expected = sum(part.expected for part in symbols.values())
    rows = sum(part.rows for part in symbols.values())
    return SnapshotMeta(
        snapshot_id=_sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()),
        format=FORMAT,
        query=query.as_dict(),
        rows=rows,
        missing_share=_share(expected - rows, expected),
        symbols=symbols,
        fields=fields,
        times_sha256=times,
    )


def _described_times(symbol: str, bars: BarArrays) -> bytes:
    return f"{symbol}|{len(bars)}|".encode() + np.ascontiguousarray(bars.open_times_ms, "<i8").tobytes()


def _field(name: str, parts: Mapping[str, BarArrays]) -> FieldMeta:
    column = np.concatenate([np.empty(0), *(bars.columns[name] for bars in parts.values())])
    least, greatest, mean = (
        (float(column.min()), float(column.max()), float(column.mean()))
        if len(column)
        else (None, None, None)
    )
    digest = _sha256(np.ascontiguousarray(column, "<f8").tobytes())
    return FieldMeta(sha256=digest, least=least, greatest=greatest, mean=mean)


def _symbols(query: MarketQuery, parts: Mapping[str, BarArrays]) -> dict[str, SymbolMeta]:
    """Missing is what lies between the first and the last bar that any symbol has: a listing later than that counts."""
    filled = [bars.open_times_ms for bars in parts.values() if len(bars)]
    step = query.timeframe.seconds * _MS
    first = min((int(times[0]) for times in filled), default=0)
    last = max((int(times[-1]) for times in filled), default=-step)
    expected = (last - first) // step + 1
    return {
        symbol: SymbolMeta(
            rows=len(bars),
            first_open_time=_told(bars, 0),
            last_open_time=_told(bars, -1),
            expected=expected,
            missing_share=_share(expected - len(bars), expected),
        )
        for symbol, bars in parts.items()
    }


def _told(bars: BarArrays, at: int) -> str | None:
    if len(bars) == 0:
        return None
    return f"{np.datetime64(int(bars.open_times_ms[at]), 'ms')}+00:00"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
