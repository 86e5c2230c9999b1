"""Says what is wrong with a recipe so that a person can mend it: line, key, nearest valid name."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from quantbus_research.settings.recipe import Recipe
from quantbus_research.settings.toml_lines import line_of

__all__ = ["describe_fault"]

Path = tuple[str, ...]


def describe_fault(
    fault: ErrorDetails, text: str, *, overridden: Mapping[Path, object], factors: Collection[str]
) -> str:
    """Return one line about a fault that pydantic found in the recipe ``text``."""
    path = tuple(str(part) for part in fault["loc"] if isinstance(part, str))
    path, reason, named = _explain(fault, path, factors)
    if path and repr(path[-1]) not in reason:
        reason = f"{'.'.join(path)}: {reason}"
    return f"{_place(path, text, overridden, named)}: {reason}"


def _explain(fault: ErrorDetails, path: Path, factors: Collection[str]) -> tuple[Path, str, str | None]:
    """Return the key to blame, the reason, and (inside a list) the value to blame."""
    kind, reason = fault["type"], fault["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return path, _unknown_key(path), None
    if kind == "missing":
        return path, f"the key {path[-1]!r} is missing", None
    if kind != "value_error":
        return path, f"{reason}, found {fault.get('input')!r}", None
    if reason.startswith("unknown factor "):
        named = reason.removeprefix("unknown factor ").strip("'")
        near = get_close_matches(named, factors, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(factors))}"
        return path, f"{reason}; {hint}", named
    head, colon, rest = reason.partition(": ")
    if colon and head in _keys(path):
        return (*path, head), rest, None  # a rule about a table blames one of its keys
    return path, reason, None


def _place(path: Path, text: str, overridden: Mapping[Path, object], value: str | None) -> str:
    if path in overridden:
        return f"--set {'.'.join(path)}"
    line = line_of(text, path, value)
    return f"line {line}" if line else "the recipe"


def _unknown_key(path: Path) -> str:
    keys = list(_keys(path[:-1]))
    near = get_close_matches(path[-1], keys, n=1)
    table = f"[{'.'.join(path[:-1])}]" if len(path) > 1 else "the top level"
    hint = f"did you mean {near[0]!r}?" if near else f"its keys are {', '.join(keys)}"
    return f"{table} has no key {path[-1]!r}; {hint}"


def _keys(path: Path) -> Iterator[str]:
    model: type[BaseModel] = Recipe
    for part in path:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return
        model = annotation
    yield from model.model_fields
