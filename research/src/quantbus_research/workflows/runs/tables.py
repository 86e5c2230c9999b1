"""Tables as bytes: Arrow's file format, the same bytes for the same table, and the same table from the bytes."""

import json
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from quantbus_contracts.errors import ArtefactError

__all__ = ["read_table", "write_table"]

_OURS = b"quantbus"


def write_table(table: pd.DataFrame, sink: IO[bytes]) -> None:
    """Write a table; see `Artefact.tables` for what it may hold. NaN stays NaN, and row order what it is.

    Raises
    ------
    ArtefactError
        If it holds anything else.
    """
    labels = _index_names(table)
    names = [*labels, *map(str, table.columns)]
    if len(set(names)) < len(names) or not all(isinstance(name, str) for name in table.columns):
        raise ArtefactError(
            f"expected a table whose columns and index have names of their own, found {names!r}"
        )
    levels = [table.index.get_level_values(place) for place in range(len(labels))]
    columns: list[pd.Series | pd.Index] = [*levels, *(table[name] for name in table.columns)]
    arrays = [_array(name, values) for name, values in zip(names, columns, strict=True)]
    told = {"index": labels, "columns": table.columns.name}
    schema = pa.schema(
        [pa.field(name, array.type) for name, array in zip(names, arrays, strict=True)],
        metadata={_OURS: json.dumps(told).encode()},
    )
    with pa.PythonFile(sink, mode="w") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def read_table(path: str) -> pd.DataFrame:
    """Read a table that `write_table` wrote; the frame is its reader's own."""
    with pa.memory_map(path) as file:
        held = pa.ipc.open_file(file).read_all()
        told: dict[str, Any] = json.loads(held.schema.metadata[_OURS])
        frame: pd.DataFrame = held.replace_schema_metadata(None).to_pandas(
            ignore_metadata=True, deduplicate_objects=True
        )
    if told["index"]:
        frame = frame.set_index(told["index"])
    frame.columns.name = told["columns"]
    return frame


def _index_names(table: pd.DataFrame) -> list[str]:
    names = list(table.index.names)
    if names == [None]:
        plain = isinstance(table.index, pd.RangeIndex) and (table.index.start, table.index.step) == (0, 1)
        if not plain:
            raise ArtefactError("expected an index that has a name, or counts rows from 0, found neither")
        return []
    if not all(isinstance(name, str) for name in names):
        raise ArtefactError(f"expected names of all index levels, found {names!r}")
    return [str(name) for name in names]


def _array(name: str, values: pd.Series | pd.Index) -> pa.Array:
    kind = values.dtype
    if isinstance(kind, pd.DatetimeTZDtype):
        naive = pd.DatetimeIndex(values).tz_convert("UTC").tz_localize(None).to_numpy()
        return pa.array(naive, type=pa.timestamp(kind.unit, tz="UTC"))
    if isinstance(kind, pd.CategoricalDtype | pd.StringDtype) or kind == np.dtype(object):
        texts = values.astype(object).to_numpy()
        if not all(isinstance(text, str) or text is None for text in texts):
            raise ArtefactError(
                f"{name}: expected strings, or one type of numbers, found {set(map(type, texts))!r}"
            )
        return pa.array(texts, type=pa.string())
    if isinstance(kind, np.dtype) and (kind.kind in "fi" or kind == np.dtype(bool)):
        return pa.array(np.ascontiguousarray(values.to_numpy()), from_pandas=False)
    raise ArtefactError(f"{name}: expected numbers, strings or times in UTC, found {kind}")
