"""A disk that can be filled without hurting the machine: a small one in memory, where this user may mount it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MEGABYTES = 2_000
_CHUNK = b"\0" * 2**20


@dataclass
class SmallDisk:
    """Where to write, and why it cannot be filled if it is no disk of its own."""

    folder: Path
    why_not: str = ""

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self, *, leaving: float) -> None:
        """Write until only that share is free."""
        size, _, free = shutil.disk_usage(self.folder)
        with self._ballast.open("wb") as file:
            for _ in range(int(free - leaving * size) // len(_CHUNK)):
                file.write(_CHUNK)

    def clear(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mount a disk at ``folder``, or use the folder as it is."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "quantbus-test", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        why_not = "" if done.returncode == 0 else f"no disk to fill: {done.stderr.strip()}"
    except OSError as error:
        why_not = f"no disk to fill: {error}"
    try:
        yield SmallDisk(folder, why_not)
    finally:
        if not why_not:
            subprocess.run(["umount", str(folder)], check=True)
