"""One user per role, with passwords in files; may be run any number of times, and rotates only when told to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote_plus

from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from quantbus_contracts.mongo.address import address_errors, credentials, resolve_uri
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.roles import ROLES, Role, mongo_name
from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.runtime.redaction import redact
from quantbus_contracts.runtime.secret_files import new_secret, read_secret, secret_folder, write_secret

__all__ = ["UserReport", "apply_users", "uri_form"]

_AUTHENTICATION_FAILED = 18
_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class UserReport:
    """What became of one user.

    ``created``, ``rotated``; ``kept``: it stands and the file's password opens it; ``differs``: it stands and the
    file's password does not open it; ``unknown``: it stands and no file here holds its password.
    """

    role: Role
    state: Literal["created", "rotated", "kept", "differs", "unknown"]
    password_file: Path | None
    uri: str
    """With ``<password>`` where the password belongs."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a user's password stands: in a file that was given, or in one that we keep."""

    path: Path
    given: bool

    @property
    def pending(self) -> Path:
        """Return the file of a new password that the server may have or not."""
        return self.path.with_name(f"{self.path.name}.next")

    def password(self) -> SecretStr | None:
        return read_secret(self.path) if self.given or self.path.exists() else None


def apply_users(
    connection: Connection,
    home: Path,
    *,
    given: Mapping[Role, Path],
    rotate: bool = False,
    roles: Iterable[Role] = ROLES,
) -> list[UserReport]:
    """Make a user for every role. Passwords come from ``given`` files, or are made and kept in ``home``'s secrets.

    A user that stands keeps its password unless ``rotate``; a new one is on disk before the server has it, so a
    rotation that is cut short is completed by the next run.

    Raises
    ------
    ConfigError
        If the connection's user may not manage users, or a given file cannot be read.
    """
    folder = secret_folder(home)
    uri = resolve_uri(connection.settings)
    reports = []
    for role in roles:
        place = _Place(given[role], True) if role in given else _Place(folder / f"{role}.password", False)
        with translated_errors():
            state = _apply(connection, uri, role, place, rotate=rotate)
        shown = None if state == "unknown" else place.path
        reports.append(UserReport(role, state, shown, uri_form(uri, mongo_name(role))))
    return reports


def _apply(
    connection: Connection, uri: str, role: Role, place: _Place, *, rotate: bool
) -> Literal["created", "rotated", "kept", "differs", "unknown"]:
    admin, user = connection.client.admin, mongo_name(role)
    found = admin.command({"usersInfo": {"user": user, "db": "admin"}})["users"]
    wanted = [{"role": user, "db": "admin"}]
    if not found:
        password = place.password() or new_secret()
        if not place.given:
            write_secret(place.path, password)
        admin.command({"createUser": user, "pwd": password.get_secret_value(), "roles": wanted})
        return "created"
    if found[0]["roles"] != wanted:
        admin.command({"updateUser": user, "roles": wanted})
    _settle_pending(connection, uri, user, place)
    if rotate:
        _rotate(connection, user, place)
        return "rotated"
    standing = place.password()
    if standing is None:
        return "unknown"
    return "kept" if _opens(connection, uri, user, standing) else "differs"


def _rotate(connection: Connection, user: str, place: _Place) -> None:
    password = read_secret(place.path) if place.given else new_secret()
    if not place.given:
        write_secret(place.pending, password)
    connection.client.admin.command({"updateUser": user, "pwd": password.get_secret_value()})
    if not place.given:
        place.pending.replace(place.path)


def _settle_pending(connection: Connection, uri: str, user: str, place: _Place) -> None:
    """Complete a rotation that was cut short: the server knows which of the two passwords counts."""
    if place.given or not place.pending.exists():
        return
    if _opens(connection, uri, user, read_secret(place.pending)):
        place.pending.replace(place.path)
    else:
        place.pending.unlink()


def _opens(connection: Connection, uri: str, user: str, password: SecretStr) -> bool:
    """Tell whether the server takes this password for this user."""
    options: dict[str, Any] = credentials(connection.settings) | {
        "username": user,
        "password": password.get_secret_value(),
        "authSource": "admin",
        "serverSelectionTimeoutMS": _TIMEOUT_SECONDS * 1000,
    }
    with address_errors(uri):
        client: MongoClient[Row] = MongoClient(uri, **options)
    with client:
        try:
            client.admin.command("ping")
        except OperationFailure as error:
            if error.code == _AUTHENTICATION_FAILED:
                return False
            raise
    return True


def uri_form(uri: str, user: str) -> str:
    """Return an address for ``user`` at the same hosts, with ``<password>`` in place of a password."""
    scheme, _, rest = uri.partition("://")
    hosts, _, options = rest.rpartition("@")[2].partition("?")
    kept = [
        option for option in options.split("&") if option and not option.lower().startswith("authsource=")
    ]
    hosts, options = hosts.split("/")[0], "&".join([*kept, "authSource=admin"])
    return redact(f"{scheme}://{quote_plus(user)}:<password>@{hosts}/?{options}")
