"""Snapshots: an answer kept as a Parquet file that says what it is, so that a result can be had again.

``<folder>/<snapshot_id>/bars.parquet`` and ``snapshot.json``. A snapshot is written beside its place and moved there
when it is whole and on disk, so a process that is killed leaves either all of it or nothing that anyone reads. Every
reading compares the file with its hash; one that was damaged is refused.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from quantbus_contracts.bar_arrays import BarArrays
from quantbus_contracts.errors import ArtefactError
from quantbus_contracts.market.query import Form, MarketQuery
from quantbus_contracts.market.snapshot_meta import FORMAT, SnapshotMeta, meta_of
from quantbus_contracts.market.tables import as_arrow, as_pandas, known_form
from quantbus_contracts.timeframe import Timeframe

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Snapshot", "save_snapshot"]

_DATA, _META, _DRAFT = "bars.parquet", "snapshot.json", ".draft-"
_ROW_GROUP = 1_000_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stored answer. ``folder`` holds its two files."""

    folder: Path
    meta: SnapshotMeta

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the snapshot in ``folder``; its data is checked when it is read.

        Raises
        ------
        ArtefactError
            If there is none, or what it says about itself cannot be read.
        """
        try:
            meta = SnapshotMeta.model_validate_json((folder / _META).read_bytes())
        except (OSError, ValidationError) as error:
            raise ArtefactError(f"cannot read the snapshot in {folder}: {error}; take it again") from None
        if meta.format != FORMAT:
            raise ArtefactError(
                f"expected a snapshot of format {FORMAT} in {folder}, found {meta.format}; take it again"
            )
        return cls(folder, meta)

    @property
    def snapshot_id(self) -> str:
        """SHA-256 of the question and all of its answer."""
        return self.meta.snapshot_id

    def table(self, as_: Form = "pandas") -> Any:  # noqa: ANN401  # a table of the form that was asked for
        """Return the bars as `quantbus_contracts.market.MarketData.get_market_data` gave them.

        Raises
        ------
        ArtefactError
            If the file is missing or is not the one that was written.
        """
        form = known_form(as_)
        found = self._arrow()
        if form == "arrow":
            return found
        parts = _parts_of(found, tuple(self.meta.symbols))
        fields = tuple(self.meta.fields)
        if form == "polars":
            from quantbus_contracts.market.tables import as_polars

            return as_polars(parts, fields)
        return as_pandas(parts, fields, Timeframe.parse(str(self.meta.query["timeframe"])))

    def verify(self) -> None:
        """Read everything and make the id anew.

        Raises
        ------
        ArtefactError
            If any of it is not what was written.
        """
        query = dict(self.meta.query)
        made = meta_of(
            MarketQuery.of(
                query["symbols"],
                query["start"],
                query["end"],
                query["fields"],
                query["timeframe"],
                made_from=query.get("made_from"),
                partial=query.get("partial", "drop"),
            ),
            _parts_of(self._arrow(), tuple(self.meta.symbols)),
        )
        if made.snapshot_id != self.snapshot_id or self.folder.name != self.snapshot_id:
            raise ArtefactError(
                f"expected the snapshot {self.snapshot_id} in {self.folder}, found {made.snapshot_id}; take it again"
            )

    def _arrow(self) -> "pa.Table":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            held = (self.folder / _DATA).read_bytes()
        except OSError as error:
            raise ArtefactError(
                f"cannot read the snapshot in {self.folder}: {error}; take it again"
            ) from None
        found = hashlib.sha256(held).hexdigest()
        if found != self.meta.file_sha256:
            raise ArtefactError(
                f"expected {self.folder / _DATA} with sha256 {self.meta.file_sha256}, found {found}: it was damaged "
                "or changed; take the snapshot again"
            )
        return pq.read_table(pa.BufferReader(held), read_dictionary=["symbol"])


def save_snapshot(
    query: MarketQuery, parts: Mapping[str, BarArrays], folder: Path, *, now: datetime
) -> Snapshot:
    """Keep an answer under ``folder``; one that is there already and sound is left as it is."""
    meta = meta_of(query, parts)
    target = folder / meta.snapshot_id
    if target.is_dir():
        try:
            standing = Snapshot.open(target)
            standing.verify()
        except ArtefactError:
            pass  # written anew below
        else:
            return standing
    folder.mkdir(parents=True, exist_ok=True)
    workplace = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=folder))
    try:
        data = _write_data(workplace / _DATA, parts, query)
        meta = meta.model_copy(
            update={
                "file_sha256": hashlib.sha256(data).hexdigest(),
                "file_bytes": len(data),
                "taken_at": now.isoformat(timespec="milliseconds"),
                "software": f"quantbus-contracts {version('quantbus-contracts')}",
            }
        )
        _write(workplace / _META, (meta.model_dump_json(indent=2) + "\n").encode())
        _sync(workplace)
        _move(workplace, target)
        _sync(folder)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    return Snapshot(target, meta)


def _write_data(path: Path, parts: Mapping[str, BarArrays], query: MarketQuery) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    table = as_arrow(parts, query.fields)
    pq.write_table(table, sink, compression="zstd", row_group_size=_ROW_GROUP, use_dictionary=["symbol"])
    data = bytes(sink.getvalue())
    _write(path, data)
    return data


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _move(draft: Path, target: Path) -> None:
    """Put the draft in its place; a damaged one there goes first, and one that is quicker is as good as ours."""
    if target.is_dir():
        aside = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=target.parent))
        target.rename(aside / "old")
        shutil.rmtree(aside, ignore_errors=True)
    try:
        draft.rename(target)
    except OSError:
        Snapshot.open(target).verify()


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _parts_of(table: "pa.Table", symbols: tuple[str, ...]) -> dict[str, BarArrays]:
    import numpy as np

    table = table.combine_chunks()
    fields = [name for name in table.column_names if name not in ("symbol", "datetime")]
    times = table["datetime"].cast("int64").to_numpy()
    columns = {name: table[name].to_numpy() for name in fields}
    codes = table["symbol"].combine_chunks()
    names = codes.dictionary.to_pylist() if len(table) else []
    indices = codes.indices.to_numpy() if len(table) else np.empty(0, dtype=np.int32)
    edges = np.flatnonzero(np.diff(indices, prepend=-1, append=-1))
    parts = {symbol: BarArrays.empty(fields) for symbol in symbols}
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = slice(start, stop)
        parts[names[int(indices[start])]] = BarArrays(
            times[part], {name: column[part] for name, column in columns.items()}
        )
    return parts
