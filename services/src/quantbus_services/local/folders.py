"""Where the stack keeps things on this machine."""

import os
import socket
from pathlib import Path

from quantbus_contracts.errors import ConfigError

__all__ = ["bot_user_data", "check_port", "free_port"]


def bot_user_data() -> Path:
    """Return the folder with the bot's strategy.

    Raises
    ------
    ConfigError
        If quantbus does not run from a checkout, which is where that folder is.
    """
    for folder in (Path.cwd(), *Path.cwd().parents, *Path(__file__).resolve().parents):
        candidate = folder / "executor" / "user_data"
        if (candidate / "strategies" / "ExternalSignalStrategy.py").is_file():
            return candidate
    raise ConfigError(
        "expected executor/user_data with ExternalSignalStrategy.py above this folder, found none; "
        "run the command inside a checkout of quantbus"
    )


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_port(port: int, *, what: str) -> None:
    """Refuse a port that somebody listens on.

    Raises
    ------
    ConfigError
        Naming the port and what wanted it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigError(
                f"port {port}, wanted by {what}, is in use ({os.strerror(error.errno or 0)}); "
                "stop what listens there or choose another port"
            ) from None
