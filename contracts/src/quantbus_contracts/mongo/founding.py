"""Makes a replica set of servers that were never started together, and its administrator; any number of times.

The members' common key proves that we are one of them: no user has to stand yet, and we may come over the network.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from quantbus_contracts.errors import BusUnavailable, ConfigError
from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.runtime.redaction import redact

__all__ = ["ADMIN_USER", "REPLICA_SET", "Founding", "ensure_administrator", "found", "key_credentials"]

ADMIN_USER = "quantbus_admin"
REPLICA_SET = "quantbus"
_ADMIN_ROLES = ("backup", "clusterAdmin", "dbAdminAnyDatabase", "restore", "userAdminAnyDatabase")
_NOT_YET_INITIALIZED = 94
_ALREADY_INITIALIZED = 23
_ANSWER_SECONDS = 3.0
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Founding:
    """What stands now, and what of it is new."""

    members: tuple[str, ...]
    primary: str
    initiated: bool
    administrator_made: bool
    added: tuple[str, ...] = ()


def key_credentials(key: SecretStr) -> dict[str, Any]:
    """Return what a client has to be told to act as a member that holds ``key``."""
    return {
        "username": "__system",
        "password": key.get_secret_value(),
        "authSource": "local",
        "authMechanism": "SCRAM-SHA-256",
    }


def ensure_administrator(client: "MongoClient[Row]", password: SecretStr) -> bool:
    """Let the administrator have this password, whatever stood before; return whether the user is new."""
    command: Row = {"pwd": password.get_secret_value(), "roles": list(_ADMIN_ROLES)}
    known = client.admin.command({"usersInfo": ADMIN_USER})["users"]
    client.admin.command({"updateUser" if known else "createUser": ADMIN_USER, **command})
    return not known


def found(
    members: Sequence[str], key: SecretStr, password: SecretStr, *, timeout_seconds: float = 60.0
) -> Founding:
    """Make ``members`` (``host:port``) one replica set with an administrator; leave what stands as it is.

    A set of some of them takes the others in, as long as those are in no set yet. They copy its data and vote once
    they have it.

    Raises
    ------
    ConfigError
        If the servers do not take the key, or stand already as a set with members that are not named.
    BusUnavailable
        If there is no primary within ``timeout_seconds``; the message names what each member said last.
    """
    deadline = time.monotonic() + timeout_seconds
    said: dict[str, str] = dict.fromkeys(members, "nothing yet")
    initiated = False
    added: list[str] = []
    while True:
        for member in members:
            try:
                with _client(member, key) as client:
                    initiated = _initiate(client, members) or initiated
                    if client.admin.command("hello").get("isWritablePrimary"):
                        _take_in(client, members, key, added)
                        made = ensure_administrator(client, password)
                        return Founding(tuple(members), member, initiated, made, tuple(added))
                    said[member] = "is not primary"
            except OperationFailure as error:
                if error.code == 18:
                    raise ConfigError(
                        f"{member} does not take the key; expected the file that its mongod was given as --keyFile"
                    ) from None
                said[member] = redact(str(error.details.get("errmsg", error) if error.details else error))
            except PyMongoError as error:
                said[member] = redact(str(error)).splitlines()[0][:200]
        if time.monotonic() >= deadline:
            told = "; ".join(f"{member}: {last}" for member, last in said.items())
            raise BusUnavailable(f"no primary within {timeout_seconds:.0f} s; {told}")
        time.sleep(_LOOK_SECONDS)


def _initiate(client: "MongoClient[Row]", members: Sequence[str]) -> bool:
    """Make the set unless it stands; return whether it was made."""
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        wanted = [{"_id": number, "host": member} for number, member in enumerate(members)]
        try:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": wanted})
        except OperationFailure as refused:
            if refused.code == _ALREADY_INITIALIZED:
                return False
            raise
        return True
    standing = _hosts(config)
    if not set(standing) <= set(members):
        raise ConfigError(
            f"expected a replica set of {', '.join(members)} or of some of them, found one of {', '.join(standing)}; "
            "name all of these, or remove with rs.remove what is to leave it"
        )
    return False


def _take_in(client: "MongoClient[Row]", members: Sequence[str], key: SecretStr, added: list[str]) -> None:
    """Add to the set what is not in it yet, one at a time; note each in ``added``. ``client`` asks the primary."""
    for newcomer in members:
        config = client.admin.command("replSetGetConfig")["config"]
        if newcomer in _hosts(config):
            continue
        _require_in_no_set(newcomer, key)
        number = max(int(member["_id"]) for member in config["members"]) + 1
        config["members"].append({"_id": number, "host": newcomer})
        config["version"] += 1
        client.admin.command("replSetReconfig", config)
        added.append(newcomer)


def _require_in_no_set(member: str, key: SecretStr) -> None:
    """Ask a newcomer itself: a set would take in whatever bears the name, and even nobody."""
    try:
        with _client(member, key) as client:
            config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        return
    raise ConfigError(
        f"expected {member} to be in no replica set yet, found one of {', '.join(_hosts(config))}; empty its data first"
    )


def _hosts(config: Row) -> list[str]:
    return [str(member["host"]) for member in config["members"]]


def _client(member: str, key: SecretStr) -> "MongoClient[Row]":
    milliseconds = int(_ANSWER_SECONDS * 1000)
    return MongoClient(
        f"mongodb://{member}/",
        directConnection=True,
        serverSelectionTimeoutMS=milliseconds,
        socketTimeoutMS=milliseconds,
        **key_credentials(key),
    )
