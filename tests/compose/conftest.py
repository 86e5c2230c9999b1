"""The stack in containers: a checkout of its own, set up as the docs say, up once for all tests of a file."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.compose.engine import ROOT, Engine, NoEngine, an_engine

PROJECT = "quantbus-e2e"
UP_SECONDS = 600
BACKUP = "2026-01-05"
"""The name of the backup in docs/backup.md."""
ENVIRONMENT = {"COMPOSE_PROJECT_NAME": PROJECT}
"""A name of its own, so that a stack of the same machine keeps its containers and volumes."""


@dataclass(frozen=True)
class Stack:
    """A checkout with its secrets and its .env, and what a user would do in it."""

    engine: Engine
    folder: Path

    def compose(
        self,
        *words: str,
        timeout: float = 300,
        check: bool = True,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Run ``docker compose``; ``settings`` stand above those of .env."""
        environment = {**ENVIRONMENT, **settings}
        return self.engine.compose(
            *words, folder=self.folder, environment=environment, timeout=timeout, check=check
        )

    def up(self, *services: str) -> float:
        """Start services, all that can run if none is named; return after how many seconds all were healthy."""
        started = time.monotonic()
        words = ("up", "--detach", "--wait", "--wait-timeout", str(UP_SECONDS))
        self.compose(*words, *(services or self._what_can_run()), timeout=UP_SECONDS + 100)
        return time.monotonic() - started

    def down(self) -> None:
        """Take everything away, volumes too."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "20")

    def quantbus(self, *words: str) -> str:
        """Run a command as the operator does."""
        return self.compose("run", "--rm", "-T", "quantbus", *words)

    def containers(self) -> dict[str, str]:
        """Return the id of each service's container that is to run for ever."""
        told = self.compose("ps", "--format", "{{.Service}} {{.ID}}")
        return dict(line.split() for line in told.splitlines() if line)

    def state(self, container: str, field: str) -> str:
        return self.engine.docker("inspect", "--format", f"{{{{{field}}}}}", container).strip()

    def keep_logs(self) -> None:
        """Keep what the containers said, for whoever asks why a test failed."""
        kept = ROOT / ".quantbus"
        kept.mkdir(exist_ok=True)
        said = self.compose("logs", "--no-color", "--tail", "400", check=False)
        (kept / "compose.log").write_text(said)

    def _what_can_run(self) -> list[str]:
        """Name the services that there are images of; all is no name at all. Nothing stands in for Grafana."""
        if not self.engine.offline:
            return []
        return sorted(set(self.compose("config", "--services").split()) - {"grafana"})


def await_true(what: str, seconds: float, look: Callable[[], object]) -> float:
    """Look until it is so; return after how many seconds it was."""
    started = time.monotonic()
    last: object = None
    while time.monotonic() - started < seconds:
        last = look()
        if last is True:
            return time.monotonic() - started
        time.sleep(0.5)
    pytest.fail(f"not within {seconds:.0f} s: {what}; last seen: {last!r}")


@contextmanager
def a_stack(engine: Engine, folder: Path, **settings: str) -> Iterator[Stack]:
    """Set up a checkout as docs/compose.md says, with ``settings`` in its .env; end with nothing left of it."""
    _check_out(folder)
    subprocess.run(["sh", "deploy/docker/make-secrets.sh"], cwd=folder, check=True, capture_output=True)
    written = (folder / ".env.example").read_text().splitlines()
    kept = [line for line in written if line.partition("=")[0] not in settings]
    told = [*kept, *(f"{name}={value}" for name, value in settings.items())]
    (folder / ".env").write_text("\n".join(told) + "\n")
    stack = Stack(engine, folder)
    stack.down()
    try:
        stack.compose("build", timeout=1_800)
        yield stack
    finally:
        stack.keep_logs()
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


def _check_out(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    folder = Path(os.environ.get("QUANTBUS_ENGINE_HOME", "/var/tmp/quantbus-engine"))  # noqa: S108  # kept on purpose
    try:
        with an_engine(folder) as found:
            yield found
    except NoEngine as error:
        if os.environ.get("REQUIRE_TEST_TOOLS"):
            pytest.fail(str(error))
        pytest.skip(f"NO DOCKER ENGINE: {error}")


@pytest.fixture(scope="session")
def backups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the user of the images may write, as docs/backup.md makes it."""
    folder = tmp_path_factory.mktemp("backups")
    folder.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(folder, 10_001, 10_001)
    else:  # then only the owner's way in is open to everybody
        folder.chmod(0o777)
    return folder
