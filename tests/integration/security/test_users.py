"""Users of the roles: made once, kept as they are, rotated when told to; passwords only ever in files."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.embedded import start_server, stop_server
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.roles import ROLES, Role, apply_roles
from quantbus_contracts.mongo.users import UserReport, apply_users, uri_form
from quantbus_contracts.runtime.settings import MongoSettings
from tests.integration.security.conftest import Guarded

pytestmark = pytest.mark.integration
QUANTBUS = Path(sys.executable).parent / "quantbus"


def only(reports: list[UserReport], role: Role) -> UserReport:
    return next(report for report in reports if report.role == role)


def opens(guarded: Guarded, role: Role) -> bool:
    with closing(connect(guarded.settings(role), app="test", timeout_seconds=10)) as connection:
        try:
            connection.server_now()
        except ConfigError:
            return False
        return True


@pytest.fixture
def kept(guarded: Guarded) -> Iterator[Path]:
    """The password file of the account service, put right at the end."""
    yield guarded.home / "secrets" / "account.password"
    apply_users(guarded.admin, guarded.home, given={}, rotate=True, roles=["account"])


def apply(guarded: Guarded, **options: Any) -> UserReport:
    given = options.pop("given", {})
    reports = apply_users(guarded.admin, guarded.home, given=given, roles=["account"], **options)
    return only(reports, "account")


def test_run_again_nothing_changes_and_rotating_changes_the_password(guarded: Guarded, kept: Path) -> None:
    before = kept.read_text()
    assert apply(guarded).state == "kept"
    assert kept.read_text() == before
    assert apply(guarded, rotate=True).state == "rotated"
    assert kept.read_text() != before
    assert len(kept.read_text().strip()) == 43, "256 bits in an address's own letters"
    assert opens(guarded, "account")
    kept.write_text(before)
    assert not opens(guarded, "account"), "the former one opens nothing"
    assert apply(guarded).state == "differs"


def test_a_lost_password_file_is_not_made_up_anew_unasked(guarded: Guarded, kept: Path) -> None:
    kept.unlink()
    report = apply(guarded)
    assert (report.state, report.password_file) == ("unknown", None)
    assert not kept.exists()


def test_a_password_from_a_file_is_used_and_not_copied(guarded: Guarded, kept: Path, tmp_path: Path) -> None:
    before = kept.read_text()
    given = tmp_path / "given"
    given.write_text("chosen by the operator\n")
    assert apply(guarded, given={"account": given}).state == "differs"
    assert apply(guarded, given={"account": given}, rotate=True).state == "rotated"
    assert apply(guarded, given={"account": given}).state == "kept"
    assert kept.read_text() == before
    with pytest.raises(ConfigError, match="expected a secret in the file"):
        apply(guarded, given={"account": tmp_path / "nothing"})


def test_a_rotation_that_was_cut_short_is_completed(guarded: Guarded, kept: Path) -> None:
    pending = kept.with_name("account.password.next")
    guarded.admin.client.admin.command({"updateUser": "quantbus_account", "pwd": "the-new-one"})
    pending.write_text("the-new-one\n")
    assert apply(guarded).state == "kept", "the server had it already"
    assert (kept.read_text(), pending.exists()) == ("the-new-one\n", False)
    pending.write_text("never-arrived\n")
    assert apply(guarded).state == "kept"
    assert (kept.read_text(), pending.exists()) == ("the-new-one\n", False)


def test_a_user_with_more_roles_is_cut_back(guarded: Guarded) -> None:
    guarded.admin.client.admin.command(
        {"grantRolesToUser": "quantbus_account", "roles": ["quantbus_monitor"]}
    )
    apply(guarded)
    user = guarded.admin.client.admin.command({"usersInfo": "quantbus_account"})["users"][0]
    assert [role["role"] for role in user["roles"]] == ["quantbus_account"]


def test_the_form_of_an_address_keeps_hosts_and_options_but_no_credentials() -> None:
    assert uri_form("mongodb://root:x%40y@a:1,b:2/admin?replicaSet=rs&authSource=local", "u") == (
        "mongodb://u:<password>@a:1,b:2/?replicaSet=rs&authSource=admin"
    )


def quantbus(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if not name.startswith("QUANTBUS_")}
    return subprocess.run(
        [QUANTBUS, *arguments],
        env=env | {"QUANTBUS_HOME": str(home)},
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_without_access_control_it_says_that_nothing_is_enforced(tmp_path: Path) -> None:
    home = tmp_path / "home"
    try:
        start_server(home)
        done = quantbus(home, "bus", "init", "--with-auth")
        assert done.returncode == 0, done.stderr
        assert "no access control" in done.stdout
        stop_server(home)
        server = start_server(home, auth=True)
        assert json.loads((home / "bus.json").read_text())["auth"] is True
        again = quantbus(home, "bus", "init", "--with-auth", "--json")
        told = json.loads(again.stdout)
        assert told["access_control"] is True
        assert {user["state"] for user in told["users"]} == {"kept"}
        assert len(told["users"]) == len(ROLES)
        stop_server(home)
        assert start_server(home).auth, "a bus that had access control keeps it"
        refused = quantbus(home, "keys", "list")
        assert (refused.returncode, "refused this user" in refused.stderr) == (2, True)
        assert server.data == str(home / "mongo")
    finally:
        stop_server(home)


def test_a_running_bus_without_access_control_is_not_passed_off_as_one_with(tmp_path: Path) -> None:
    try:
        start_server(tmp_path)
        with pytest.raises(ConfigError, match="found one without"):
            start_server(tmp_path, auth=True)
        with closing(connect(MongoSettings(home=tmp_path), app="test")) as connection:
            assert len(apply_roles(connection).created) == len(ROLES)
    finally:
        stop_server(tmp_path)


def test_rotating_needs_users(tmp_path: Path) -> None:
    refused = quantbus(tmp_path / "home", "bus", "init", "--rotate")
    assert (refused.returncode, "--with-auth" in refused.stderr) == (2, True)
