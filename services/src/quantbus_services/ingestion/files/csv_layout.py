"""How a CSV file is laid out: where its rows begin, and which column is what; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from quantbus_contracts.errors import ContractError
from quantbus_services.ingestion.files.bars import OHLCV, TIME_NAMES

__all__ = ["HEAD_LINES", "Layout", "detect"]

HEAD_LINES = 3
"""How many lines `detect` needs to see."""

_HEADERLESS = {
    12: "a Binance kline file",
    7: "a Kraken OHLCVT file",
    6: "time, open, high, low, close, volume",
}
"""Number of columns of files without a header; in all of them the six of interest come first."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand."""

    first_line: int
    """The line of the first row, from 1."""
    time: int
    """Column of the open time, from 0."""
    values: dict[str, int]
    """Columns of open, high, low, close, volume, from 0."""


def detect(head: Sequence[Sequence[str]], name: str) -> Layout:
    """Find the layout from the first lines, split into fields.

    Raises
    ------
    ContractError
        If it is none that is known.
    """
    lines = list(head)
    above = 1 if lines and _is_banner(lines[0]) else 0
    first = lines[above] if len(lines) > above else []
    if not first:
        raise ContractError(f"{name}: expected candles, found an empty file")
    if not _is_number(first[0]):
        return _by_header(first, above + 2, name)
    if len(first) not in _HEADERLESS:
        forms = ", ".join(f"{count} ({form})" for count, form in _HEADERLESS.items())
        raise ContractError(
            f"{name}: expected a header, or {forms} columns without one, found {len(first)} columns"
        )
    return Layout(above + 1, 0, {field: position for position, field in enumerate(OHLCV, start=1)})


def _is_banner(fields: Sequence[str]) -> bool:
    """Tell the line with its address that CryptoDataDownload puts above the header."""
    return "cryptodatadownload" in ",".join(fields).lower()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _by_header(header: Sequence[str], first_line: int, name: str) -> Layout:
    names = [field.strip().strip("﻿").lower().replace(" ", "_") for field in header]
    time = next((names.index(candidate) for candidate in TIME_NAMES if candidate in names), None)
    values = {field: names.index(field) for field in OHLCV if field in names}
    if "volume" not in values:  # "Volume BTC", "Volume USDT": the base currency comes first
        spelled = [position for position, field in enumerate(names) if field.startswith("volume_")]
        values |= {"volume": spelled[0]} if spelled else {}
    absent = [field for field in OHLCV if field not in values]
    if time is None or absent:
        raise ContractError(
            f"{name}: expected a header with a time ({', '.join(TIME_NAMES)}) and {', '.join(OHLCV)}, "
            f"found {', '.join(header)}"
        )
    return Layout(first_line, time, values)
