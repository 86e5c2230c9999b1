"""What the user of a connection may do, held against what a role needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from quantbus_contracts.collections import COLLECTIONS
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.roles import Role, collection_actions
from quantbus_contracts.mongo.steps import Row

__all__ = ["Rights", "rights_for"]

_BEYOND_EVERY_PROCESS = frozenset(("dropCollection", "dropDatabase", "grantRole", "remove"))
_ON_ROWS = frozenset(
    (
        *("find", "insert", "update", "remove", "bypassDocumentValidation"),
        *(
            "collMod",
            "convertToCapped",
            "createIndex",
            "dropIndex",
            "dropCollection",
            "renameCollectionSameDB",
        ),
    )
)
"""What reads or changes what stands; all else only looks at how it is kept."""


@dataclass(frozen=True, slots=True)
class Rights:
    """``lacking``: what the role needs and the user may not, as ``collection: action`` lines.

    ``user`` is empty where nobody had to log in, which on a server without access control means: everything is
    allowed. ``excessive`` tells whether the user may also remove what stands, or manage users; ``beyond`` names what
    it may do with our collections and its role does not need.
    """

    user: str
    lacking: tuple[str, ...]
    excessive: bool
    beyond: tuple[str, ...] = ()


def rights_for(connection: Connection, role: Role) -> Rights:
    """Ask the server what the connection's user may do, and compare it with what ``role`` needs.

    Raises
    ------
    ConfigError
        If the server does not let this user in.
    BusUnavailable
        If it does not answer in time.
    """
    with translated_errors():
        told = connection.client.admin.command("connectionStatus", showPrivileges=True)["authInfo"]
    users = told["authenticatedUsers"]
    if not users:
        return Rights("", (), excessive=False)
    privileges = told["authenticatedUserPrivileges"]
    lacking: list[str] = []
    beyond: list[str] = []
    for spec in COLLECTIONS:
        database, name = connection.names.of(spec.name), connection.names.called(spec.name)
        allowed = _allowed(privileges, database, name)
        needed = set(collection_actions(role, spec))
        lacking += [f"{name}: {action}" for action in sorted(needed - allowed)]
        beyond += [f"{name}: {action}" for action in sorted((allowed & _ON_ROWS) - needed)]
    excessive = any(_BEYOND_EVERY_PROCESS & set(item["actions"]) for item in privileges)
    return Rights(str(users[0]["user"]), tuple(lacking), excessive, tuple(beyond))


def _allowed(privileges: Iterable[Row], database: str, collection: str) -> set[Any]:
    actions: set[Any] = set()
    for item in privileges:
        resource = item["resource"]
        if resource.get("anyResource") or (
            resource.get("db") in ("", database) and resource.get("collection") in ("", collection)
        ):
            actions.update(item["actions"])
    return actions
