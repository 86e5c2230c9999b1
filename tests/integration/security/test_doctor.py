"""`quantbus doctor` against a real mongod, with access control and without, and against what was broken on purpose."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.collections import spec_of
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.founding import ADMIN_USER
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.mongo.migrations import MIGRATIONS
from quantbus_contracts.mongo.roles import apply_roles
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.doctor.catalogue import checks_of
from quantbus_services.doctor.examination import examine_bus
from quantbus_services.doctor.findings import Finding
from quantbus_services.paper_exchange import PaperExchange
from tests.fixtures.command import Done, Run
from tests.fixtures.own_mongod import free_port
from tests.integration.security.conftest import Guarded

pytestmark = pytest.mark.integration
OF_THE_MACHINE = {"bus-disk", "home-disk"}
"""Whatever room there is where the tests run."""


@pytest.fixture(scope="module")
def paper() -> Iterator[PaperExchange]:
    with PaperExchange(symbols="BTC/USDT", accounts=True, seed=5) as made:
        yield made


def found_by(settings: MongoSettings) -> dict[str, Finding]:
    return {one.check: one for one in examine_bus(settings, SystemClock())}


def told(done: Done) -> dict[str, dict[str, Any]]:
    return {row["check"]: row for row in done.json["findings"]}


def statuses(found: dict[str, Finding]) -> dict[str, str]:
    return {name: one.status for name, one in found.items() if name not in OF_THE_MACHINE}


def test_a_bus_with_access_control_is_sound_to_its_administrator(guarded: Guarded) -> None:
    found = found_by(guarded.admin.settings)
    assert list(found) == list(checks_of("bus"))
    assert set(statuses(found).values()) == {"ok"}
    assert found["access-control"].found == "on"
    assert ADMIN_USER not in found["user"].found
    assert "administrator" in found["user"].found


def test_the_monitors_user_sees_all_but_the_roles_and_the_bots_user_only_itself(guarded: Guarded) -> None:
    monitor = statuses(found_by(guarded.settings("monitor")))
    assert {name for name, status in monitor.items() if status != "ok"} == {"roles"}
    assert monitor["roles"] == "unknown"
    bot = found_by(guarded.settings("executor"))
    assert bot["user"].status == bot["access-control"].status == bot["clock"].status == "ok"
    assert bot["replica-set"].status == bot["indexes"].status == bot["bus-disk"].status == "unknown"
    assert bot["indexes"].found == "this user may not ask that"


def test_a_role_with_one_right_more_or_less_is_told_by_both_sides(guarded: Guarded) -> None:
    admin = guarded.admin.client.admin
    fills = {"db": guarded.admin.names.of("fills"), "collection": "fills"}
    try:
        admin.command(
            {
                "grantPrivilegesToRole": "quantbus_account",
                "privileges": [{"resource": fills, "actions": ["remove"]}],
            }
        )
        found = found_by(guarded.admin.settings)["roles"]
        assert (found.status, found.found) == ("fail", "quantbus_account: may more than the table says")
        assert found_by(guarded.settings("account"))["user"].status == "fail"

        beats = {"db": guarded.admin.names.of("heartbeats"), "collection": "heartbeats"}
        admin.command(
            {"updateRole": "quantbus_account", "privileges": [{"resource": beats, "actions": ["insert"]}]}
        )
        mine = found_by(guarded.settings("account"))["user"]
        assert mine.status == "fail"
        assert "heartbeats: update" in mine.found
        assert "less" in found_by(guarded.admin.settings)["roles"].found
    finally:
        apply_roles(guarded.admin)
    assert found_by(guarded.admin.settings)["roles"].status == "ok"


def test_a_user_that_may_publish_and_should_not_is_told_though_it_can_remove_nothing(
    guarded: Guarded,
) -> None:
    admin, signals = guarded.admin.client.admin, guarded.admin.names.of("crypto_signals")
    more = [{"resource": {"db": signals, "collection": "crypto_signals"}, "actions": ["insert"]}]
    admin.command({"grantPrivilegesToRole": "quantbus_executor", "privileges": more})
    try:
        mine = found_by(guarded.settings("executor"))["user"]
        assert (mine.status, mine.found) == ("fail", "quantbus_executor may also: crypto_signals: insert")
    finally:
        apply_roles(guarded.admin)


def test_a_user_that_was_given_another_role_besides_is_told(guarded: Guarded) -> None:
    admin = guarded.admin.client.admin
    more = [{"role": "readWriteAnyDatabase", "db": "admin"}]
    admin.command({"grantRolesToUser": "quantbus_gateway", "roles": more})
    try:
        assert "quantbus_gateway: the user has other roles" in found_by(guarded.admin.settings)["roles"].found
        assert found_by(guarded.settings("gateway"))["user"].status == "fail"
    finally:
        admin.command({"revokeRolesFromUser": "quantbus_gateway", "roles": more})


def test_a_wrong_password_is_told_and_hides_nothing_as_fine(guarded: Guarded, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password\n")
    settings = guarded.settings("monitor").model_copy(update={"mongo_password_file": wrong})
    found = found_by(settings)
    assert found["bus-answers"].status == "fail"
    assert "not-the-password" not in found["bus-answers"].found
    assert {one.status for name, one in found.items() if name != "bus-answers"} == {"unknown"}


def test_nobody_who_logged_in_is_a_failure_where_passwords_are_asked_for(guarded: Guarded) -> None:
    found = found_by(MongoSettings(home=guarded.home))
    assert found["user"].status == "fail"
    assert found["access-control"].status == "ok"


def test_a_bus_without_access_control_on_this_machine_is_a_warning(mongo_settings: MongoSettings) -> None:
    found = statuses(found_by(mongo_settings))
    assert found.pop("access-control") == "warn"
    assert found.pop("user") == found.pop("roles") == "skipped"
    assert set(found.values()) == {"ok"}


def test_what_is_missing_or_is_something_else_by_the_same_name_is_told(connection: Connection) -> None:
    database = connection.client[connection.names.of("executions")]
    executions = database["executions"]
    unique = next(name for name, index in executions.index_information().items() if index.get("unique"))
    fields = executions.index_information()[unique]["key"]
    try:
        executions.drop_index("seen_at_-1")
        executions.drop_index(unique)
        executions.create_index(fields, name=unique)
        database.command("collMod", "fills", validator={})
        database.command("collMod", "balances", validationAction="warn")
        database.drop_collection("positions")
        found = found_by(connection.settings)
        assert "executions: index seen_at_-1 is not there" in found["indexes"].found
        assert f"executions: index {unique} is not unique" in found["indexes"].found
        assert found["validators"].status == "fail"
        assert "fills: validator is not there" in found["validators"].found
        assert "balances: validator only warns" in found["validators"].found
        assert found["collections"].found == "positions: collection is not there"
    finally:
        database.command("collMod", "balances", validationAction="error")
        executions.drop_index(unique)
        initialise(connection)
    assert statuses(found_by(connection.settings))["indexes"] == "ok"


def test_what_refuses_or_forgets_rows_beside_the_table_is_told_and_hides_nothing_else(
    connection: Connection, quantbus: Run
) -> None:
    database = connection.client[connection.names.of("fills")]
    fills, validator = database["fills"], spec_of("balances").validator
    database.drop_collection("balances")
    database.create_collection("balances", capped=True, size=4_096, validator=validator)
    database.drop_collection("positions")
    database.create_collection("positions", viewOn="fills", pipeline=[])
    fills.create_index([("consumer_id", 1)], name="one_each", unique=True)
    try:
        found = found_by(connection.settings)
        assert "balances: collection forgets its oldest rows" in found["collections"].found
        assert "positions: collection is a view" in found["collections"].found
        assert "fills: index one_each is not in the table" in found["indexes"].found
        assert found["retention"].status == "fail"
        status = quantbus("bus", "status")
        assert (status.code, "balances: collection forgets" in status.out) == (1, True), status.err
    finally:
        fills.drop_index("one_each")
        for name in ("balances", "positions"):
            database.drop_collection(name)
        initialise(connection)
    assert quantbus("bus", "init").code == quantbus("bus", "status").code == 0


def test_a_bus_whose_unique_key_is_none_is_not_said_to_be_ready(
    connection: Connection, quantbus: Run
) -> None:
    executions = connection.client[connection.names.of("executions")]["executions"]
    unique = next(name for name, index in executions.index_information().items() if index.get("unique"))
    fields = executions.index_information()[unique]["key"]
    executions.drop_index(unique)
    executions.create_index(fields, name=unique)
    try:
        for command in ("init", "status"):
            done = quantbus("bus", command)
            told = f"something else by that name: executions: index {unique} is not unique"
            assert (done.code, told in done.out, "bus is ready" in done.out) == (1, True, False)
    finally:
        executions.drop_index(unique)
        initialise(connection)


def test_a_server_without_our_databases_has_a_disk_and_asks_for_no_migration(
    connection: Connection, quantbus: Run
) -> None:
    mark = uuid.uuid4().hex[:10]
    names = {f"{kind}_db": f"{kind}_{mark}" for kind in ("market", "signals", "trading")}
    found = found_by(connection.settings.model_copy(update=names))
    assert "0.0 GB" not in found["bus-disk"].found
    assert found["collections"].status == "fail"
    status = quantbus("bus", "status", **{f"QUANTBUS_{name}".upper(): value for name, value in names.items()})
    assert (status.code, "quantbus bus init" in status.out, "migrate" in status.out) == (1, True, False)


def test_an_index_that_removes_what_is_to_stay_is_told(connection: Connection) -> None:
    signals = connection.client[connection.names.of("crypto_signals")]["crypto_signals"]
    assert found_by(connection.settings)["retention"].status == "ok"
    signals.create_index([("seen_by_nobody_at", 1)], name="forgetful", expireAfterSeconds=3_600)
    try:
        found = found_by(connection.settings)
        assert (found["retention"].status, found["indexes"].status) == ("fail", "ok")
        assert "crypto_signals: the index forgetful removes documents" in found["retention"].found
    finally:
        signals.drop_index("forgetful")


def test_steps_that_are_pending_are_told_one_by_one(connection: Connection) -> None:
    versions = connection.collection("schema_version")
    rows = list(versions.find())
    versions.delete_many({})
    try:
        found = found_by(connection.settings)["schema-version"]
        assert found.status == "fail"
        for step in MIGRATIONS:
            assert f"{step.version}: {step.purpose}" in found.found
    finally:
        versions.insert_many(rows)


def test_a_schema_of_a_newer_release_is_told_though_nothing_else_would_work_on_it(
    connection: Connection,
) -> None:
    versions = connection.collection("schema_version")
    row = {"_id": 99, "version": 99, "purpose": "of a later release", "at": connection.server_now()}
    versions.insert_one(row)
    try:
        found = found_by(connection.settings)
        assert (found["schema-version"].status, found["indexes"].status) == ("fail", "ok")
        assert "99" in found["schema-version"].found
    finally:
        versions.delete_one({"_id": 99})
    assert found_by(connection.settings)["schema-version"].status == "ok"


def test_the_command_tells_of_everything_at_once_though_no_other_command_would_start(
    quantbus: Run, tmp_path: Path, mongo_settings: MongoSettings
) -> None:
    secrets = mongo_settings.home / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "bot.password").write_text("open to all\n")
    for folder in (secrets, mongo_settings.home):
        folder.chmod(0o755)
    (secrets / "bot.password").chmod(0o644)
    dead = f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=500"
    shared = all(folder.stat().st_mode & 0o001 for folder in secrets.parents)
    done = quantbus("doctor", "--offline", "--json", QUANTBUS_MONGO_URI=dead, QUANTBUS_MARKET_DATABASE="x")
    assert done.code == 1, done.err
    found = told(done)
    assert found["environment"]["status"] == "fail"
    assert "QUANTBUS_MARKET_DATABASE" in found["environment"]["found"]
    assert found["bus-answers"]["status"] == "fail"
    assert found["secret-files"]["status"] == ("fail" if shared else "ok")
    assert "open to all" not in done.out + done.err


@pytest.mark.proof
def test_a_key_that_may_withdraw_is_told_apart_from_one_that_may_not(
    quantbus: Run, paper: PaperExchange, tmp_path: Path
) -> None:
    asked = {"name": "doctor", "spot": {"USDT": "1"}, "keys": [{"can_trade": False}, {"can_withdraw": True}]}
    made = httpx.post(f"{paper.url}/paper/accounts", json=asked).raise_for_status().json()["keys"]

    def variables(key: dict[str, str]) -> dict[str, str]:
        files = {"KEY": tmp_path / key["api_key"], "SECRET": tmp_path / key["api_key"][:8]}
        files["KEY"].write_text(key["api_key"])
        files["SECRET"].write_text(key["secret"])
        named = {f"QUANTBUS_ACCOUNT_{name}_FILE": str(path) for name, path in files.items()}
        addresses = {"QUANTBUS_ACCOUNT_VENUE_URL": paper.url, "QUANTBUS_INGESTION_VENUE_URL": paper.url}
        return named | addresses | {"NO_PROXY": "127.0.0.1"}

    reading, careless = made
    alone = quantbus("account", "rights", "--json", **variables(reading))
    assert (alone.code, alone.json["can_withdraw"]) == (0, False)
    done = quantbus("doctor", "--only", "venue", "--json", **variables(careless))
    found = told(done)
    assert (done.code, found["venue"]["status"], found["venue-key"]["status"]) == (1, "ok", "fail")
    assert "may withdraw" in found["venue-key"]["found"]
    assert careless["secret"] not in done.out + done.err


def test_a_venue_that_is_down_fails_and_a_bots_config_is_checked_by_the_executor(
    quantbus: Run, tmp_path: Path
) -> None:
    config = Path(__file__).resolve().parents[3] / "executor/user_data/config.dryrun.json"
    done = quantbus(
        *("doctor", "--only", "venue", "--only", "bot", "--bot-config", str(config), "--json"),
        QUANTBUS_INGESTION_VENUE_URL=f"http://127.0.0.1:{free_port()}",
        NO_PROXY="127.0.0.1",
    )
    found = told(done)
    assert done.code == 1
    assert (found["venue"]["status"], found["venue-key"]["status"]) == ("fail", "skipped")
    assert found["bot-config"]["status"] == "fail"
    assert "strategy" in found["bot-config"]["found"]


def test_people_read_what_was_found_and_what_to_do(quantbus: Run) -> None:
    done = quantbus(
        "doctor",
        "--only",
        "machine",
        "--only",
        "watch",
        "--strict",
        QUANTBUS_DOCTOR_MONITOR_URL="http://[::1]:1",
    )
    assert done.code == 1
    assert "monitor" in done.out
    assert "→ start it: `quantbus monitor serve`" in done.out
    assert "not sound" in done.out
