"""Freqtrade's JSON files of candles, plain or compressed: a list of ``[milliseconds, o, h, l, c, v]``."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from quantbus_contracts.errors import ContractError
from quantbus_contracts.schema import Rejection
from quantbus_services.ingestion.files.bars import OHLCV, FileBars, epoch_milliseconds

__all__ = ["read_freqtrade_json"]

_DAMAGED = (OSError, EOFError, UnicodeDecodeError, ValueError, RecursionError, zlib.error)
_WIDTH = 1 + len(OHLCV)


def read_freqtrade_json(path: Path) -> FileBars:
    """Read a file as Freqtrade's ``json`` and ``jsongz`` formats write it; rows of another form are refused.

    Raises
    ------
    ContractError
        If the file is damaged or no list.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()
        rows = json.loads(raw)
    except _DAMAGED as error:
        raise ContractError(
            f"{path.name} is no complete JSON file ({error}); fetch or export it again"
        ) from error
    if not isinstance(rows, list) or (rows and not any(isinstance(row, list) for row in rows)):
        raise ContractError(
            f"{path.name}: expected Freqtrade's candles (a list of [time, open, high, low, close, volume]), "
            f"found {str(rows)[:60]!r}"
        )
    return _bars(rows)


def _bars(rows: list[Any]) -> FileBars:
    sound = [number for number, row in enumerate(rows, start=1) if _is_candle(row)]
    refused = sorted(set(range(1, len(rows) + 1)).difference(sound))
    table = np.array([rows[number - 1] for number in sound], dtype=np.float64).reshape(len(sound), _WIDTH)
    return FileBars(
        source="import:freqtrade",
        rows=np.array(sound, dtype=np.int64),
        open_times_ms=epoch_milliseconds(table[:, 0].astype(np.int64)),
        values={name: table[:, column] for column, name in enumerate(OHLCV, start=1)},
        rejections=tuple(
            Rejection(row, "row", str(rows[row - 1])[:80], "row_is_no_candle") for row in refused
        ),
    )


def _is_candle(row: object) -> bool:
    """Tell six numbers with a time that fits into 64 bits; JSON knows NaN here, and it is refused later."""
    if not isinstance(row, list) or len(row) != _WIDTH:
        return False
    numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in row)
    return numbers and abs(row[0]) < 9e18 and all(abs(item) < 1e300 or item != item for item in row)
