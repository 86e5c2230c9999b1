"""`quantbus bus found`: servers with a key file become a replica set with an administrator, once."""

import base64
import json
import os
import signal
import subprocess
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
    with pytest.raises(ConfigError, match="found one of"):
        found(members.names, key, password)


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
