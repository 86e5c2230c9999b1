"""The demonstration, as a new user runs it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]


class Demo:
    """A running demonstration; what it prints is collected as it comes."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.started = time.monotonic()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTBUS_")}
        self.process = subprocess.Popen(
            [Path(sys.executable).parent / "quantbus", "demo", *arguments],
            cwd=ROOT,
            env={**kept, "TMPDIR": str(folder), "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.text = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line

    def wait(self, seconds: float) -> int:
        code = self.process.wait(timeout=seconds)
        self._reader.join()
        return code

    def wait_for(self, pattern: str, seconds: float) -> "re.Match[str]":
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            match = re.search(pattern, self.text)
            if match:
                return match
            assert self.process.poll() is None, self.text
            time.sleep(0.1)
        raise AssertionError(f"{pattern!r} did not come within {seconds} s:\n{self.text}")

    def pids(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"pid (\d+)", self.text)]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


def running(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_a_full_round_trip_and_nothing_left(folder: Path) -> None:
    demo = Demo(folder)
    try:
        code = demo.wait(480)
        assert code == 0, demo.text
        for part in ("SYNTHETIC", "a full round trip", "trades in Freqtrade's dry run", "monitor:", "filled"):
            assert part in demo.text
        assert len(demo.pids()) >= 6
        assert [pid for pid in demo.pids() if running(pid)] == []
        assert list(folder.iterdir()) == [], "no temporary file is left"
    finally:
        demo.end()


def test_a_child_that_dies_ends_the_demo_within_five_seconds_and_names_its_log(folder: Path) -> None:
    demo = Demo(folder)
    try:
        pid = int(demo.wait_for(r"ingestion started \(pid (\d+)\)", 90)[1])
        time.sleep(1)
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        demo.wait_for(r"ingestion ended with code -9; read .*ingestion\.log", 5)
        assert demo.wait(60) == 1
        assert time.monotonic() - killed < 30
        assert [pid for pid in demo.pids() if running(pid)] == []
        assert (next(folder.iterdir()) / "logs" / "ingestion.log").exists(), "the log it names is kept"
    finally:
        demo.end()


def test_an_interrupted_demo_leaves_nothing(folder: Path) -> None:
    demo = Demo(folder)
    try:
        demo.wait_for(r"monitor started", 90)
        demo.process.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0
        assert [pid for pid in demo.pids() if running(pid)] == []
        assert list(folder.iterdir()) == []
    finally:
        demo.end()
