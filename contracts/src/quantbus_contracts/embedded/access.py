"""Access control of the embedded server: its key file and its administrator, both secrets of the quantbus home.

The server's own key also proves to it that we are the server, and so needs no user to begin with.
"""

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from quantbus_contracts.mongo.founding import key_credentials
from quantbus_contracts.runtime.secret_files import new_secret, read_secret, secret_folder, write_secret

__all__ = [
    "ServerKey",
    "admin_password",
    "admin_password_file",
    "has_server_key",
    "server_key",
]

_KEY_BYTES = 96
_KEY_FILE = "mongod.key"


@dataclass(frozen=True, slots=True)
class ServerKey:
    """The key of the server's replica set: as a file for mongod, as credentials for whoever runs it."""

    path: Path
    key: SecretStr

    @property
    def flags(self) -> tuple[str, ...]:
        """What mongod has to be told."""
        return ("--auth", f"--keyFile={self.path}")

    @property
    def credentials(self) -> dict[str, Any]:
        """What a client has to be told to act as the server itself."""
        return key_credentials(self.key)


def server_key(home: Path) -> ServerKey:
    """Return the key of this home's server; made on first use, readable for its owner alone, as mongod demands."""
    path = secret_folder(home) / _KEY_FILE
    if not path.exists():
        write_secret(path, SecretStr(base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()))
    return ServerKey(path, read_secret(path))


def has_server_key(home: Path) -> bool:
    """Tell whether the server of this home was ever started with access control."""
    return (home / "secrets" / _KEY_FILE).exists()


def admin_password_file(home: Path) -> Path:
    """Return where the administrator's password stands."""
    return home / "secrets" / "admin.password"


def admin_password(home: Path) -> SecretStr:
    """Return the administrator's password; made on first use."""
    path = admin_password_file(home)
    if not path.exists():
        write_secret(path, new_secret())
    return read_secret(path)
