"""Says what is wrong with a recipe so that a person can mend it: line, key, nearest valid name."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from quantbus_research.settings.graph import GraphFault
from quantbus_research.settings.nodes import KINDS
from quantbus_research.settings.recipe import GRAPH_FAULT, Recipe
from quantbus_research.settings.toml_lines import line_of, lines_of_keys

__all__ = ["describe_fault"]

Path = tuple[str, ...]
_FORMER = {name: name for name in ("data", "factors", "label", "model", "gates", "publish")} | {
    "policy": "rule"
}
"""Tables of the form that recipes had before their nodes were named, and the kinds that took their place."""


def describe_fault(
    fault: ErrorDetails, text: str, *, overridden: Mapping[Path, object], factors: Collection[str]
) -> list[str]:
    """Return a line about each thing that pydantic found in the recipe ``text`` at one place."""
    if fault["type"] == GRAPH_FAULT:
        found: list[GraphFault] = fault["ctx"]["faults"]
        return [_told(item.path, item.reason, item.value, text, overridden) for item in found]
    path = tuple(str(part) for part in fault["loc"] if isinstance(part, str))
    tables = _tables(path)
    if path[:1] == ("nodes",) and len(path) > 2 and path[2] in KINDS:
        path = (*path[:2], *path[3:])  # pydantic names the kind between the node and its key
    stands = {found[1] for found in lines_of_keys(text) if found[:1] == ("nodes",) and len(found) > 1}
    if fault["type"] == "union_tag_not_found" and path[-1] not in stands and path not in overridden:
        near = get_close_matches(path[-1], stands, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(stands)) or 'none'}"
        return [_told(path, f"no node is called {path[-1]!r}; {hint}", None, text, overridden)]
    return [_told(*_explain(fault, path, tables, factors), text, overridden)]


def _told(path: Path, reason: str, value: str | None, text: str, overridden: Mapping[Path, object]) -> str:
    if path and repr(path[-1]) not in reason:
        reason = f"{'.'.join(path)}: {reason}"
    return f"{_place(path, text, overridden, value)}: {reason}"


def _explain(
    fault: ErrorDetails, path: Path, tables: list[type[BaseModel]], factors: Collection[str]
) -> tuple[Path, str, str | None]:
    """Return the key to blame, the reason, and (inside a list) the value to blame."""
    kind, reason = fault["type"], fault["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return path, _unknown_key(path, tables), None
    if kind == "union_tag_not_found":
        return path, f"the key 'kind' is missing; it is one of {', '.join(KINDS)}", None
    if kind == "union_tag_invalid":
        return _unknown_kind(fault, path)
    if kind == "missing":
        return path, f"the key {path[-1]!r} is missing", None
    if path[-1:] == ("[key]",):
        return path[:-1], "expected a name of letters, digits, '_' and '-', a letter first", None
    if kind != "value_error":
        return path, f"{reason}, found {fault.get('input')!r}", None
    if reason.startswith("unknown factor "):
        named = reason.removeprefix("unknown factor ").strip("'")
        near = get_close_matches(named, factors, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(factors))}"
        return path, f"{reason}; {hint}", named
    head, colon, rest = reason.partition(": ")
    if colon and tables and head in tables[-1].model_fields:
        return (*path, head), rest, None  # a rule about a table blames one of its keys
    return path, reason, None


def _unknown_kind(fault: ErrorDetails, path: Path) -> tuple[Path, str, None]:
    given = fault.get("input")
    named = str(given.get("kind")) if isinstance(given, dict) else str(given)
    near = get_close_matches(named, KINDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(KINDS)}"
    return (*path, "kind"), f"there is no kind of node {named!r}; {hint}", None


def _place(path: Path, text: str, overridden: Mapping[Path, object], value: str | None) -> str:
    for override in overridden:
        if override == path or (
            override[: len(path)] == path and line_of(text, path) == line_of(text, path[:-1])
        ):
            return f"--set {'.'.join(override)}"
    line = line_of(text, path, value)
    return f"line {line}" if line else "the recipe"


def _unknown_key(path: Path, tables: list[type[BaseModel]]) -> str:
    keys = list(tables[-1].model_fields) if tables else []
    if len(path) == 1 and path[0] in _FORMER:
        return (
            f"the top level has no key {path[0]!r}; write [nodes.{path[0]}] with kind = {_FORMER[path[0]]!r}"
        )
    near = get_close_matches(path[-1], keys, n=1)
    table = f"[{'.'.join(path[:-1])}]" if len(path) > 1 else "the top level"
    hint = f"did you mean {near[0]!r}?" if near else f"its keys are {', '.join(keys)}"
    return f"{table} has no key {path[-1]!r}; {hint}"


def _tables(path: Path) -> list[type[BaseModel]]:
    """Return the classes of the tables on the way to a key, outermost first; the last one holds the key."""
    model: type[BaseModel] = Recipe
    found = [model]
    parts = list(path)
    if parts[:1] == ["nodes"] and len(parts) > 2 and parts[2] in KINDS:
        found.append(KINDS[parts[2]])
        parts = parts[3:]
    for part in parts:
        annotation = found[-1].model_fields[part].annotation if part in found[-1].model_fields else None
        inner = next(_models_in(annotation), None)
        if inner is None:
            break
        found.append(inner)
    return found


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from _models_in(part)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
