"""The stack in containers, up once for all tests of this folder, and down again."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.compose.engine import ROOT, Engine, NoEngine, an_engine

PROJECT = "quantbus-e2e"
UP_SECONDS = 600


@dataclass(frozen=True)
class Stack:
    """A running stack, and what a user would do with it."""

    engine: Engine
    environment: dict[str, str]
    up_seconds: float

    def compose(self, *words: str, timeout: float = 300, check: bool = True) -> str:
        return self.engine.compose(
            "-p", PROJECT, *words, timeout=timeout, check=check, environment=self.environment
        )

    def quantbus(self, *words: str) -> str:
        """Run a command as the operator does."""
        return self.compose("--profile", "tools", "run", "--rm", "-T", "quantbus", *words)

    def containers(self) -> dict[str, str]:
        """Return the id of each service's container that is to run for ever."""
        told = self.compose("ps", "--format", "{{.Service}} {{.ID}}")
        return dict(line.split() for line in told.splitlines() if line)

    def state(self, container: str, field: str) -> str:
        return self.engine.docker("inspect", "--format", f"{{{{{field}}}}}", container).strip()


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
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    secrets = tmp_path_factory.mktemp("stack") / "secrets"
    subprocess.run(["sh", "deploy/docker/make-secrets.sh", str(secrets)], cwd=ROOT, check=True)
    environment = {
        "COMPOSE_PROFILES": "paper,monitoring",
        "COMPOSE_ENV_FILES": str(ROOT / ".env.example"),
        "STACK_SECRETS": str(secrets),
        "STACK_STRATEGY_ID": "outside",
    }
    words = ("-p", PROJECT)
    engine.compose(*words, "down", "--volumes", "--remove-orphans", environment=environment)
    try:
        engine.compose(*words, "build", timeout=1_800, environment=environment)
        started = time.monotonic()
        engine.compose(
            *words,
            "up",
            "--detach",
            "--wait",
            "--wait-timeout",
            str(UP_SECONDS),
            *what_can_run(engine, environment),
            timeout=700,
            environment=environment,
        )
        yield Stack(engine, environment, time.monotonic() - started)
    finally:
        keep_logs(engine, environment)
        engine.compose(
            *words,
            "down",
            "--volumes",
            "--remove-orphans",
            "--timeout",
            "20",
            check=False,
            environment=environment,
        )
        shutil.rmtree(secrets, ignore_errors=True)


def what_can_run(engine: Engine, environment: dict[str, str]) -> list[str]:
    """Name the services that there are images of; all is no name at all. Nothing stands in for Grafana."""
    if not engine.offline:
        return []
    told = engine.compose("-p", PROJECT, "config", "--services", environment=environment)
    return sorted(set(told.split()) - {"grafana"})


def keep_logs(engine: Engine, environment: dict[str, str]) -> None:
    """Keep what the containers said, for whoever asks why a test failed."""
    folder = ROOT / ".quantbus"
    folder.mkdir(exist_ok=True)
    said = engine.compose(
        "-p", PROJECT, "logs", "--no-color", "--tail", "200", check=False, environment=environment
    )
    (folder / "compose.log").write_text(said)
