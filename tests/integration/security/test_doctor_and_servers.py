"""`quantbus doctor` against servers that were started in another way than ours, or that never end what they say."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.roles import access_control_enforced
from quantbus_contracts.mongo.server_facts import SetFacts, server_facts
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.doctor.asking_pages import pages_of
from quantbus_services.doctor.examination import examine_bus
from tests.fixtures.own_mongod import REPLICA_SET, START_SECONDS, Mongod

pytestmark = [pytest.mark.integration, pytest.mark.proof]


def settings_of(server: Mongod) -> MongoSettings:
    uri = SecretStr(f"mongodb://{server.address}/?directConnection=true")
    return MongoSettings(home=server.folder, mongo_uri=uri)


def opened(server: Mongod) -> Connection:
    return connect(settings_of(server), app="test", timeout_seconds=60)


def test_a_server_that_takes_passwords_and_needs_none_has_no_access_control(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("bm90LWEtc2VjcmV0\n")
    key.chmod(0o600)
    server = Mongod(tmp_path / "server", (f"--keyFile={key}", "--transitionToAuth"))
    server.start()
    try:
        with closing(opened(server)) as nobody:
            assert nobody.client.admin.command("getCmdLineOpts"), "nobody logged in, and is told everything"
            assert not access_control_enforced(nobody)
    finally:
        server.kill()


def test_a_set_with_an_arbiter_says_by_itself_that_one_server_is_enough(tmp_path: Path) -> None:
    data, arbiter = (Mongod(tmp_path / name) for name in ("data", "arbiter"))
    members = [{"_id": 0, "host": data.address}, {"_id": 1, "host": arbiter.address, "arbiterOnly": True}]
    for server in (data, arbiter):
        server.start()
    try:
        with closing(opened(arbiter)) as connection:
            connection.client.admin.command("ping")
        with closing(opened(data)) as connection:
            connection.client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
            deadline = time.monotonic() + START_SECONDS
            while not connection.client.admin.command("hello").get("isWritablePrimary"):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            found = server_facts(connection, SystemClock()).members
            assert isinstance(found, SetFacts)
            assert found.default_write == "1"
    finally:
        for server in (data, arbiter):
            server.kill()


def test_a_server_that_was_never_made_a_set_is_told_within_seconds(tmp_path: Path) -> None:
    server = Mongod(tmp_path / "server")
    server.start()
    try:
        with closing(opened(server)) as connection:
            connection.client.admin.command("ping")
        found = {one.check: one for one in examine_bus(settings_of(server), SystemClock())}
        assert (found["replica-set"].status, found["write-concern"].status) == ("fail", "fail")
        uri = SecretStr(f"mongodb://{server.address}/?replicaSet={REPLICA_SET}")
        begun = time.monotonic()
        found = {
            one.check: one for one in examine_bus(MongoSettings(home=tmp_path, mongo_uri=uri), SystemClock())
        }
        assert {one.status for one in found.values()} == {"fail", "unknown"}
        assert time.monotonic() - begun < 30
    finally:
        server.kill()


@pytest.fixture
def drip() -> Iterator[str]:
    """A server whose answer never ends: a few bytes now and then."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(caller,), daemon=True).start()

        def answer(caller: socket.socket) -> None:
            with caller:
                try:
                    caller.sendall(b"HTTP/1.1 200 OK\r\n")
                    while not stop.wait(0.05):
                        caller.sendall(b"X-More: 1\r\n")
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        stop.set()


def test_an_answer_that_never_ends_is_none(drip: str) -> None:
    begun = time.monotonic()
    page = pages_of({"monitor": drip, "gateway": None}, 0.5)["monitor"]["/readyz"]
    assert time.monotonic() - begun < 10
    assert page.status is None
    assert "no end within 0.5 s" in page.words
