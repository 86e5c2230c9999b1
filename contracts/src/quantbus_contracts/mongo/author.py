"""Who writes: the name that signs, the machine, and the code that runs there."""

import getpass
import socket
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Self

__all__ = ["Author"]

_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Author:
    """What the audit says about where a batch came from."""

    publisher: str
    host: str
    code_version: str

    @classmethod
    def here(cls, publisher: str | None = None) -> Self:
        """Return the author that this process is; it signs as ``publisher``, else as user@host."""
        host = socket.gethostname() or "unknown"
        name = publisher or f"{_user()}@{host}"
        return cls(name[:_LONGEST], host[:_LONGEST], _code_version())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return "unknown"


@cache
def _code_version() -> str:
    try:
        return f"quantbus-contracts {version('quantbus-contracts')}"
    except PackageNotFoundError:
        return "quantbus-contracts, not installed"
