"""Rows of signals out of a file or standard input: a JSON list, JSON lines, CSV or Parquet.

A line that cannot be read is a refused row among good ones; a file that cannot be read is an error, and then
nothing of it is used.
"""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from quantbus_contracts.errors import ConfigError, ContractError

__all__ = ["Format", "InputRow", "format_of", "read_rows"]

Format = Literal["json", "jsonl", "csv", "parquet"]
_BY_SUFFIX: dict[str, Format] = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
MOST_BYTES = 512 * 1024 * 1024
LONGEST_LINE_BYTES = 1024 * 1024
_SHOWN = 200
_EXTRA = "\0extra"


@dataclass(frozen=True, slots=True)
class InputRow:
    """One row as it was given: where it stands, its fields, and why it is none if it cannot be read."""

    place: str
    row: object
    fault: str = ""


def format_of(path: Path, given: Format | None) -> Format:
    """Return the format of a file: the one given, else the one its suffix names.

    Raises
    ------
    ConfigError
        If the suffix names none.
    """
    found = given or _BY_SUFFIX.get(path.suffix.lower())
    if found is None:
        raise ConfigError(
            f"{path}: expected a file that ends in {', '.join(_BY_SUFFIX)}, found {path.suffix!r}; or say --format"
        )
    return found


def read_rows(source: str, given: Format | None = None) -> list[InputRow]:
    """Return the rows of a file; ``-`` is standard input, whose format is told by its first bytes.

    Raises
    ------
    ConfigError
        If the file cannot be opened.
    ContractError
        If it is not of its format; the message says where it breaks.
    """
    if source == "-":
        content = _limited(sys.stdin.buffer, "standard input")
        if not content.strip() and given is None:
            raise ContractError("expected rows on standard input, found nothing; did what feeds it fail?")
        return _rows_of(content, given or _guess(content), "standard input")
    path = Path(source)
    form = format_of(path, given)
    try:
        with path.open("rb") as handle:
            content = _limited(handle, source)
    except OSError as error:
        raise ConfigError(f"{source}: expected a file to read, found: {error.strerror or error}") from None
    return _rows_of(content, form, source)


def _limited(handle: BinaryIO, name: str) -> bytes:
    content = handle.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ContractError(
            f"{name}: expected at most {MOST_BYTES // 2**20} MiB at once, found more; split it"
        )
    return content


def _guess(content: bytes) -> Format:
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"["):
        return "json"
    if start.startswith(b"{"):
        try:
            json.loads(start.splitlines()[0])
        except (ValueError, RecursionError):
            return "json"  # one object over several lines
        return "jsonl"
    return "csv"


def _rows_of(content: bytes, form: Format, name: str) -> list[InputRow]:
    match form:
        case "json":
            return _from_json(content, name)
        case "jsonl":
            return _from_lines(content)
        case "csv":
            return _from_csv(content, name)
        case "parquet":
            return _from_parquet(content, name)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that says two things under one name."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twin!r} stands twice")
    return found


def _from_json(content: bytes, name: str) -> list[InputRow]:
    try:
        found = json.loads(content.removeprefix(b"\xef\xbb\xbf"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{name}: expected JSON, found something else: {error}") from None
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise ContractError(
            f"{name}: expected a JSON list of signals (or one signal), found {type(found).__name__}"
        )
    return [InputRow(f"row {number}", row) for number, row in enumerate(found, 1)]


def _from_lines(content: bytes) -> list[InputRow]:
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [_line(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _line(number: int, line: bytes) -> InputRow:
    place = f"line {number}"
    start = line[:_SHOWN].decode("utf-8", "replace")
    if len(line) > LONGEST_LINE_BYTES:
        return InputRow(place, start, f"expected at most 1 MiB in a line, found {len(line):,} bytes")
    try:
        return InputRow(place, json.loads(line, object_pairs_hook=_once))
    except (ValueError, RecursionError) as error:
        return InputRow(place, start, f"expected a JSON object, found something else: {error}")


def _from_csv(content: bytes, name: str) -> list[InputRow]:
    try:
        text = content.decode("utf-8-sig")
        header = text.partition("\n")[0]
        delimiter = next((mark for mark in ",;\t" if mark in header), ",")
        reader = csv.DictReader(
            io.StringIO(text, newline=""), restkey=_EXTRA, strict=True, delimiter=delimiter
        )
        _check_header(reader.fieldnames or (), name)
        return [_cells(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ContractError(f"{name}: expected CSV, found a line that is none: {error}") from None
    except UnicodeDecodeError as error:
        raise ContractError(f"{name}: expected UTF-8 text, found {error}") from None


def _check_header(names: Iterable[str], name: str) -> None:
    from quantbus_contracts.schema import Signal

    if not set(names) & set(Signal.model_fields):
        raise ContractError(
            f"{name}: expected a first line that names fields of a signal (strategy_id, symbol, pair, timeframe, "
            f"ts, action …), found {','.join(names)[:_SHOWN]!r}"
        )


def _cells(line: int, row: Mapping[str, object]) -> InputRow:
    """Leave out empty cells: they say nothing."""
    place = f"line {line}"
    if _EXTRA in row:
        shown = {key: value for key, value in row.items() if key != _EXTRA}
        return InputRow(
            place, repr(shown)[:_SHOWN], "expected as many cells as the first line names, found more"
        )
    return InputRow(place, {name: cell for name, cell in row.items() if cell not in ("", None)})


def _from_parquet(content: bytes, name: str) -> list[InputRow]:
    try:
        from pyarrow import BufferReader, parquet
    except ModuleNotFoundError:
        raise ConfigError(
            "Parquet needs pyarrow; install quantbus-contracts[frames], or give JSON or CSV"
        ) from None
    try:
        rows = parquet.read_table(BufferReader(content)).to_pylist()
    except (ValueError, OSError) as error:  # what Arrow raises is one of these
        raise ContractError(
            f"{name}: expected Parquet, found something else: {str(error)[:_SHOWN]}"
        ) from None
    return [
        InputRow(f"row {number}", {key: value for key, value in row.items() if value is not None})
        for number, row in enumerate(rows, 1)
    ]
