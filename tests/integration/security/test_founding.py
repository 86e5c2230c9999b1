"""`quantbus bus found`: servers with a key file become a replica set with an administrator, once."""

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from typer.testing import CliRunner

from quantbus_contracts.cli.root import build
from quantbus_contracts.embedded import find_mongod
from quantbus_contracts.errors import BusUnavailable, ConfigError
from quantbus_contracts.mongo.founding import ADMIN_USER, found
from quantbus_contracts.runtime.secret_files import new_secret, read_secret, write_secret
from tests.fixtures.own_mongod import free_port

pytestmark = [pytest.mark.integration, pytest.mark.proof]


def member_key() -> SecretStr:
    return SecretStr(base64.b64encode(os.urandom(96)).decode())  # mongod takes no other characters


def direct(member: str, **who: Any) -> "MongoClient[dict[str, Any]]":
    return MongoClient(member, directConnection=True, **who)


def await_states(client: "MongoClient[dict[str, Any]]", wanted: list[str]) -> None:
    deadline = time.monotonic() + 90
    states: list[str] = []
    while states != wanted:
        assert time.monotonic() < deadline, states
        time.sleep(0.2)
        states = sorted(member["stateStr"] for member in client.admin.command("replSetGetStatus")["members"])


class Members:
    """Real servers that share a key and know nothing of each other."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.key_file, self.password_file = home / "mongod.key", home / "admin.password"
        write_secret(self.key_file, member_key())
        write_secret(self.password_file, new_secret())
        self.names: list[str] = []
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> str:
        port = free_port()
        data = self.home / str(port)
        data.mkdir()
        self._running.append(
            subprocess.Popen(
                [
                    *(
                        str(find_mongod(None, self.home)),
                        f"--port={port}",
                        f"--dbpath={data}",
                        "--nounixsocket",
                    ),
                    *("--bind_ip=127.0.0.1", "--replSet=quantbus", f"--keyFile={self.key_file}", "--auth"),
                    *("--wiredTigerCacheSizeGB=0.25", "--oplogSize=64"),
                ],
                stdout=subprocess.DEVNULL,
            )
        )
        self.names.append(f"127.0.0.1:{port}")
        return self.names[-1]

    def run(self, *more: str) -> tuple[int, str]:
        done = CliRunner().invoke(
            build(),
            [
                *("bus", "found", "--members", ",".join(self.names), "--key-file", str(self.key_file)),
                *("--admin-password-file", str(self.password_file), *more),
            ],
        )
        return done.exit_code, done.output

    def end(self) -> None:
        for process in self._running:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


@pytest.fixture
def members(tmp_path: Path) -> Iterator[Members]:
    made = Members(tmp_path)
    yield made
    made.end()


def test_one_server_becomes_a_set_with_an_administrator_and_the_second_time_nothing_changes(
    members: Members,
) -> None:
    members.start()
    code, told = members.run("--json")
    assert code == 0, told
    assert json.loads(told)["initiated"] is True
    code, told = members.run("--json")
    assert code == 0
    assert (json.loads(told)["initiated"], json.loads(told)["administrator_made"]) == (False, False)
    with (
        direct(members.names[0]) as stranger,
        pytest.raises(OperationFailure, match="requires authentication"),
    ):
        stranger.admin.command("usersInfo")
    password = read_secret(members.password_file).get_secret_value()
    with direct(members.names[0], username=ADMIN_USER, password=password) as client:
        assert client.admin.command("usersInfo", ADMIN_USER)["users"]


def test_a_set_of_other_members_is_left_alone(members: Members) -> None:
    members.start()
    assert members.run()[0] == 0
    members.start()
    key, password = read_secret(members.key_file), read_secret(members.password_file)
    others = [f"localhost:{members.names[0].partition(':')[2]}", members.names[1]]
    with pytest.raises(ConfigError, match="found one of"):
        found(others, key, password)


@pytest.mark.timeout(180)
def test_a_set_that_has_data_takes_new_servers_in(members: Members) -> None:
    """Named before the one that stands, so that each newcomer is the first to be asked to make a set."""
    members.start()
    assert members.run()[0] == 0
    password = read_secret(members.password_file).get_secret_value()
    who: dict[str, Any] = {"username": ADMIN_USER, "password": password}
    with direct(members.names[0], **who) as client:
        client.admin.command("createRole", "kept", privileges=[], roles=[])
    members.start()
    members.start()
    members.names.reverse()
    code, told = members.run("--json")
    assert code == 0, told
    report = json.loads(told)
    assert (report["initiated"], report["administrator_made"]) == (False, False)
    assert sorted(report["added"]) == sorted(members.names[:2])
    with MongoClient(members.names, replicaSet="quantbus", **who) as client:
        await_states(client, ["PRIMARY", "SECONDARY", "SECONDARY"])
    for name in members.names:
        with direct(name, readPreference="secondaryPreferred", **who) as client:
            assert client.admin.command("rolesInfo", "kept")["roles"], name
    code, told = members.run("--json")
    assert code == 0, told
    assert json.loads(told)["added"] == []


def test_a_server_that_is_not_there_or_has_a_set_of_its_own_is_not_taken_in(members: Members) -> None:
    members.start()
    assert members.run()[0] == 0
    key, password = read_secret(members.key_file), read_secret(members.password_file)
    with pytest.raises(BusUnavailable, match=r"127\.0\.0\.1:1"):
        found([members.names[0], "127.0.0.1:1"], key, password, timeout_seconds=2)
    other = members.start()
    found([other], key, password)
    with pytest.raises(ConfigError, match="found one of"):
        found(members.names, key, password)
    password_text = password.get_secret_value()
    with direct(members.names[0], username=ADMIN_USER, password=password_text) as client:
        assert len(client.admin.command("replSetGetConfig")["config"]["members"]) == 1


def test_another_key_and_a_server_that_is_not_there_are_told_apart(members: Members) -> None:
    members.start()
    password = read_secret(members.password_file)
    with pytest.raises(ConfigError, match="does not take the key"):
        found(members.names, member_key(), password)
    with pytest.raises(BusUnavailable, match=r"no primary within 1 s; 127\.0\.0\.1:1: "):
        found(["127.0.0.1:1"], member_key(), password, timeout_seconds=1)


def test_three_servers_become_one_set(members: Members) -> None:
    for _ in range(3):
        members.start()
    code, told = members.run("--json")
    assert code == 0, told
    assert json.loads(told)["primary"] in members.names
    assert members.run("--json")[0] == 0
