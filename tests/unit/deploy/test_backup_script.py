"""deploy/backup.sh with an engine that is played by a script: a backup counts once it was read back."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ENGINE = """#!/bin/sh
echo "$@" >>"$ASKED"
case "$*" in
*"bus backup"*) [ ! -e "$ASKED.full" ] || exit 1
    for last; do :; done; mkdir "$BACKUPS/${last#/backups/}" ;;
*"--what-if"*) [ ! -e "$ASKED.tampered" ] || exit 1 ;;
esac
"""
OLD = ("2026-01-03T000000Z", "2026-01-04T000000Z", "2026-01-05T000000Z")


@pytest.fixture
def backups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs, folder = tmp_path / "bin", tmp_path / "backups"
    programs.mkdir()
    (programs / "docker").write_text(ENGINE)
    for name in ("chown", "docker"):
        (programs / name).touch()
        (programs / name).chmod(0o755)
    for name in (*OLD, "by-hand"):
        (folder / name).mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    monkeypatch.setenv("BACKUPS", str(folder))
    return folder


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    script = ["sh", str(root / "deploy/backup.sh"), *words]
    return subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_is_made_read_back_and_the_oldest_go(root: Path, backups: Path) -> None:
    done = run(root, str(backups), "2")
    assert done.returncode == 0, done.stderr
    assert OLD[2] in names(backups)
    assert {OLD[0], OLD[1]}.isdisjoint(names(backups))
    assert "by-hand" in names(backups), "what the script did not name is left alone"
    made, read = (backups.parent / "asked").read_text().splitlines()
    assert re.search(r"-T -v \S+/backups:/backups quantbus bus backup /backups/\d{4}-\d\d-\d\dT\d{6}Z$", made)
    assert read.endswith("--what-if")
    assert backups.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("fault", ["full", "tampered"])
def test_no_older_backup_goes_for_one_that_is_not_sound(root: Path, backups: Path, fault: str) -> None:
    (backups.parent / f"asked.{fault}").touch()
    assert run(root, str(backups), "1").returncode != 0
    assert set(OLD) <= set(names(backups))


@pytest.mark.parametrize("keep", ["0", "-1", "all"])
def test_a_number_that_would_keep_nothing_is_refused(root: Path, backups: Path, keep: str) -> None:
    assert run(root, str(backups), keep).returncode == 2
    assert names(backups) == sorted([*OLD, "by-hand"])
