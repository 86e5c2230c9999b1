"""A paper exchange as its own process, as users and the local stack start it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMAND = [str(Path(sys.executable).with_name("quantbus")), "paper-exchange"]
_START_SECONDS = 60


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTBUS_")}
    return kept | more


@dataclass
class Paper:
    """A running exchange."""

    process: subprocess.Popen[str]
    url: str
    ready: dict[str, object]
    ready_file: Path
    log: Path


class PaperStarter:
    """Starts exchanges and ends what it started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[str]] = []

    def __call__(self, *options: str, **environment: str) -> Paper:
        number = len(self._processes)
        ready_file = self._folder / f"ready{number}.json"
        log = self._folder / f"paper{number}.log"
        command = [*COMMAND, "serve", "--port", "0", "--ready-file", str(ready_file), *options]
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                text=True,
                env=clean_environment(**environment),
                cwd=self._folder,
            )
        self._processes.append(process)
        ends = time.monotonic() + _START_SECONDS
        while not ready_file.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.05)
        ready = json.loads(ready_file.read_text())
        return Paper(process, str(ready["url"]), ready, ready_file, log)

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(timeout=10)


@pytest.fixture
def start_paper(tmp_path: Path) -> Iterator[PaperStarter]:
    starter = PaperStarter(tmp_path)
    yield starter
    starter.stop()


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paper]:
    """One exchange with made-up candles for a whole module."""
    starter = PaperStarter(tmp_path_factory.mktemp("paper"))
    yield starter()
    starter.stop()
