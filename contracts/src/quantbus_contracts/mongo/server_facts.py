"""What a server says of itself, question by question; a question that it refuses is unsaid and hides no other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from bson.codec_options import CodecOptions
from pymongo.errors import OperationFailure

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.mongo.bus_health import members_of
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.layout import recorded_version
from quantbus_contracts.mongo.layout_facts import layout_faults
from quantbus_contracts.mongo.retention import retention_faults
from quantbus_contracts.mongo.rights import Rights, rights_for
from quantbus_contracts.mongo.roles import ROLES, Role, access_control_enforced, mongo_name, privileges_of
from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.schema import MemberHealth

__all__ = [
    "ClockFacts",
    "DiskFacts",
    "ServerFacts",
    "SetFacts",
    "StartFacts",
    "Unsaid",
    "UserFacts",
    "server_facts",
]

Fact = TypeVar("Fact")
_AWARE: CodecOptions[Row] = CodecOptions(tz_aware=True, tzinfo=UTC)
_UNAUTHORIZED = 13
_NO_REPLICATION = 76
_NOT_YET_INITIALIZED = 94
_NO_DEFAULT = "1"  # what holds where a server names none: as it does with an arbiter among three


@dataclass(frozen=True, slots=True)
class Unsaid:
    """The server did not tell, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What mongod was started with; ``compressors`` is None where nothing was said and its own default holds."""

    scripting: bool
    compressors: tuple[str, ...] | None
    bound_to: tuple[str, ...]
    journal: bool


@dataclass(frozen=True, slots=True)
class SetFacts:
    """The replica set; ``majority_is_journaled`` says that a majority has a write on disk once it is confirmed."""

    name: str
    members: tuple[MemberHealth, ...]
    majority_is_journaled: bool
    default_write: str


@dataclass(frozen=True, slots=True)
class UserFacts:
    """Who asked, and what they may do, held against what ``role`` needs; ``name`` is empty without a login."""

    name: str
    role: Role | None
    lacking: tuple[str, ...] = ()
    excessive: bool = False
    beyond: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """How far the server's clock is ahead of ours; the truth lies within ``uncertain_seconds`` of it."""

    offset_seconds: float
    uncertain_seconds: float


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """The file system of the data."""

    size_bytes: float
    free_bytes: float


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """All of it. ``members`` is None where the server is no member of a replica set."""

    version: str
    access_control: bool | Unsaid
    user: UserFacts | Unsaid
    start: StartFacts | Unsaid
    members: SetFacts | Unsaid | None
    transaction_seconds: float | Unsaid
    roles: tuple[str, ...] | Unsaid
    schema: int | Unsaid
    layout: tuple[str, ...] | Unsaid
    retention: tuple[str, ...] | Unsaid
    disk: DiskFacts | Unsaid
    clock: ClockFacts | Unsaid


def server_facts(connection: Connection, clock: Clock) -> ServerFacts:
    """Ask the server everything that the connection's user may ask.

    Raises
    ------
    BusUnavailable
        If it does not answer at all.
    ConfigError
        If it does not let this user in.
    """
    with translated_errors():
        connection.client.admin.command("ping")
        version = str(connection.client.admin.command("buildInfo")["version"])
    return ServerFacts(
        version=version,
        access_control=_asked(lambda: access_control_enforced(connection)),
        user=_asked(lambda: _user(connection)),
        start=_asked(lambda: _start(connection)),
        members=_asked(lambda: _set(connection)),
        transaction_seconds=_asked(lambda: _transaction_seconds(connection)),
        roles=_asked(lambda: _wrong_roles(connection)),
        schema=_asked(lambda: recorded_version(connection)),
        layout=_asked(lambda: tuple(layout_faults(connection))),
        retention=_asked(lambda: tuple(retention_faults(connection))),
        disk=_asked(lambda: _disk(connection)),
        clock=_asked(lambda: _clock(connection, clock)),
    )


def _asked(question: Callable[[], Fact]) -> Fact | Unsaid:
    try:
        with translated_errors():
            return question()
    except ConfigError as error:
        refused = isinstance(error.__cause__, OperationFailure) and error.__cause__.code == _UNAUTHORIZED
        return Unsaid("this user may not ask that" if refused else str(error))
    except BusError as error:
        return Unsaid(str(error))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        return Unsaid(f"the server answered in another shape than expected: {type(error).__name__} {error}")


def _user(connection: Connection) -> UserFacts:
    told = connection.client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]
    if not told:
        return UserFacts("", None)
    name = str(told[0]["user"])
    role = next((role for role in ROLES if mongo_name(role) == name), None)
    if role is None:
        return UserFacts(name, None)
    rights: Rights = rights_for(connection, role)
    return UserFacts(name, role, rights.lacking, rights.excessive, rights.beyond)


def _start(connection: Connection) -> StartFacts:
    options: Row = connection.client.admin.command("getCmdLineOpts")["parsed"]
    net, security = options.get("net", {}), options.get("security", {})
    compressors = net.get("compression", {}).get("compressors")
    bound = "*" if net.get("bindIpAll") else str(net.get("bindIp", "localhost"))
    return StartFacts(
        scripting=bool(security.get("javascriptEnabled", True)),
        compressors=None if compressors is None else _listed(str(compressors)),
        bound_to=_listed(bound),
        journal=bool(options.get("storage", {}).get("journal", {}).get("enabled", True)),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _set(connection: Connection) -> SetFacts | None:
    admin = connection.client.admin
    try:
        status = admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code in (_NO_REPLICATION, _NOT_YET_INITIALIZED):
            return None
        raise
    config = admin.command("replSetGetConfig")["config"]
    concern = admin.command("getDefaultRWConcern").get("defaultWriteConcern", {})
    return SetFacts(
        name=str(status["set"]),
        members=members_of(status),
        majority_is_journaled=bool(config.get("writeConcernMajorityJournalDefault", True)),
        default_write=str(concern.get("w", _NO_DEFAULT)),
    )


def _transaction_seconds(connection: Connection) -> float:
    name = "transactionLifetimeLimitSeconds"
    return float(connection.client.admin.command({"getParameter": 1, name: 1})[name])


def _wrong_roles(connection: Connection) -> tuple[str, ...]:
    """Return the roles that are missing or differ from the table, and users that have more than their own role."""
    admin, databases = connection.client.admin, connection.names.all()
    wrong = []
    for role in ROLES:
        name = mongo_name(role)
        found = admin.command({"rolesInfo": {"role": name, "db": "admin"}, "showPrivileges": True})["roles"]
        if not found:
            wrong.append(f"{name}: no such role")
            continue
        wanted, held = _held(privileges_of(role, databases)), _held(found[0]["privileges"])
        parents = {str(item["role"]) for item in found[0]["roles"]}
        expected = {"clusterMonitor"} if role == "monitor" else set()
        if wanted != held or parents != expected:
            more = "may more than the table says" if held - wanted or parents - expected else "may less"
            wrong.append(f"{name}: {more}")
        users = admin.command({"usersInfo": {"user": name, "db": "admin"}})["users"]
        if not users:
            wrong.append(f"{name}: no such user")
        elif {(item["role"], item["db"]) for item in users[0]["roles"]} != {(name, "admin")}:
            wrong.append(f"{name}: the user has other roles than its own")
    return tuple(wrong)


def _held(privileges: list[Row]) -> set[tuple[str, str, str]]:
    return {
        (str(item["resource"].get("db")), str(item["resource"].get("collection")), str(action))
        for item in privileges
        for action in item["actions"]
    }


def _disk(connection: Connection) -> DiskFacts:
    # of the one database that every server has; ours lie on the same disk, once there are any
    stats: Mapping[str, object] = connection.client.admin.command("dbStats")
    size, used = float(str(stats["fsTotalSize"])), float(str(stats["fsUsedSize"]))
    return DiskFacts(size, size - used)


def _clock(connection: Connection, clock: Clock) -> ClockFacts:
    """Return the best of a few comparisons: the one whose answer came soonest says most."""
    found = []
    for _ in range(3):
        before = clock.now()
        told: datetime = connection.client.admin.command("hello", codec_options=_AWARE)["localTime"]
        after = clock.now()
        away = (after - before).total_seconds() / 2
        found.append(ClockFacts((told - before).total_seconds() - away, away))
    return min(found, key=lambda one: one.uncertain_seconds)
