"""Reads and writes the files around a bot's config."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantbus_contracts.errors import ConfigError
from quantbus_executor.configs.tailored import ApiServer

__all__ = ["api_server", "shipped_config", "told", "userdir", "write_config"]

_OWNER_ONLY = 0o600
_USERDIR = Path("executor/user_data")


def shipped_config(*, live: bool = False, futures: bool = False) -> Path:
    """Return where a config that ships with quantbus is: in the checkout around us.

    Raises
    ------
    ConfigError
        If there is no checkout.
    """
    name = "config.live-futures.json" if futures else "config.live.json" if live else "config.dryrun.json"
    return userdir() / name


def userdir() -> Path:
    """Return Freqtrade's user folder of the checkout around us.

    Raises
    ------
    ConfigError
        If there is no checkout.
    """
    for folder in (Path.cwd(), *Path.cwd().parents, *Path(__file__).resolve().parents):
        if (folder / _USERDIR / "config.dryrun.json").is_file():
            return folder / _USERDIR
    raise ConfigError(f"expected {_USERDIR} in a checkout of quantbus, found none; name files by options")


def api_server(port: int, password_file: Path | None) -> ApiServer:
    """Return the API's settings with the password in ``password_file``, or with one made up now.

    Raises
    ------
    ConfigError
        If the file cannot be read or is empty, or the port is impossible.
    """
    if password_file is None:
        password = secrets.token_urlsafe(24)
    else:
        try:
            password = password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(
                f"expected a password in {password_file}, found none: {error.strerror}"
            ) from None
    return ApiServer(port=port, password=password, jwt_secret=secrets.token_urlsafe(48))


def write_config(config: Mapping[str, Any], path: Path) -> None:
    """Write the config where only its owner can read it; a half-written file never stands there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(told(config) + "\n")
    new.replace(path)


def told(values: Mapping[str, Any]) -> str:
    """Return the values as JSON for people."""
    return json.dumps(values, indent=4)
