"""The embedded MongoDB as people start and stop it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quantbus_contracts.embedded import find_mongod, server_status, start_server, stop_server
from quantbus_contracts.errors import BusUnavailable, ConfigError
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.settings import MongoSettings

pytestmark = pytest.mark.integration
QUANTBUS = Path(sys.executable).parent / "quantbus"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    stop_server(tmp_path / "home")


def run(home: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTBUS_")}
    environment = {**kept, "QUANTBUS_HOME": str(home), **variables}
    return subprocess.run(
        [QUANTBUS, *arguments],
        env=environment,
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and waits to be noticed does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "mongod: error while loading shared libraries: libcurl.so.4: cannot open",
            "apt-get install libcurl4",
        ),
        ("Illegal instruction", "its last words: 'Illegal instruction'"),
    ],
)
def test_a_mongod_that_cannot_run_here_is_told_in_its_own_words(home: Path, words: str, told: str) -> None:
    home.mkdir()
    mongod = home / "a-mongod"
    mongod.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 127\n")
    mongod.chmod(0o755)
    up = run(home, "bus", "up", QUANTBUS_MONGOD=str(mongod), COLUMNS="400")
    assert up.returncode == 2
    assert told in up.stderr


def test_up_init_status_down_as_commands(home: Path) -> None:
    up = run(home, "bus", "up", "--json")
    assert up.returncode == 0, up.stderr
    told = json.loads(up.stdout)
    assert told.keys() == {"uri", "pid"}
    assert json.loads((home / "bus.json").read_text())["uri"] == told["uri"]
    assert json.loads(run(home, "bus", "up", "--json").stdout) == told, "a second `up` finds the first"

    assert run(home, "bus", "status").returncode == 1, "it is not prepared yet"
    first = json.loads(run(home, "bus", "init", "--json").stdout)
    assert first["collections_created"] > 10
    again = json.loads(run(home, "bus", "init", "--json").stdout)
    nothing = {"collections_created": 0, "indexes_created": 0, "validators_set": 0}
    assert again == {**nothing, "wrong": [], "pending_migrations": []}
    status = run(home, "bus", "status", "--json")
    assert (status.returncode, json.loads(status.stdout)["missing"]) == (0, [])

    assert json.loads(run(home, "bus", "down", "--json").stdout) == {"stopped": True}
    assert not alive(told["pid"])
    assert not (home / "bus.json").exists()
    down = run(home, "bus", "status")
    assert (down.returncode, "quantbus bus up" in down.stdout) == (1, True)
    assert json.loads(run(home, "bus", "down", "--json").stdout) == {"stopped": False}


def test_a_restarted_server_is_found_at_the_same_address(home: Path) -> None:
    first = start_server(home)
    assert first.port < 32_768, "a client that knocks while the server is away must not get its port"
    stop_server(home)
    assert start_server(home).uri == first.uri


def take(squatter: socket.socket, port: int) -> None:
    """Bind once the last thread of a server that just ended has let go."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return squatter.bind(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.proof
def test_data_survives_a_restart_on_another_port(home: Path) -> None:
    first = start_server(home)
    settings = MongoSettings(home=home)
    with closing(connect(settings, app="test")) as connection:
        initialise(connection)
    stop_server(home)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        take(squatter, first.port)
        squatter.listen()
        second = start_server(home)
    assert second.port != first.port
    with closing(connect(settings, app="test")) as connection:
        assert not initialise(connection).changed


def test_a_killed_server_is_started_anew(home: Path) -> None:
    first = start_server(home)
    os.kill(first.pid, signal.SIGKILL)
    while alive(first.pid):
        time.sleep(0.02)
    assert server_status(home) is None
    assert start_server(home).pid != first.pid


def test_a_pid_that_is_another_process_is_never_ended(home: Path) -> None:
    home.mkdir()
    bystander = subprocess.Popen(["sleep", "60"])
    record = {"uri": "x", "pid": bystander.pid, "port": 1, "data": str(home / "mongo"), "log": "x"}
    (home / "bus.json").write_text(json.dumps(record))
    assert stop_server(home) is False
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_the_server_listens_on_loopback_only_and_runs_no_scripts(home: Path) -> None:
    server = start_server(home)
    with closing(connect(MongoSettings(home=home), app="test")) as connection:
        options = connection.client.admin.command("getCmdLineOpts")["parsed"]
        assert connection.client.admin.command("hello")["setName"] == "quantbus"
    assert options["net"]["bindIp"] == "127.0.0.1"
    assert options["net"]["compression"]["compressors"] == "snappy,zstd"
    assert options["security"]["javascriptEnabled"] is False
    assert server.uri.startswith("mongodb://127.0.0.1:")


def test_without_any_mongod_the_three_ways_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"QUANTBUS_MONGOD.*PATH.*quantbus-contracts\[embedded\]"):
        find_mongod(None, tmp_path)


def test_a_named_mongod_that_is_not_there_is_an_error(home: Path) -> None:
    failed = run(home, "bus", "up", QUANTBUS_MONGOD="/nowhere/mongod")
    assert failed.returncode == 2
    assert "found nothing at '/nowhere/mongod'" in failed.stderr


def test_an_unknown_variable_is_an_error_that_names_the_near_one(home: Path) -> None:
    failed = run(home, "bus", "status", QUANTBUS_MONGO_URL="x")
    assert failed.returncode == 2
    assert "QUANTBUS_MONGO_URL (did you mean QUANTBUS_MONGO_URI?)" in failed.stderr


def test_a_dead_bus_is_said_within_the_time_out(home: Path) -> None:
    settings = MongoSettings.model_validate(
        {"home": home, "mongo_uri": "mongodb://127.0.0.1:1/?replicaSet=quantbus"}
    )
    connection = connect(settings, app="test", timeout_seconds=0.3)
    started = time.monotonic()
    with pytest.raises(BusUnavailable, match="did not answer in time"):
        connection.server_now()
    assert time.monotonic() - started < 2
    connection.close()


def test_a_folder_however_deep_is_no_obstacle(tmp_path: Path) -> None:
    """A socket file of it would have a longer path than the system allows, and the server would not start."""
    deep = tmp_path / ("deep" * 20) / ("deeper" * 10)
    started = start_server(deep)
    try:
        assert server_status(deep) is not None
        assert started.pid > 0
    finally:
        stop_server(deep)
