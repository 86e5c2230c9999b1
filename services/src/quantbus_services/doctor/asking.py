"""Asks another command of quantbus, in a process of its own: it may need what is not installed here, or hang."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantbus_contracts.runtime.redaction import redact

__all__ = ["Answer", "Said", "ask", "run", "said"]

_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """What it printed as JSON, or in words why it did not; ``code`` is None where it could not be run or hung."""

    code: int | None
    told: Any
    words: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and its last words."""

    code: int | None
    out: str
    words: str


def ask(arguments: Sequence[str], seconds: float) -> Answer:
    """Run ``quantbus ARGUMENTS…`` and read its JSON."""
    command = [sys.executable, "-m", "quantbus_contracts.cli", *arguments]
    return run(command, seconds)


def run(command: Sequence[str], seconds: float, folder: Path | None = None) -> Answer:
    """Run a command that prints JSON."""
    heard = said(command, seconds, folder)
    try:
        return Answer(heard.code, json.loads(heard.out), heard.words)
    except ValueError:
        return Answer(heard.code, None, heard.words or f"nothing, and ended with {heard.code}")


def said(command: Sequence[str], seconds: float, folder: Path | None = None) -> Said:
    """Run a command, for what it prints."""
    try:
        done = subprocess.run(  # noqa: S603  # our own commands, or the engine's; no shell
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            cwd=folder,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Said(None, "", f"no answer within {seconds:.0f} s")
    except OSError as error:
        return Said(None, "", f"{command[0]} cannot be run: {error.strerror}")
    words = " ".join(redact(done.stderr or done.stdout).split())[:_LONGEST].removeprefix("error: ")
    return Said(done.returncode, done.stdout, words)
