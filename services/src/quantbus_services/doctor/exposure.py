"""Who else can read a file: the file's own mode, and whether its folders let anybody get there; pure but for `look`."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["GIVEN", "Looked", "exposure", "look"]

GIVEN = Path("/run/secrets")
"""Where a container has the secrets that it alone was given, with the mode that they have outside."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A file, its mode and those of its folders from the root down; ``mode`` is None where there is no such file."""

    path: Path
    mode: int | None
    size: int = 0
    folders: tuple[int, ...] = ()
    reason: str = ""


def look(path: Path) -> Looked:
    """Ask the file system; links are followed, since the mode of what they lead to counts."""
    try:
        there = path.resolve(strict=True)
        about = there.stat()
        folders = tuple(folder.stat().st_mode for folder in reversed(there.parents))
    except (OSError, RuntimeError) as error:
        return Looked(path, None, reason=getattr(error, "strerror", None) or "cannot be looked at")
    if not stat.S_ISREG(about.st_mode):
        return Looked(path, None, reason="not a file")
    return Looked(path, about.st_mode, about.st_size, folders)


def exposure(file: Looked) -> Literal["everyone", "group"] | None:
    """Return who besides the owner can read or change the file; None: nobody."""
    if file.mode is None or GIVEN in file.path.parents:
        return None
    if _reached(file.mode, file.folders, stat.S_IROTH | stat.S_IWOTH, stat.S_IXOTH):
        return "everyone"
    if _reached(file.mode, file.folders, stat.S_IRGRP | stat.S_IWGRP, stat.S_IXGRP | stat.S_IXOTH):
        return "group"
    return None


def _reached(mode: int, folders: Sequence[int], use: int, enter: int) -> bool:
    return bool(mode & use) and all(folder & enter for folder in folders)
