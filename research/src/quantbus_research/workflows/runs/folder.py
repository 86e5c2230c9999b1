"""The folder of a run: its manifest from the start on, and its files for people; and which runs were cut off."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from quantbus_contracts.errors import ConfigError
from quantbus_research.registry import replace_file
from quantbus_research.settings import Recipe
from quantbus_research.workflows.meaning import meaning_hash
from quantbus_research.workflows.nodes import Artefact
from quantbus_research.workflows.runs.manifest import RunManifest

__all__ = ["RunFolder", "cut_off_run", "open_run"]

_MANIFEST, _LOCK = "run.json", ".lock"
_MOST = 10_000


class RunFolder:
    """Where a run that goes on keeps its manifest and files."""

    def __init__(self, path: Path) -> None:
        """Use an existing folder."""
        self.path = path

    @property
    def run_id(self) -> str:
        """The run's name."""
        return self.path.name

    def write(self, manifest: RunManifest) -> None:
        """Replace the manifest; a reader sees the former one or the new one."""
        replace_file(self.path / _MANIFEST, manifest.model_dump_json(indent=1) + "\n")

    def keep(self, node: str, artefact: Artefact) -> list[Path]:
        """Write the texts of an artefact for people to open; return where they are."""
        folder = self.path / "files" / node
        kept = []
        for name, text in artefact.texts.items():
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(folder / name, text)
            kept.append(folder / name)
        return kept


@contextmanager
def open_run(root: Path, recipe: Recipe, as_of: datetime, resumed: Path | None = None) -> Iterator[RunFolder]:
    """Hold the folder of a run, a new one or the one that was cut off, for as long as the run goes on.

    Raises
    ------
    ConfigError
        If somebody else holds it.
    """
    path = resumed or _new_folder(
        root / recipe.strategy_id, f"{as_of:%Y%m%dT%H%M%S}-{meaning_hash(recipe)[:8]}"
    )
    with _held(path / _LOCK) as held:
        if not held:
            raise ConfigError(f"expected a run that nobody goes on with, found {path} in use; let it finish")
        yield RunFolder(path)


def cut_off_run(root: Path, recipe: Recipe) -> tuple[Path, RunManifest] | None:
    """Return the newest run of this recipe that neither finished nor goes on, if there is one."""
    found = []
    for path in (root / recipe.strategy_id).glob(f"*/{_MANIFEST}"):
        manifest = _manifest(path)
        if manifest is not None and manifest.meaning == meaning_hash(recipe):
            found.append((manifest.started_at, path.parent, manifest))
    for _, folder, manifest in sorted(found, key=lambda item: item[0], reverse=True):
        if manifest.state in ("done", "refused"):
            return None
        with _held(folder / _LOCK) as held:
            if held:
                return folder, manifest
    return None


def _manifest(path: Path) -> RunManifest | None:
    try:
        return RunManifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None  # of a former format, or cut off by a full disk: nothing that could be gone on with


def _new_folder(parent: Path, name: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for number in range(_MOST):
        path = parent / (name if number == 0 else f"{name}-{number + 1}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise ConfigError(f"expected fewer than {_MOST} runs {name} in {parent}; remove some of them")


@contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Try to hold the lock at ``path``; the system lets go when a process dies."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
