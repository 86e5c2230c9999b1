"""A file of names -> members of a universe, in its order."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from quantbus_contracts.errors import ContractError
from quantbus_contracts.schema import UniverseMember
from quantbus_contracts.symbols import InstrumentCatalogue

__all__ = ["read_members"]

Entry = tuple[str, float | None]


def read_members(path: Path, catalogue: InstrumentCatalogue, venue: str) -> tuple[UniverseMember, ...]:
    """Read names, one a line (``#`` begins a comment), CSV with a column ``symbol``, or a JSON list.

    CSV rows and JSON objects may carry ``quote_volume``.

    Raises
    ------
    ContractError
        If the file cannot be read, or names no market.
    UnknownInstrument
        If a name is not exactly one known market.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        entries = list(_json(json.loads(text)) if path.suffix == ".json" else _lines(text.splitlines()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ContractError(f"could not read names from {path}: {error}") from error
    if not entries:
        raise ContractError(f"expected names in {path}, found none")
    members: dict[str, UniverseMember] = {}
    for name, volume in entries:
        symbol = catalogue.resolve(name if name.startswith(f"{venue}:") else f"{venue}:{name}").symbol
        members.setdefault(symbol, UniverseMember(symbol=symbol, quote_volume=volume))
    return tuple(members.values())


def _json(listed: object) -> Iterator[Entry]:
    if not isinstance(listed, list):
        raise TypeError(f"expected a JSON list, found {type(listed).__name__}")
    for item in listed:
        yield (str(item["symbol"]), item.get("quote_volume")) if isinstance(item, dict) else (str(item), None)


def _lines(lines: Iterable[str]) -> Iterator[Entry]:
    kept = [line.split("#", 1)[0].strip() for line in lines]
    kept = [line for line in kept if line]
    if kept and "symbol" in kept[0].lower().split(","):
        for row in csv.DictReader([kept[0].lower(), *kept[1:]]):
            volume = (row.get("quote_volume") or "").strip()
            yield row["symbol"].strip(), float(volume) if volume else None
    else:
        yield from ((line, None) for line in kept)
