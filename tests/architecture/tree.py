"""The source tree, parsed once."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = ("contracts", "services", "research", "executor")


@dataclass(frozen=True)
class Module:
    """One source file. ``path`` is relative to the root."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def name(self) -> str:
        return self.path.name

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file of product code."""
    files = [file for member in MEMBERS for file in sorted((ROOT / member / "src").rglob("*.py"))]
    files += sorted((ROOT / "executor" / "user_data" / "strategies").glob("*.py"))
    return tuple(_parse(file) for file in files)


@cache
def modules_of_tests() -> tuple[Module, ...]:
    """Every Python file of the tests."""
    return tuple(_parse(file) for file in sorted((ROOT / "tests").rglob("*.py")))


def _parse(file: Path) -> Module:
    text = file.read_text(encoding="utf-8")
    return Module(file.relative_to(ROOT), text, ast.parse(text))
