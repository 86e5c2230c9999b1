"""What linters say of the Dockerfiles, the Compose file and the shell scripts: nothing that is not allowed by name."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.unit.deploy.test_compose import PROFILES, resolved, tool
from tests.unit.deploy.test_compose_money import SIGNED

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILES = sorted((ROOT / "deploy/docker").glob("*Dockerfile"))
OVERRIDES = sorted((ROOT / "deploy/compose").glob("*.yml"))
FOREIGN = {"node_modules", "__pycache__", "build"}
COMPOSE_LINT = (
    "check",
    "--config",
    str(ROOT / ".compose-lint.yml"),
    "--strict-config",
    "--no-env",
    "--quiet",
)


def said(*command: str) -> tuple[int, str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def shell_scripts() -> Iterator[Path]:
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name not in FOREIGN and (name == ".ci" or name[0] != ".")]
        for name in sorted(names):
            path = Path(folder, name)
            if not path.is_symlink() and is_shell(path):
                yield path


def is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(80).split()
    return bool(first) and first[0].startswith(b"#!") and first[-1].rpartition(b"/")[2] in {b"sh", b"bash"}


def lint_compose(text: str, folder: Path) -> tuple[int, str]:
    file = folder / "docker-compose.yml"
    file.write_text(text)
    return said(tool("compose-lint"), *COMPOSE_LINT, "--fail-on", "low", str(file))


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda path: str(path.name))
def test_hadolint_has_nothing_to_say(file: Path) -> None:
    assert said(tool("hadolint"), str(file)) == (0, "")


def test_hadolint_would_say_so(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM debian\nRUN sudo true\n")
    code, text = said(tool("hadolint"), str(file))
    assert code == 1
    assert "DL3004" in text


def test_shellcheck_has_nothing_to_say_of_any_script() -> None:
    scripts = [str(path.relative_to(ROOT)) for path in shell_scripts()]
    assert {".ci/run", "deploy/docker/make-secrets.sh", "deploy/docker/with-files.sh"} <= set(scripts)
    assert said(tool("shellcheck"), "--severity=style", *scripts) == (0, "")


def test_compose_lint_finds_nothing_but_what_is_allowed_with_its_reason(tmp_path: Path) -> None:
    code, text = lint_compose((ROOT / "docker-compose.yml").read_text(), tmp_path)
    assert code == 0, text
    rules = yaml.safe_load((ROOT / ".compose-lint.yml").read_text())["rules"]
    for rule, allowed in rules.items():
        assert rule in text, f"{rule} finds nothing any more: no need to allow it"
        reasons = [allowed.get("reason"), *allowed.get("exclude_services", {}).values()]
        assert any(reasons), rule


def test_compose_lint_finds_no_more_in_a_stack_that_an_override_makes(tmp_path: Path) -> None:
    for file in OVERRIDES:
        files = ("docker-compose.yml", str(file.relative_to(ROOT)))
        code, text = lint_compose(yaml.safe_dump(resolved(ROOT, *PROFILES, files=files, **SIGNED)), tmp_path)
        assert code == 0, text


def test_compose_lint_would_say_so(tmp_path: Path) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    code, told = lint_compose(text.replace('"127.0.0.1:8720:8720"', '"8720:8720"'), tmp_path)
    assert code == 1
    assert "CL-0005" in told
