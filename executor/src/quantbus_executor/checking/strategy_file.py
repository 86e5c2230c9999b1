"""Reads the strategy file as text: which class it holds, with which attributes, and what lies beside it."""

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["StrategyFile", "find_strategy"]


@dataclass(frozen=True, slots=True)
class StrategyFile:
    """A strategy's class without running it; attributes that are no plain values are left out.

    ``tuned`` is what ``freqtrade hyperopt`` left beside the file: Freqtrade lays it over the class without a word.
    """

    path: Path
    attributes: Mapping[str, Any] = field(default_factory=dict)
    callbacks: frozenset[str] = frozenset()
    tuned_file: Path | None = None
    tuned: Mapping[str, Any] = field(default_factory=dict)


def find_strategy(name: str, folders: Sequence[Path]) -> StrategyFile | None:
    """Return the first class of that name in the folders, as Freqtrade searches them; None if there is none."""
    for folder in folders:
        for path in sorted(folder.glob("*.py")) if folder.is_dir() else ():
            for node in _classes(path):
                if node.name == name:
                    return _read(path, node)
    return None


def _classes(path: Path) -> Iterator[ast.ClassDef]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, SyntaxError):
        return
    yield from (node for node in tree.body if isinstance(node, ast.ClassDef))


def _read(path: Path, node: ast.ClassDef) -> StrategyFile:
    callbacks = frozenset(item.name for item in node.body if isinstance(item, ast.FunctionDef))
    tuned_file = path.with_suffix(".json")
    return StrategyFile(
        path=path,
        attributes=dict(_attributes(node)),
        callbacks=callbacks,
        tuned_file=tuned_file if tuned_file.is_file() else None,
        tuned=_tuned(tuned_file),
    )


def _attributes(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    for item in node.body:
        target = item.targets[0] if isinstance(item, ast.Assign) else getattr(item, "target", None)
        value = getattr(item, "value", None)
        if not isinstance(item, ast.Assign | ast.AnnAssign) or not isinstance(target, ast.Name) or not value:
            continue
        try:
            yield target.id, ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError):
            continue


def _tuned(path: Path) -> Mapping[str, Any]:
    """Return what the file sets, as attributes of the class."""
    try:
        params = json.loads(path.read_text(encoding="utf-8")).get("params", {})
    except (OSError, ValueError, AttributeError):
        return {}
    found: dict[str, Any] = {}
    if "roi" in params:
        found["minimal_roi"] = params["roi"]
    for space in ("stoploss", "trailing", "max_open_trades"):
        found |= params.get(space, {})
    return found
