"""Rows as people give them, to valid signals or rejections; pure. A bad row never takes good rows with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from quantbus_contracts.schema import PublishReport, Rejection, Signal

__all__ = ["CheckedRows", "check_rows", "report_of"]

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """The valid signals with their positions in the input, and the refused rows."""

    signals: tuple[Signal, ...]
    positions: tuple[int, ...]
    rejections: tuple[Rejection, ...]


def check_rows(rows: Sequence[Signal | Mapping[str, object]]) -> CheckedRows:
    """Validate every row on its own."""
    signals: list[Signal] = []
    positions: list[int] = []
    rejections: list[Rejection] = []
    for position, row in enumerate(rows):
        if isinstance(row, Signal):
            signals.append(row)
            positions.append(position)
            continue
        try:
            signals.append(Signal.model_validate(dict(row)))
            positions.append(position)
        except ValidationError as error:
            rejections.append(_rejection(position, error))
        except (TypeError, ValueError):
            reason = "expected a Signal or a mapping of field names to values"
            rejections.append(Rejection(position, "", repr(row)[:_SHOWN], reason))
    return CheckedRows(tuple(signals), tuple(positions), tuple(rejections))


def _rejection(position: int, error: ValidationError) -> Rejection:
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    name = ".".join(str(part) for part in first["loc"])
    value = repr(first["input"])
    if not name:  # a rule about several fields names the one to blame first: "ts: no 1m bar opens at …"
        head = message.partition(":")[0]
        name = head if head in Signal.model_fields else ""
    return Rejection(position, name, value if len(value) <= _SHOWN else value[:_SHOWN] + "…", message)


def report_of(outcomes: Sequence[tuple[str, str]], checked: CheckedRows) -> PublishReport:
    """Return the report for ``outcomes`` (what became of each valid signal, and why) and refused rows."""
    counts = dict.fromkeys(("inserted", "revised", "unchanged", "stale", "unknown"), 0)
    rejections = list(checked.rejections)
    for (outcome, reason), position, signal in zip(outcomes, checked.positions, checked.signals, strict=True):
        if outcome in counts:
            counts[outcome] += 1
        else:
            rejections.append(Rejection(position, "", signal.signal_id, reason))
    return PublishReport(**counts, rejections=tuple(sorted(rejections, key=lambda item: item.row)))
