"""Access control of the embedded server: its key file and its administrator, both secrets of the quantbus home.

The server's own key also proves to it that we are the server, and so needs no user to begin with.
"""

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pymongo import MongoClient

from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.runtime.secret_files import new_secret, read_secret, secret_folder, write_secret

__all__ = [
    "ADMIN_USER",
    "ServerKey",
    "admin_password_file",
    "ensure_administrator",
    "has_server_key",
    "server_key",
]

ADMIN_USER = "quantbus_admin"
_ADMIN_ROLES = ("clusterAdmin", "dbAdminAnyDatabase", "userAdminAnyDatabase")
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
        return {
            "username": "__system",
            "password": self.key.get_secret_value(),
            "authSource": "local",
            "authMechanism": "SCRAM-SHA-256",
        }


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


def ensure_administrator(client: "MongoClient[Row]", home: Path) -> None:
    """Let the administrator have the password that the file says, whatever stood on either side before."""
    path = admin_password_file(home)
    if not path.exists():
        write_secret(path, new_secret())
    command: Row = {"pwd": read_secret(path).get_secret_value(), "roles": list(_ADMIN_ROLES)}
    known = client.admin.command({"usersInfo": ADMIN_USER})["users"]
    client.admin.command({"updateUser" if known else "createUser": ADMIN_USER, **command})
