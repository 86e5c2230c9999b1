"""Files that are whole or not there, also after a power cut; and one writer at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["one_writer", "replace_file", "settle_folder", "write_file"]


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file and wait until the disk has it; text is UTF-8."""
    with path.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and move it there; a reader sees the former one or the new one."""
    draft = path.with_name(f".{path.name}.draft")
    write_file(draft, content)
    draft.replace(path)
    settle_folder(path.parent)


def settle_folder(folder: Path) -> None:
    """Wait until the disk knows the names in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Hold the lock at ``path``, waiting for whoever holds it; the system lets go when a process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
