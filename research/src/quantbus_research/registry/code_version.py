"""Says which code made a model: the package's version and a hash of its sources."""

import hashlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import quantbus_research

__all__ = ["code_version"]


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return ``0.1.0+<hash>``; the hash covers every Python file of this package, so an edit changes it."""
    root = Path(str(quantbus_research.__file__)).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return f"{version('quantbus-research')}+{digest.hexdigest()[:12]}"
