"""The rules of the house that a machine can check."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.architecture.tree import MEMBERS, ROOT, Module, modules, modules_of_tests

LONGEST_MODULE, LONGEST_TEST_MODULE, LONGEST_FUNCTION = 400, 600, 50
# Loop bodies of processes: what happens there must not end the process, so it is logged, counted and bounded.
# The strategy is the edge to Freqtrade, which would swallow the error and trade on.
MAY_CATCH_EVERYTHING = {
    "services/src/quantbus_services/ingestion/outcome.py",
    "services/src/quantbus_services/monitor/runner.py",
    "research/src/quantbus_research/worker/main.py",
    "executor/user_data/strategies/ExternalSignalStrategy.py",
    "executor/src/quantbus_executor/guard.py",
}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base_utils"}


def offenders(found: list[str]) -> str:
    return "\n  " + "\n  ".join(found)


def length_without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    length = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        assert first.end_lineno is not None
        length -= first.end_lineno - first.lineno + 1
    return length


def test_the_import_law_is_kept() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_modules_and_functions_are_of_readable_size() -> None:
    long = [f"{module.path}: {module.lines} lines" for module in modules() if module.lines > LONGEST_MODULE]
    long += [
        f"{module.path}: {module.lines} lines"
        for module in modules_of_tests()
        if module.lines > LONGEST_TEST_MODULE
    ]
    long += [
        f"{module.path}:{node.lineno} {node.name}: {length_without_docstring(node)} lines"
        for module in modules()
        for node in module.functions()
        if length_without_docstring(node) > LONGEST_FUNCTION
    ]
    assert not long, offenders(long)


def test_names_say_what_is_inside() -> None:
    found = [
        str(module.path)
        for module in modules()
        if DRAWERS & {part.removesuffix(".py") for part in module.path.parts}
    ]
    assert not found, offenders(found)


def test_only_the_clock_reads_the_wall_clock() -> None:
    reading = {
        ("datetime", "now"),
        ("datetime", "utcnow"),
        ("date", "today"),
        ("time", "time"),
        ("time", "time_ns"),
    }
    found = []
    for module in modules():
        if module.path.name == "clock.py" and "quantbus_contracts" in str(module.path):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                name = (
                    owner.id
                    if isinstance(owner, ast.Name)
                    else owner.attr
                    if isinstance(owner, ast.Attribute)
                    else ""
                )
                if (name, node.func.attr) in reading:
                    found.append(f"{module.path}:{node.lineno} {name}.{node.func.attr}()")
    assert not found, offenders(found)


def test_total_handlers_stand_only_around_process_loops() -> None:
    found = []
    for module in modules():
        if str(module.path) in MAY_CATCH_EVERYTHING:
            continue
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            names = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
            total = node.type is None or any(
                isinstance(name, ast.Name) and name.id in ("Exception", "BaseException") for name in names
            )
            if total and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
                found.append(f"{module.path}:{node.lineno}")
    assert not found, offenders(found)
    assert len(MAY_CATCH_EVERYTHING) <= 5


def test_only_settings_read_the_environment() -> None:
    pattern = re.compile(r"\bos\.(environ|getenv|putenv)\b|\bgetenv\(")
    found = [
        f"{module.path}:{number}"
        for module in modules()
        if module.name != "settings.py"
        for number, line in enumerate(module.text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, offenders(found)


@pytest.mark.parametrize("forbidden", ["Global", "star import", "sys.path", "print"])
def test_nothing_works_behind_the_readers_back(forbidden: str) -> None:
    found = []
    for module in modules():
        for node in ast.walk(module.tree):
            hit = (
                (forbidden == "Global" and isinstance(node, ast.Global))
                or (
                    forbidden == "star import"
                    and isinstance(node, ast.ImportFrom)
                    and any(alias.name == "*" for alias in node.names)
                )
                or (
                    forbidden == "sys.path"
                    and isinstance(node, ast.Attribute)
                    and ast.unparse(node) == "sys.path"
                )
                or (
                    forbidden == "print"
                    and isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "print"
                )
            )
            if hit:
                found.append(f"{module.path}:{getattr(node, 'lineno', 0)}")
    assert not found, offenders(found)


def public_names(module: Module) -> list[str] | None:
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets
        ):
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def sorting_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: the order that the linter's own sorting gives."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_every_door_says_what_is_public_in_order() -> None:
    found = []
    for module in modules():
        if module.name != "__init__.py" or "src" not in module.path.parts:
            continue
        imports = any(isinstance(node, ast.ImportFrom) for node in module.tree.body)
        names = public_names(module)
        if imports and names is None:
            found.append(f"{module.path}: no __all__")
        elif names is not None and names != sorted(names, key=sorting_key):
            found.append(f"{module.path}: __all__ is not sorted")
        elif names is not None and len(names) != len(set(names)):
            found.append(f"{module.path}: __all__ has twins")
    assert not found, offenders(found)


def test_every_module_says_what_it_is_for() -> None:
    found = [str(module.path) for module in modules() if not ast.get_docstring(module.tree)]
    assert not found, offenders(found)


def test_public_functions_of_contracts_and_research_are_documented() -> None:
    found = []
    for module in modules():
        if module.path.parts[0] not in ("contracts", "research"):
            continue
        for node in module.tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if node.name[0] != "_" and not ast.get_docstring(node):
                found.append(f"{module.path}:{node.lineno} {node.name}")
    assert not found, offenders(found)


def test_only_the_strategy_imports_freqtrade() -> None:
    allowed = Path("executor/user_data/strategies/ExternalSignalStrategy.py")
    found = [
        f"{module.path}:{node.lineno}"
        for module in modules()
        if module.path != allowed
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "freqtrade")
        or (
            isinstance(node, ast.Import)
            and any(alias.name.split(".")[0] == "freqtrade" for alias in node.names)
        )
    ]
    assert not found, offenders(found)


def significant(module: Module) -> list[tuple[int, str]]:
    """Lines of code with their numbers; imports, docstrings, comments and lone brackets left out."""
    skipped: set[int] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            assert node.end_lineno is not None
            skipped.update(range(node.lineno, node.end_lineno + 1))
    lines = []
    for number, line in enumerate(module.text.splitlines(), 1):
        bare = line.strip()
        if number not in skipped and len(bare) > 3 and not bare.startswith(("#", "@")):
            lines.append((number, bare))
    return lines


def test_no_run_of_six_lines_is_repeated_between_members() -> None:
    seen: dict[tuple[str, ...], tuple[str, str]] = {}
    found = []
    for module in modules():
        member = module.path.parts[0]
        lines = significant(module)
        for start in range(len(lines) - 5):
            run = tuple(text for _, text in lines[start : start + 6])
            place = f"{module.path}:{lines[start][0]}"
            first = seen.setdefault(run, (member, place))
            if first[0] != member:
                found.append(f"{place} repeats {first[1]}")
    assert not found, offenders(found)


def test_every_dependency_has_a_floor_and_a_reason() -> None:
    found = []
    for file in [ROOT / "pyproject.toml", *(ROOT / member / "pyproject.toml" for member in MEMBERS)]:
        text = file.read_text(encoding="utf-8")
        parsed = tomllib.loads(text)
        lists = [
            parsed["project"]["dependencies"],
            *parsed["project"].get("optional-dependencies", {}).values(),
            *parsed.get("dependency-groups", {}).values(),
        ]
        for text_of_one in (item for group in lists for item in group if not item.startswith("quantbus-")):
            requirement = Requirement(text_of_one)
            if not any(part.operator in (">=", "==") for part in requirement.specifier):
                found.append(f"{file.relative_to(ROOT)}: {requirement.name} has no floor")
            line = next(line for line in text.splitlines() if f'"{text_of_one}"' in line)
            if "#" not in line and "sys_platform" not in line:
                found.append(f"{file.relative_to(ROOT)}: {requirement.name} has no reason beside it")
    assert not found, offenders(found)
