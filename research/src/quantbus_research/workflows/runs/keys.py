"""Keys of nodes: a hash of everything that decides what a node makes."""

import ast
import hashlib
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import quantbus_contracts
import quantbus_research
from quantbus_research.settings import MarketSettings
from quantbus_research.settings.nodes import NodeSettings
from quantbus_research.workflows.nodes import NodeKind

__all__ = ["code_of", "installed_hash", "key_of_what_was_read", "library_versions", "node_key"]

_FORMAT = 1
_ROOTS = {
    package.__name__: Path(str(package.__file__)).parent
    for package in (quantbus_contracts, quantbus_research)
}


def node_key(
    kind: NodeKind, settings: NodeSettings, market: MarketSettings, inputs: Sequence[str], as_of: datetime
) -> str:
    """Name what a node makes from inputs of these keys."""
    return _digest(
        {
            "format": _FORMAT,
            "kind": kind.name,
            "settings": settings.meaning(),
            "market": market.model_dump(mode="json"),
            "inputs": list(inputs),
            "as_of": as_of.isoformat(),
            "signatures": dict(kind.signatures(settings)) if kind.signatures else {},
            "code": code_of(kind.run.__module__),
            "libraries": library_versions((*kind.libraries, "pyarrow")),
            "python": [platform.python_version(), platform.machine()],
        }
    )


def key_of_what_was_read(kind: NodeKind, sha256: str) -> str:
    """Name what a node has read from outside: by its content alone."""
    return _digest({"format": _FORMAT, "kind": kind.name, "sha256": sha256})


def library_versions(names: Sequence[str]) -> dict[str, str]:
    """Return the version of each distribution; of one that is missing, that it is."""
    return {name: _version(name) for name in sorted(set(names))}


@lru_cache(maxsize=1)
def installed_hash() -> str:
    """Return a hash of the name and version of every distribution that is installed."""
    found = {(item.metadata["Name"] or "").lower(): item.version for item in distributions()}
    return _digest(dict(sorted(found.items())))


@lru_cache(maxsize=64)
def code_of(module: str) -> str:
    """Return a hash of a module's source and of every module of ours that it imports, and these import, and so on."""
    waiting, found = [module], {}
    while waiting:
        name = waiting.pop()
        path = _source_of(name)
        if name in found or path is None:
            continue
        text, imported = _read(path)
        found[name] = text
        waiting += imported
    return _digest(dict(sorted(found.items())))


def _source_of(name: str) -> Path | None:
    root, _, rest = name.partition(".")
    if root not in _ROOTS:
        loaded = getattr(sys.modules.get(name), "__file__", None)
        return Path(loaded) if loaded else None
    below = _ROOTS[root].joinpath(*rest.split(".")) if rest else _ROOTS[root]
    for path in (below.with_suffix(".py"), below / "__init__.py"):
        if path.is_file():
            return path
    return None


@lru_cache(maxsize=1_024)
def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the hash of a source, and the modules of ours that may stand behind its imports."""
    source = path.read_bytes()
    imported = tuple(dict.fromkeys(_imports(ast.parse(source))))
    return hashlib.sha256(source).hexdigest(), imported


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import):
        yield from (item.name for item in node.names if _is_ours(item.name))
    elif isinstance(node, ast.ImportFrom) and _is_ours(node.module or ""):
        yield str(node.module)
        yield from (f"{node.module}.{item.name}" for item in node.names)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child)


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in _ROOTS


@lru_cache(maxsize=256)
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
