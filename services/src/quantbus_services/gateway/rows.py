"""Rows of a request to valid signals or refusals; pure. Stricter than the bus, since nobody reviews a client.

JSON says what is text and what is a number, so ``"0.5"`` is no number here; times are RFC 3339.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from quantbus_contracts.schema import Rejection, Signal
from quantbus_contracts.schema.faults import reason_of

__all__ = ["MOMENT", "CheckedRows", "check_rows", "spelt"]

MOMENT = re.compile(r"(19[7-9]\d|20\d\d)-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
"""RFC 3339 of this age: arithmetic on bars never leaves what a datetime can say."""
_TIMES = tuple(name for name, info in Signal.model_fields.items() if "datetime" in str(info.annotation))
_NAMES = ("strategy_id", "symbol", "pair", "timeframe")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """The valid signals with their positions in the request, and the refused rows with their text."""

    signals: tuple[Signal, ...]
    positions: tuple[int, ...]
    refused: tuple[tuple[str, Rejection], ...]


def check_rows(rows: Sequence[object]) -> CheckedRows:
    """Validate every row on its own; a bad one takes no good one with it."""
    signals: list[Signal] = []
    positions: list[int] = []
    refused: list[tuple[str, Rejection]] = []
    for position, row in enumerate(rows):
        found = _check(position, row)
        if isinstance(found, Signal):
            signals.append(found)
            positions.append(position)
        else:
            refused.append((spelt(row), found))
    return CheckedRows(tuple(signals), tuple(positions), tuple(refused))


def _check(position: int, row: object) -> Signal | Rejection:
    if not isinstance(row, Mapping):
        return Rejection(position, "", _shortened(row), "expected an object of field names to values")
    for name in _TIMES:
        if isinstance(row.get(name), str) and not MOMENT.fullmatch(row[name]):
            reason = "expected an RFC 3339 time from 1970 to 2099, as 2026-01-05T12:00:00Z"
            return Rejection(position, name, _shortened(row[name]), reason)
    for name in _NAMES:
        if isinstance(row.get(name), str) and not _is_plain(row[name]):
            reason = "expected letters that cannot be mistaken for others"
            return Rejection(position, name, _shortened(row[name]), reason)
    try:
        return Signal.model_validate_json(json.dumps(row), strict=True)
    except ValidationError as error:
        return _rejection(position, error)


def _is_plain(name: str) -> bool:
    """Refuse look-alikes (Cyrillic or full-width capitals), marks and invisible signs; Chinese names are fine."""
    return name.isascii() or all(
        character.isascii() or unicodedata.category(character) == "Lo" for character in name
    )


def _rejection(position: int, error: ValidationError) -> Rejection:
    fault = error.errors(include_url=False)[0]
    reason = reason_of(fault)
    path = ".".join(str(part)[:64] for part in fault["loc"])
    if not path and (blamed := reason.split(":")[0]) in Signal.model_fields:
        path = blamed  # a rule about several fields names the one to blame first
    return Rejection(position, path, _shortened(fault["input"]), reason)


def _shortened(value: object) -> str:
    text = spelt(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def spelt(value: object) -> str:
    """Return ``value`` as the text that people would send."""
    return json.dumps(
        value,
        ensure_ascii=False,
        default=lambda item: item.isoformat() if isinstance(item, datetime) else "?",
    )
