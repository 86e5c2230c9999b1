"""Least-privilege roles, made from the one table: who may read, add and change what; nobody may remove.

A role knows collections, not documents: that a process writes only its *own* heartbeat is kept by the stores.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pymongo.errors import OperationFailure

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec, Database, Party, candle_collection
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe

__all__ = [
    "ROLES",
    "Role",
    "RolesReport",
    "access_control_enforced",
    "apply_roles",
    "collection_actions",
    "mongo_name",
    "privileges_of",
    "role_command",
    "roles_table",
]

_CANDLES = {candle_collection(Timeframe.parse(name)) for name in SUPPORTED_TIMEFRAMES}
Role = Literal["ingest", "research", "gateway", "executor", "account", "monitor", "operator", "migrate"]
ROLES: tuple[Role, ...] = get_args(Role)

_PARTY: Mapping[Role, Party] = {
    "ingest": "ingestion",
    "research": "research",
    "gateway": "gateway",
    "executor": "executor",
    "account": "account",
    "monitor": "monitor",
    "operator": "operator",
    "migrate": "migrations",
}
_BEATING: frozenset[Role] = frozenset(("ingest", "research", "gateway", "executor", "account", "monitor"))
"""Those that are processes; the operator's commands and migrations come and go."""

# A change stream shows what repeated reading would show, only sooner.
_READ = ("changeStream", "find")
_ADD = ("insert",)
_CHANGE = ("update",)
_LAYOUT = ("collMod", "createCollection", "createIndex", "listIndexes")
_SEES_LAYOUT: frozenset[Role] = frozenset(("monitor", "operator", "migrate"))
"""Those for whom `quantbus bus status` can say what is missing."""
_UNAUTHORIZED = 13


@dataclass(frozen=True, slots=True)
class RolesReport:
    """What was done to the roles; names without the prefix."""

    created: tuple[Role, ...]
    updated: tuple[Role, ...]


def mongo_name(role: Role) -> str:
    """Return what the role, and its user, are called in the database ``admin``."""
    return f"quantbus_{role}"


def collection_actions(role: Role, spec: CollectionSpec) -> tuple[str, ...]:
    """Return the actions that ``role`` may take on one collection, sorted; empty where it is none of its business."""
    party = _PARTY[role]
    actions: set[str] = set(_LAYOUT) if role == "migrate" else set()
    writes = party in spec.written_by
    if party in spec.read_by or (writes and not spec.append_only):
        actions.update(_READ)
    if writes or ("every process" in spec.written_by and role in _BEATING):
        actions.update(_ADD if spec.append_only else _ADD + _CHANGE)
    if actions and role in _SEES_LAYOUT:
        actions.add("listIndexes")
    return tuple(sorted(actions))


def privileges_of(
    role: Role, databases: Mapping[Database, str], specs: Iterable[CollectionSpec] = COLLECTIONS
) -> list[Row]:
    """Return the privileges of ``role`` as MongoDB takes them; ``databases`` says what each is called."""
    privileges: list[Row] = [
        {
            "resource": {"db": databases[spec.database], "collection": spec.name},
            "actions": list(actions),
        }
        for spec in specs
        if (actions := collection_actions(role, spec))
    ]
    if role in _SEES_LAYOUT:
        privileges += [
            {"resource": {"db": name, "collection": ""}, "actions": ["listCollections"]}
            for name in databases.values()
        ]
    return privileges


def role_command(
    role: Role,
    databases: Mapping[Database, str],
    specs: Iterable[CollectionSpec] = COLLECTIONS,
    *,
    exists: bool,
) -> Row:
    """Return the command, for the database ``admin``, that makes the role, or brings an existing one to the table."""
    return {
        "updateRole" if exists else "createRole": mongo_name(role),
        "privileges": privileges_of(role, databases, specs),
        "roles": [{"role": "clusterMonitor", "db": "admin"}] if role == "monitor" else [],
    }


def apply_roles(
    connection: Connection, specs: Iterable[CollectionSpec] = COLLECTIONS, *, roles: Iterable[Role] = ROLES
) -> RolesReport:
    """Make the roles, or bring those that stand to what the table says; a role that is right is left alone.

    Raises
    ------
    ConfigError
        If the connection's user may not manage roles, or a role of that name serves other databases.
    """
    specs = tuple(specs)
    created: list[Role] = []
    updated: list[Role] = []
    admin = connection.client.admin
    databases = connection.names.all()
    with translated_errors():
        for role in roles:
            found = admin.command(
                {"rolesInfo": {"role": mongo_name(role), "db": "admin"}, "showPrivileges": True}
            )["roles"]
            if found:
                _refuse_other_databases(role, found[0]["privileges"], set(databases.values()))
            command = role_command(role, databases, specs, exists=bool(found))
            if found and _shape(found[0]) == _shape(command):
                continue
            admin.command(command)
            (updated if found else created).append(role)
    return RolesReport(tuple(created), tuple(updated))


def _refuse_other_databases(role: Role, privileges: list[Row], ours: set[str]) -> None:
    theirs = {str(item["resource"].get("db")) for item in privileges} - {""}
    if theirs and not theirs & ours:
        raise ConfigError(
            f"role {mongo_name(role)} on this server serves the databases {', '.join(sorted(theirs))}, not "
            f"{', '.join(sorted(ours))}: one server holds the roles of one quantbus; use another server, or the "
            "same database names"
        )


def _shape(role: Row) -> tuple[object, object]:
    """Return what makes two roles the same, whatever the order."""
    privileges = {
        (item["resource"]["db"], item["resource"]["collection"], tuple(sorted(item["actions"])))
        for item in role["privileges"]
    }
    return privileges, {(item["role"], item["db"]) for item in role["roles"]}


def access_control_enforced(connection: Connection) -> bool:
    """Tell whether the server asks who one is, or lets everyone do everything."""
    with translated_errors():
        try:
            options = connection.client.admin.command("getCmdLineOpts")["parsed"]
        except OperationFailure as error:
            if error.code == _UNAUTHORIZED:
                return True  # it has just refused us something
            raise
    security = options.get("security", {})
    if security.get("transitionToAuth"):  # it takes passwords, and lets everyone in without one
        return False
    return (
        security.get("authorization") == "enabled" or "keyFile" in security or "clusterAuthMode" in security
    )


def roles_table(specs: Iterable[CollectionSpec] = COLLECTIONS) -> str:
    """Return who may do what as a Markdown table: r read and watch, a add, c change, l lay out; nobody removes."""
    letters = {"find": "r", "insert": "a", "update": "c", "createIndex": "l"}
    lines = ["| collection | " + " | ".join(ROLES) + " |", "|---|" + "---|" * len(ROLES)]
    rows: dict[str, list[str]] = {}
    for spec in specs:
        name = "`crypto_market`, `crypto_market_<timeframe>`" if spec.name in _CANDLES else f"`{spec.name}`"
        held = [collection_actions(role, spec) for role in ROLES]
        rows[name] = ["".join(letter for action, letter in letters.items() if action in may) for may in held]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items()]
    return "\n".join(lines)
