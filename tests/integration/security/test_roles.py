"""Every role tries every operation on everything, on a real mongod with access control.

What is allowed stands here once more, written by hand from the design and not from the code: f find, c change
stream, i insert, u update, x make an index, v set the validator. What is not named is denied.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.address import resolve_uri
from quantbus_contracts.mongo.roles import ROLES, Role, apply_roles, collection_actions, mongo_name
from tests.integration.security.conftest import Guarded

pytestmark = pytest.mark.integration
Client = MongoClient[dict[str, Any]]
Cell = tuple[str, str, str]

MARKET = [
    *("crypto_market", "crypto_market_1m", "crypto_market_3m", "crypto_market_5m", "crypto_market_15m"),
    *("crypto_market_30m", "crypto_market_1h", "crypto_market_2h", "crypto_market_4h", "crypto_market_6h"),
    *("crypto_market_8h", "crypto_market_12h", "crypto_blocks", "crypto_instruments", "crypto_universe"),
    *("crypto_funding", "crypto_mark", "crypto_open_interest", "crypto_depth", "crypto_gaps"),
    *("crypto_disagreements", "crypto_market_revisions", "crypto_instrument_changes"),
]
DATABASES = {
    "quantbus_market": MARKET,
    "quantbus_signals": [
        *(
            "crypto_signals",
            "crypto_signals_rejected",
            "publish_runs",
            "strategies",
            "signals_audit",
            "api_keys",
            "publish_turns",
        )
    ],
    "quantbus_trading": [
        *("executions", "heartbeats", "controls", "risk_state", "fills", "positions", "balances", "leases"),
        *("account_snapshots", "findings", "schema_version"),
    ],
}
EVERYTHING = [(database, name) for database, names in DATABASES.items() for name in names]
PUBLISHER = {
    "crypto_signals": "fciu",
    "crypto_signals_rejected": "i",
    "publish_runs": "fciu",
    "strategies": "fciu",
    "signals_audit": "fci",
    "publish_turns": "fciu",
    "heartbeats": "iu",
}
ALLOWED: dict[str, dict[str, str]] = {
    "ingest": dict.fromkeys(MARKET, "fciu")
    | {"crypto_market_revisions": "i", "crypto_instrument_changes": "fci", "heartbeats": "iu"},
    "research": dict.fromkeys(MARKET, "fc") | PUBLISHER | {"risk_state": "fciu"},
    "gateway": dict.fromkeys(MARKET, "fc")
    | PUBLISHER
    | {"api_keys": "fciu", "controls": "fciu", "executions": "fc"},
    "executor": {
        "crypto_signals": "fc",
        "strategies": "fc",
        "controls": "fc",
        "risk_state": "fc",
        **dict.fromkeys(("executions", "fills", "positions", "balances", "leases"), "fciu"),
        "heartbeats": "iu",
    },
    "account": {"heartbeats": "iu", "account_snapshots": "i"},
    "monitor": {name: "fc" for _, name in EVERYTHING}
    | {"heartbeats": "fciu", "controls": "fciu", "findings": "fciu"},
    "operator": {name: "fc" for _, name in EVERYTHING}
    | {name: letters for name, letters in PUBLISHER.items() if name != "heartbeats"}
    | {"crypto_signals_rejected": "fci", "api_keys": "fciu", "controls": "fciu", "risk_state": "fciu"}
    | {"findings": "fciu"},
    "migrate": {name: "xv" for _, name in EVERYTHING},
}
for role, rights in ALLOWED.items():
    rights["schema_version"] = "fcixv" if role == "migrate" else "fc"
# MongoDB's own clusterMonitor, which only the monitor has.
SERVER_ALLOWED = {
    ("monitor", "admin", name) for name in ("server status", "replica set status", "read the server's log")
}
LAYOUT_SEEN_BY = {"monitor", "operator", "migrate"}

NOBODY = {"_id": "nobody"}
ON_COLLECTIONS: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    # operation: (letters that it needs; "-" is nobody's, the command)
    "find": ("f", lambda name: {"find": name, "limit": 1}),
    "count": ("f", lambda name: {"count": name}),
    "change stream": (
        "fc",
        lambda name: {"aggregate": name, "pipeline": [{"$changeStream": {}}], "cursor": {"batchSize": 0}},
    ),
    "insert": ("i", lambda name: {"insert": name, "documents": [{}]}),
    "update": (
        "u",
        lambda name: {"update": name, "updates": [{"q": NOBODY, "u": {"$set": {"x": 1}}, "multi": False}]},
    ),
    "upsert": (
        "iu",
        lambda name: {"update": name, "updates": [{"q": NOBODY, "u": {"$set": {"x": 1}}, "upsert": True}]},
    ),
    "find and modify": (
        "fu",
        lambda name: {"findAndModify": name, "query": NOBODY, "update": {"$set": {"x": 1}}},
    ),
    "remove": ("-", lambda name: {"delete": name, "deletes": [{"q": NOBODY, "limit": 1}]}),
    "find and remove": ("-", lambda name: {"findAndModify": name, "query": NOBODY, "remove": True}),
    "replace by $out": (
        "-",
        lambda name: {"aggregate": name, "pipeline": [{"$match": NOBODY}, {"$out": name}], "cursor": {}},
    ),
    "bypass the validator": (
        "-",
        lambda name: {"insert": name, "documents": [{}], "bypassDocumentValidation": True},
    ),
    "create index": (
        "x",
        lambda name: {"createIndexes": name, "indexes": [{"key": {"_id": 1}, "name": "_id_"}]},
    ),
    "drop index": ("-", lambda name: {"dropIndexes": name, "index": "none_1"}),
    "collMod": ("v", lambda name: {"collMod": name}),
    "drop": ("-", lambda name: {"drop": name}),
}
ON_DATABASES: dict[str, dict[str, Any]] = {
    "create user": {"createUser": "intruder", "pwd": "intruder", "roles": []},
    "drop user": {"dropUser": "nobody"},
    "create role": {"createRole": "intruder", "privileges": [], "roles": []},
    "grant a role": {"grantRolesToUser": "nobody", "roles": ["root"]},
    "drop database": {"dropDatabase": 1},
    "create a stray collection": {"create": "stray"},
    "insert into a stray collection": {"insert": "stray", "documents": [{}]},
    "read users": {"find": "system.users", "limit": 1},
    "profile": {"profile": 0},
}
ON_SERVER: dict[str, dict[str, Any]] = {
    "server status": {"serverStatus": 1},
    "replica set status": {"replSetGetStatus": 1},
    "set a parameter": {"setParameter": 1, "logLevel": 0},
    "read users": {"usersInfo": 1},
    "rename": {"renameCollection": "quantbus_signals.strategies", "to": "quantbus_signals.gone"},
    "read the server's log": {"getLog": "global"},
}


def denied(client: Client, database: str, command: dict[str, Any]) -> bool:
    """Tell whether the server refuses for lack of privilege; any other outcome counts as allowed."""
    try:
        reply = client[database].command(command)
    except OperationFailure as error:
        return error.code == 13
    if cursor := reply.get("cursor", {}).get("id"):
        client[database].command({"killCursors": next(iter(command.values())), "cursors": [cursor]})
    return any(item["code"] == 13 for item in reply.get("writeErrors", ()))


def walk(client: Client, role: str) -> set[Cell]:
    """Return the cells that are not as written above."""
    wrong: set[Cell] = set()
    for database, name in EVERYTHING:
        letters = ALLOWED[role].get(name, "")
        for operation, (needed, command) in ON_COLLECTIONS.items():
            if denied(client, database, command(name)) is (set(needed) <= set(letters)):
                wrong.add((role, name, operation))
    for database in [*DATABASES, "admin"]:
        for operation, command_of_database in ON_DATABASES.items():
            if not denied(client, database, command_of_database):
                wrong.add((role, database, operation))
        sees = not denied(client, database, {"listCollections": 1})
        if sees is not (role in LAYOUT_SEEN_BY and database in DATABASES):
            # The monitor's clusterMonitor looks into every database.
            wrong |= {(role, database, "list collections")} - {("monitor", "admin", "list collections")}
    for operation, command_of_server in ON_SERVER.items():
        cell = (role, "admin", operation)
        if denied(client, "admin", command_of_server) is (cell in SERVER_ALLOWED):
            wrong.add(cell)
    return wrong


def test_the_table_above_is_about_every_collection_and_every_role() -> None:
    assert sorted(name for _, name in EVERYTHING) == sorted(spec.name for spec in COLLECTIONS)
    assert sorted(ALLOWED) == sorted(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_it_needs_and_nothing_else(guarded: Guarded, role: Role) -> None:
    assert walk(guarded.client(role), role) == set()


def test_without_a_password_nothing_is_seen(guarded: Guarded) -> None:
    anonymous: Client = MongoClient(resolve_uri(guarded.admin.settings))
    ALLOWED["nobody"] = {}
    try:
        assert walk(anonymous, "nobody") == set()
    finally:
        del ALLOWED["nobody"]
        anonymous.close()


def test_scripts_run_for_nobody(guarded: Guarded) -> None:
    database = guarded.client("monitor")["quantbus_trading"]
    beat = {"process": "monitor", "instance": "test", "version": "1", "detail": {}}
    now = guarded.admin.server_now()
    database["heartbeats"].replace_one(
        {"_id": "monitor|test"}, beat | {"at": now, "started_at": now}, upsert=True
    )
    function = {"$function": {"body": "function() { return true }", "args": [], "lang": "js"}}
    scripted: list[dict[str, Any]] = [
        {"find": "heartbeats", "filter": {"$where": "true"}},
        {"find": "heartbeats", "filter": {"$expr": function}},
        {"aggregate": "heartbeats", "pipeline": [{"$set": {"x": function}}], "cursor": {}},
        {"mapReduce": "heartbeats", "map": "function(){}", "reduce": "function(){}", "out": {"inline": 1}},
    ]
    assert database.command({"find": "heartbeats", "filter": {}})["cursor"]["firstBatch"]
    for command in scripted:
        with pytest.raises(OperationFailure) as refused:
            database.command(command)
        assert refused.value.code != 13, "not the role's doing"
    with pytest.raises(OperationFailure, match=r"(?i)script"):
        database.command(scripted[0])


def widened(name: str, **changes: Any) -> list[CollectionSpec]:
    return [replace(spec, **changes) if spec.name == name else spec for spec in COLLECTIONS]


@pytest.fixture
def mended(guarded: Guarded) -> Iterator[None]:
    yield
    apply_roles(guarded.admin)


@pytest.mark.parametrize(
    ("role", "name", "changes", "noticed"),
    [
        ("research", "signals_audit", {"append_only": False}, {"update", "upsert", "find and modify"}),
        ("research", "executions", {"written_by": ("executor", "research")}, None),
        ("executor", "api_keys", {"read_by": ("executor",)}, {"find", "count", "change stream"}),
        ("ingest", "crypto_market_1m", {"written_by": ()}, None),  # narrowed
    ],
)
@pytest.mark.usefixtures("mended")
def test_a_role_that_is_not_as_written_is_noticed(
    guarded: Guarded, role: Role, name: str, changes: dict[str, Any], noticed: set[str] | None
) -> None:
    report = apply_roles(guarded.admin, widened(name, **changes))
    assert role in report.updated
    wrong = walk(guarded.client(role), role)
    assert {cell[:2] for cell in wrong} == {(role, name)}
    assert noticed is None or {cell[2] for cell in wrong} == noticed


@pytest.mark.usefixtures("mended")
def test_a_role_that_someone_widened_by_hand_is_noticed_and_set_right(guarded: Guarded) -> None:
    guarded.admin.client.admin.command(
        "grantPrivilegesToRole",
        mongo_name("gateway"),
        privileges=[
            {
                "resource": {"db": "quantbus_signals", "collection": "crypto_signals"},
                "actions": ["remove", "bypassDocumentValidation"],
            }
        ],
    )
    assert {cell[2] for cell in walk(guarded.client("gateway"), "gateway")} == {
        *("remove", "find and remove", "replace by $out", "bypass the validator")
    }
    assert apply_roles(guarded.admin).updated == ("gateway",)
    assert walk(guarded.client("gateway"), "gateway") == set()


def test_roles_that_are_right_are_left_alone(guarded: Guarded) -> None:
    report = apply_roles(guarded.admin)
    assert (report.created, report.updated) == ((), ())


def test_nobody_but_an_administrator_makes_roles(guarded: Guarded) -> None:
    with pytest.raises(ConfigError, match="refused this user"):
        apply_roles(guarded.connection("operator"))


def test_roles_of_another_quantbus_on_the_same_server_are_not_taken_over(guarded: Guarded) -> None:
    settings = guarded.admin.settings.model_copy(
        update={"market_db": "other_market", "signals_db": "other_signals", "trading_db": "other_trading"}
    )
    other = type(guarded.admin)(guarded.admin.client, settings, 20)
    with pytest.raises(ConfigError, match="one server holds the roles of one quantbus"):
        apply_roles(other)


def test_no_role_holds_an_action_that_removes() -> None:
    held = {action for role in ROLES for spec in COLLECTIONS for action in collection_actions(role, spec)}
    assert held == {
        *("changeStream", "find", "insert", "update", "listIndexes"),
        *("collMod", "createCollection", "createIndex"),
    }
