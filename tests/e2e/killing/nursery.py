"""Bots that start within seconds: Freqtrade is imported once, and each bot is a fork of that process.

A bot is a process of its own from its first line of Freqtrade's `main` on, and is killed as such. Run as a program,
this is the nursery itself: it reads what to start as lines of JSON, and answers with process ids.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.e2e.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]


class Nursery:
    """The process that forks bots."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.killing.nursery"],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        assert self._read() == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:  # closes its pipes, at which it ends
            pass

    def spawn(self, arguments: list[str], environment: dict[str, str], log: Path) -> int:
        """Start Freqtrade with its arguments; return its process id."""
        assert self._process.stdin is not None
        asked = {"arguments": arguments, "environment": environment, "log": str(log)}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class ForkedBot:
    """``freqtrade trade``; may be killed and started again on the same files."""

    def __init__(
        self, nursery: Nursery, config: Path, userdir: Path, log: Path, environment: dict[str, str]
    ) -> None:
        self._nursery = nursery
        self._arguments = ["trade", "--userdir", str(userdir), "--config", str(config)]
        self._environment = environment
        self.log = log
        self.pid: int | None = None
        self.kills = 0

    def start(self) -> None:
        """Start it, and do not wait for it."""
        self.pid = self._nursery.spawn(self._arguments, self._environment, self.log)

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.pid is not None and Path(f"/proc/{self.pid}").exists()

    def kill(self) -> None:
        """End it without any chance to tidy up, and return once it is gone."""
        if self.is_alive:
            self.kills += 1
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator does."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, how)
        eventually(lambda: not self.is_alive, within=60, what="the bot to be gone")


def _main() -> None:
    _import_freqtrade()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a bot that was killed leaves no zombie
    _say("ready")
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _live(asked)
        _say(str(child))


def _import_freqtrade() -> None:
    for name in (
        "ccxt.async_support",
        "ccxt.pro",
        "freqtrade.commands",
        "freqtrade.exchange",
        "freqtrade.freqtradebot",
        "freqtrade.main",
        "freqtrade.plugins.pairlist.StaticPairList",
        "freqtrade.worker",
        "quantbus_executor.session",
    ):
        import_module(name)


def _live(asked: dict[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    with Path(asked["log"]).open("ab") as log, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ.clear()
    os.environ.update(asked["environment"], COLUMNS="1000")  # or its log breaks lines that tests look for
    from freqtrade.main import main

    main(asked["arguments"])
    os._exit(0)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main()
