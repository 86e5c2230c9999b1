"""Start child processes, notice at once when one dies, and end them all without leftovers.

Each child leads a process group of its own, so that ending it ends what it started too; on Linux it also
dies with its supervisor, however that ends. What children print goes to one log file each.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Child", "ChildDied", "Supervisor"]

_GRACE_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1


class ChildDied(Exception):
    """A child ended that should have gone on."""

    def __init__(self, child: "Child") -> None:
        """Name the child, its exit code and the log to read."""
        super().__init__(f"{child.name} ended with code {child.process.returncode}; read {child.log}")
        self.child = child


@dataclass(slots=True)
class Child:
    """A running child process."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    ending: asyncio.Task[int] = field(repr=False)


class Supervisor:
    """Runs children until told to stop or until one of them dies."""

    def __init__(self, *, logs: Path, folder: Path, environment: Mapping[str, str]) -> None:
        """Write logs into ``logs``; run children in ``folder`` with ``environment`` (complete, not additional)."""
        self._logs = logs
        self._folder = folder
        self._environment = dict(environment)
        self.children: list[Child] = []

    async def start(self, name: str, command: Sequence[str], **variables: str) -> Child:
        """Start a child; ``variables`` are added to its environment."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as handle:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._folder,
                env=self._environment | variables,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=handle,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )
        child = Child(name, process, log, asyncio.create_task(process.wait(), name=f"{name} ending"))
        self.children.append(child)
        return child

    async def run(self, name: str, command: Sequence[str], *, seconds: float = 120.0) -> None:
        """Run a one-shot child to its end.

        Raises
        ------
        ChildDied
            If it fails, or does not end within ``seconds``.
        """
        child = await self.start(name, command)
        try:
            code = await asyncio.wait_for(asyncio.shield(child.ending), seconds)
        except TimeoutError:
            await _end([child])
            code = -1
        self.children.remove(child)
        if code != 0:
            raise ChildDied(child)

    async def watch(self) -> None:
        """Wait until a child dies.

        Raises
        ------
        ChildDied
            Naming the first child that ended.
        """
        while True:
            await asyncio.wait([child.ending for child in self.children], return_when=asyncio.FIRST_COMPLETED)
            for child in self.children:
                if child.ending.done():
                    raise ChildDied(child)

    async def wait_until(self, ready: Callable[[], bool], *, what: str, seconds: float) -> None:
        """Wait until ``ready()``, but not longer than ``seconds`` nor past the death of a child.

        Raises
        ------
        ChildDied
            If a child dies meanwhile.
        TimeoutError
            Naming what did not come.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        while not ready():
            for child in self.children:
                if child.ending.done():
                    raise ChildDied(child)
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"{what} did not come within {seconds:.0f} s; logs are in {self._logs}")
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End every child, the newest first, and wait for them."""
        await _end(self.children[::-1])
        self.children.clear()


async def _end(children: Sequence[Child]) -> None:
    for child in children:
        _send(child, signal.SIGTERM)
    endings = [child.ending for child in children]
    if endings:
        await asyncio.wait(endings, timeout=_GRACE_SECONDS)
    for child in children:  # also what a child left behind in its group
        _send(child, signal.SIGKILL)
    if endings:
        await asyncio.wait(endings)


def _send(child: Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)


def _die_with_parent() -> Callable[[], None] | None:
    """Return what the child runs before it becomes its program: ask the kernel to end it at our death."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask
