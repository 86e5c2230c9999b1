"""Signals as flat rows, and files of them: JSON lines, CSV, Parquet, whole or not at all."""

import csv
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO

from quantbus_contracts.cli.signal_files import Format
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import PublishedSignal, Signal

__all__ = ["columns", "content_of", "flat", "write_rows"]

Row = dict[str, Any]
_GIVEN = tuple(Signal.model_fields)
_SET_BY_BUS = ("version", "available_at", "published_by", "valid_until_defaulted")
_NUMBERS = {"weight", "score", "stop_price", "ref_price", "leverage"}
_MOMENTS = {"ts", "valid_until", "computed_at", "available_at"}
_CHUNK = 5_000


def columns(*, as_given: bool = False) -> tuple[str, ...]:
    """Return the names of a flat row's fields, in order."""
    return _GIVEN if as_given else ("signal_id", *_GIVEN, *_SET_BY_BUS)


def flat(published: PublishedSignal, *, as_given: bool = False, as_json: bool = True) -> Row:
    """Return a signal as one row: what was given and what the bus set, or only what was given.

    ``valid_until`` is the end that counts, or with ``as_given`` the one that the publisher named, if any.
    """
    row: Row = published.signal.model_dump(mode="json" if as_json else "python")
    if as_given:
        return row
    own = published.model_dump(mode="json" if as_json else "python", exclude={"signal", "history"})
    return {
        "signal_id": published.signal_id,
        **row,
        **own,
        "valid_until_defaulted": published.signal.valid_until is None,
    }


def content_of(signal: Signal) -> str:
    """Return what a signal says, in a few words."""
    parts: list[str] = [signal.action] if signal.action else []
    parts += [f"weight {signal.weight:+g}"] if signal.weight is not None else []
    parts += [f"score {signal.score:+g}"] if signal.score is not None else []
    return ", ".join(parts)


def write_rows(rows: Iterable[Row], names: tuple[str, ...], form: Format, out: Path | None) -> int:
    """Write rows to a file, which appears whole or not at all, or to standard output; return how many.

    Raises
    ------
    ConfigError
        If the file cannot be written, or the format needs what is not installed.
    """
    if out is None:
        return _write(rows, names, form, sys.stdout.buffer)
    try:
        with _whole(out) as handle:
            return _write(rows, names, form, handle)
    except OSError as error:
        raise ConfigError(f"{out}: expected a file to write, found: {error.strerror or error}") from None


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file beside ``path`` that takes its place once it is complete and on the disk."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write(rows: Iterable[Row], names: tuple[str, ...], form: Format, handle: IO[bytes]) -> int:
    match form:
        case "json" | "jsonl":
            return _write_json(rows, handle, as_list=form == "json")
        case "csv":
            return _write_csv(rows, names, handle)
        case "parquet":
            return _write_parquet(rows, names, handle)


def _write_json(rows: Iterable[Row], handle: IO[bytes], *, as_list: bool) -> int:
    count = 0
    for count, row in enumerate(rows, 1):  # the last count is the result
        kept = {name: value for name, value in row.items() if value is not None}
        mark = b"" if not as_list else b"[\n" if count == 1 else b",\n"
        handle.write(mark + json.dumps(kept, allow_nan=False).encode() + (b"" if as_list else b"\n"))
    if as_list:
        handle.write(b"\n]\n" if count else b"[]\n")
    handle.flush()
    return count


def _write_csv(rows: Iterable[Row], names: tuple[str, ...], handle: IO[bytes]) -> int:
    text = io.TextIOWrapper(handle, encoding="utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow({name: "" if value is None else value for name, value in row.items()})
        count += 1
    text.detach()
    handle.flush()
    return count


def _write_parquet(rows: Iterable[Row], names: tuple[str, ...], handle: IO[bytes]) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise ConfigError(
            "Parquet needs pyarrow; install quantbus-contracts[frames], or choose JSON lines or CSV"
        ) from None
    types = {"version": pyarrow.int32(), "valid_until_defaulted": pyarrow.bool_()}
    types |= dict.fromkeys(_NUMBERS, pyarrow.float64())
    types |= dict.fromkeys(_MOMENTS, pyarrow.timestamp("ms", tz="UTC"))
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in names])
    count = 0
    remaining = iter(rows)
    target = (
        handle if handle.seekable() else io.BytesIO()
    )  # its writer asks where it is, which a pipe cannot say
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        while chunk := list(islice(remaining, _CHUNK)):
            writer.write_table(pyarrow.Table.from_pylist(chunk, schema=schema))
            count += len(chunk)
    if isinstance(target, io.BytesIO):
        handle.write(target.getvalue())
    handle.flush()
    return count
