"""Data frames to rows, by what they can do: neither pandas nor polars is imported. Pure.

Columns are fields. A cell that is None, NaN or NaT means that the field is absent; but where nothing else says what
the row is about, a NaN stays in its score or weight, so that the row is refused for it and not for its silence.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeGuard

from quantbus_contracts.errors import ContractError
from quantbus_contracts.schema import Signal

__all__ = ["Frame", "is_frame", "rows_of_frame"]

_OPINIONS = ("action", "weight", "score")
_NOTHING = ("NaTType", "NAType")


class Frame(Protocol):
    """What pandas and polars data frames share."""

    @property
    def columns(self) -> object:
        """The names of the columns."""
        ...


def is_frame(value: object) -> TypeGuard[Frame]:
    """Tell whether ``value`` is a data frame of pandas or polars (a lazy one too)."""
    kind = type(value)
    return (
        any(hasattr(kind, name) for name in ("iter_rows", "iloc")) and hasattr(kind, "columns")
    ) or _is_lazy(value)


def _is_lazy(value: object) -> bool:
    return all(hasattr(type(value), name) for name in ("collect", "collect_schema"))


def rows_of_frame(frame: Frame) -> list[dict[str, object]]:
    """Return the rows of a frame as mappings without absent fields.

    The open time of the bar is the column ``ts`` or, without one, the level of the index that holds times.

    Raises
    ------
    ContractError
        If two columns have one name: which of them is meant is not guessed.
    """
    source: Any = frame.collect() if _is_lazy(frame) else frame  # type: ignore[attr-defined]  # lazy frames have it
    if hasattr(source, "iloc"):
        names, columns = _pandas_columns(source)
    else:
        names, columns = (
            [str(name) for name in source.columns],
            [list(column) for column in source.get_columns()],
        )
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ContractError(f"expected columns with distinct names, found more than one {', '.join(twins)}")
    return [_row(names, cells) for cells in zip(*columns, strict=True)]


def _pandas_columns(given: Frame) -> tuple[list[str], list[list[object]]]:
    frame: Any = given
    names = [str(name) for name in frame.columns]
    columns = [frame.iloc[:, position].tolist() for position in range(len(names))]
    for position in range(frame.index.nlevels):
        level = frame.index.get_level_values(position)
        is_time = getattr(level.dtype, "kind", "") == "M"
        name = level.name if level.name in Signal.model_fields else "ts" if is_time else None
        if name is not None and name not in names:
            names.append(str(name))
            columns.append(level.tolist())
    return names, columns


def _row(names: Sequence[str], cells: Iterable[object]) -> dict[str, object]:
    row: dict[str, object] = {}
    not_numbers: dict[str, object] = {}
    for name, cell in zip(names, cells, strict=True):
        value = _plain(cell)
        if value is None:
            continue
        if isinstance(value, float) and value != value:
            not_numbers[name] = value
        else:
            row[name] = value
    if not any(name in row for name in _OPINIONS):
        row |= {name: value for name, value in not_numbers.items() if name in _OPINIONS}
    return row


def _plain(cell: object) -> object:
    """Return a cell as a value of Python's own; None where it says nothing."""
    if cell is None or type(cell) in (str, float, int, bool):
        return cell
    kind = type(cell).__name__
    if kind in _NOTHING:
        return None
    if kind == "Timestamp":
        return cell.to_pydatetime(warn=False)  # type: ignore[attr-defined]  # pandas' own subclass of datetime
    if hasattr(cell, "dtype") and hasattr(cell, "item"):
        return _plain(cell.item())
    return cell
