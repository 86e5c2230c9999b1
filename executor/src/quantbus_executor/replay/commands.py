"""Runs the other programs of a replay: Freqtrade, and quantbus itself."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from quantbus_contracts.errors import QuantbusError
from quantbus_executor.settings import process_environment

__all__ = ["CommandFailed", "await_that", "environment_with", "folders_of", "run_command", "running"]

_TOLD = 3_000
_STOP_SECONDS = 60.0


class CommandFailed(QuantbusError):
    """A program that the replay needs ended with an error."""


def environment_with(changes: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without what would change Freqtrade's config, and with ``changes``."""
    kept = {
        name: value for name, value in process_environment().items() if not name.startswith("FREQTRADE__")
    }
    return {**kept, **changes}


def folders_of(userdir: Path, folder: Path) -> list[str]:
    """Return the arguments by which Freqtrade takes strategies from ``userdir`` and writes below ``folder`` alone."""
    own = folder / "user_data"
    own.mkdir(parents=True, exist_ok=True)
    return ["--userdir", str(own), "--strategy-path", str(userdir / "strategies")]


def run_command(name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    """Run a command that stands beside Python; what it says goes to ``log``.

    Raises
    ------
    CommandFailed
        If it ends with an error.
    """
    with log.open("wb") as output:
        done = subprocess.run(  # noqa: S603  # our own commands
            [_beside_python(name), *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise CommandFailed(_told(f"{name} {arguments[0]} ended with code {done.returncode}", log))


@contextmanager
def running(
    name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Let a command run as long as the block does."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own commands
            [_beside_python(name), *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_that(
    happened: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path, *, within: float, what: str
) -> None:
    """Wait until something has happened.

    Raises
    ------
    CommandFailed
        If the process ends before, or it takes too long.
    """
    deadline = time.monotonic() + within
    while not happened():
        if process.poll() is not None:
            raise CommandFailed(
                _told(f"expected {what}, but the process ended with {process.returncode}", log)
            )
        if time.monotonic() > deadline:
            raise CommandFailed(_told(f"expected {what} within {within:.0f} s", log))
        time.sleep(0.2)


def _beside_python(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _told(what: str, log: Path) -> str:
    said = log.read_text(encoding="utf-8", errors="replace")[-_TOLD:] if log.is_file() else ""
    return f"{what}; it said:\n{said}"
