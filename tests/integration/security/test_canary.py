"""Secrets that nobody else would write are put into every setting that takes one, and looked for wherever we speak."""

import contextlib
import io
import json
import logging
import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from quantbus_contracts.embedded import start_server
from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.mongo.address import resolve_uri
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.founding import ADMIN_USER
from quantbus_contracts.runtime.settings import KNOWN_NAMES, MongoSettings
from quantbus_executor.session import Session
from quantbus_executor.settings import ExecutorSettings
from quantbus_services.account.settings import AccountSettings
from quantbus_services.monitor.settings import MonitorSettings
from tests.integration.security.conftest import Guarded
from tests.unit.executor.rig import FakeBook

pytestmark = pytest.mark.integration
QUANTBUS = Path(sys.executable).parent / "quantbus"
CANARY = "zQ9can4ry"
"""Part of every secret below; in none of its encodings does it change."""
PLAIN, ODD = f"{CANARY}-plain", f"{CANARY}%27%22%5C%40%2F%C3%A9"

ONCE = {
    "status as json": ["bus", "status", "--json"],
    "ingest": ["ingest", "live", "--symbols", "BTC/USDT", "--venue-url", "http://127.0.0.1:1"],
    "research": ["research", "run", "demo", "--json"],
    "monitor": ["monitor", "check", "--json"],
    "keys": ["keys", "list", "--json"],
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def addresses(guarded: Guarded) -> dict[str, str]:
    hosts = resolve_uri(guarded.admin.settings).removeprefix("mongodb://")
    return {
        "nobody listens": f"mongodb://user:{PLAIN}@127.0.0.1:1/?replicaSet=quantbus",
        "nobody listens, odd password": f"mongodb://user:{ODD}@127.0.0.1:1/",
        "wrong password": f"mongodb://quantbus_research:{ODD}@{hosts}&authSource=admin",
        "forgotten escape": f"mongodb://user:{CANARY}/{CANARY}@127.0.0.1:1/",
        "colon in it": f"mongodb://user:{CANARY}:{CANARY}x@127.0.0.1:1/",
        "at in it": f"mongodb://user:{CANARY}@{CANARY}@127.0.0.1:1/",
        "bare percent": f"mongodb://user:{CANARY}%zz@127.0.0.1:1/",
        "no host": f"mongodb://user:{CANARY}@",
        "another scheme": f"mongo://user:{CANARY}@127.0.0.1:1",
        "bad option": f"mongodb://user:{CANARY}@127.0.0.1:1/?replicaSet",
        "password option": f"mongodb://127.0.0.1:1/?tlsCertificateKeyFilePassword={CANARY}&tls=true",
    }


def environment(home: Path, address: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTBUS_")}
    return {
        **kept,
        "QUANTBUS_HOME": str(home),
        "QUANTBUS_MONGO_URI": address,
        "QUANTBUS_LOG_LEVEL": "debug",
        "QUANTBUS_MONITOR_FREQTRADE_PASSWORD": f"{CANARY}-of-the-bot",
        "QUANTBUS_MONITOR_FREQTRADE_URL": f"http://user:{CANARY}-in-url@127.0.0.1:1",
        **more,
    }


def leaks(text: str) -> list[str]:
    return [line for line in text.splitlines() if CANARY in line]


def files_below(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file() and "secrets" not in file.parts)


@pytest.mark.timeout(300)  # each of them is a process that imports what it needs
@pytest.mark.parametrize(
    ("case", "as_json", "names"),
    [
        ("nobody listens, odd password", "true", ("status as json", "keys", "ingest")),
        ("wrong password", "false", ("status as json", "keys", "research")),
        ("forgotten escape", "true", ("status as json", "monitor")),
    ],
)
def test_no_command_tells_a_secret(
    guarded: Guarded, tmp_path: Path, case: str, as_json: str, names: tuple[str, ...]
) -> None:
    address = addresses(guarded)[case]
    running = {
        name: subprocess.Popen(
            [QUANTBUS, *arguments],
            env=environment(tmp_path / "home", address, QUANTBUS_LOG_JSON=as_json),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, arguments in ((name, ONCE[name]) for name in names)
    }
    for name, process in running.items():
        output, _ = process.communicate(timeout=90)
        assert leaks(output) == [], f"{name} ({case})"
        assert output, name
        assert process.returncode != 0, f"{name} ({case}): {output}"
    assert [file for file in files_below(tmp_path) if leaks(file.read_text(errors="replace"))] == []


@contextlib.contextmanager
def serving(tmp_path: Path, port: int, *arguments: str, address: str, as_json: str) -> Iterator[Path]:
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [QUANTBUS, *arguments, "--port", str(port)],
            env=environment(tmp_path / "home", address, QUANTBUS_LOG_JSON=as_json),
            cwd=tmp_path,
            stdout=out,
            stderr=out,
        )
        try:
            yield log
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("monitor", ["/status", "/metrics", "/healthz", "/readyz"]),
        ("gateway", ["/v1/signals", "/metrics", "/healthz", "/readyz", "/openapi.json"]),
    ],
)
@pytest.mark.parametrize("case", ["nobody listens, odd password", "wrong password"])
def test_no_server_tells_a_secret(
    guarded: Guarded, tmp_path: Path, command: str, paths: list[str], case: str
) -> None:
    port, address = free_port(), addresses(guarded)[case]
    with serving(tmp_path, port, command, "serve", address=address, as_json="true") as log:
        deadline = time.monotonic() + 30
        told = ""
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    headers = {"Authorization": f"Bearer {CANARY}-of-a-client"}
                    told = "".join(client.get(path, headers=headers).text for path in paths)
                    if command != "monitor" or '"bus_error":"' in told.replace(" ", ""):
                        break
                time.sleep(0.2)
    assert told
    assert leaks(told) == []
    assert leaks(log.read_text()) == []


@pytest.mark.parametrize("case", range(11))
def test_the_bot_tells_no_secret(
    guarded: Guarded, case: int, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    address = list(addresses(guarded).values())[case]
    caplog.set_level(logging.DEBUG)
    config: dict[str, Any] = {
        "timeframe": "1m",
        "user_data_dir": str(tmp_path),
        "external_signal": {"strategy_id": "s", "consumer_id": "c", "mongo_uri": address},
    }
    told = [repr(ExecutorSettings.load(config, {})), str(ExecutorSettings.load(config, {}))]
    session = Session()
    try:
        session.start(config, FakeBook(), "dry_run")
        session.follower.on_loop(["BTC/USDT"])
    except QuantbusError as error:
        told += ["".join(traceback.format_exception(error)), repr(error)]
    finally:
        session.stop()
    broken = {"external_signal": {**config["external_signal"], "tolerence": 1}, "timeframe": "1m"}
    for wrong in (broken, {"external_signal": address}):
        with pytest.raises(QuantbusError) as refused:
            ExecutorSettings.load(wrong, {})
        told.append("".join(traceback.format_exception(refused.value)))
    assert leaks("\n".join(told)) == []
    assert leaks(caplog.text) == []


def test_settings_do_not_show_secrets() -> None:
    shown = [
        MongoSettings(mongo_uri=SecretStr(f"mongodb://u:{CANARY}@h")),
        MonitorSettings(freqtrade_password=SecretStr(CANARY)),
        AccountSettings(key=SecretStr(CANARY), secret=SecretStr(CANARY), passphrase=SecretStr(CANARY)),
    ]
    for settings in shown:
        assert leaks(repr(settings) + str(settings) + settings.model_dump_json()) == []


def test_every_setting_that_takes_a_secret_is_driven_here() -> None:
    secret = {
        name for name in KNOWN_NAMES if name.endswith(("_PASSWORD", "_URI", "_SECRET", "_TOKEN", "_KEY"))
    }
    assert secret == {
        "QUANTBUS_MONGO_URI",
        "QUANTBUS_MONITOR_FREQTRADE_PASSWORD",
        "QUANTBUS_ACCOUNT_KEY",
        "QUANTBUS_ACCOUNT_SECRET",
    }


def test_an_auth_server_writes_its_secrets_into_secret_files_only(guarded: Guarded) -> None:
    passwords = [file.read_text().strip() for file in (guarded.home / "secrets").iterdir()]
    assert len(passwords) >= 10
    for file in (guarded.home / "secrets").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert (guarded.home / "secrets").stat().st_mode & 0o777 == 0o700
    server = start_server(guarded.home)
    assert server.auth
    seen = [guarded.home / "bus.json", guarded.home / "mongod.log"]
    for text in [file.read_text() for file in seen] + [repr(server), repr(guarded.admin.settings)]:
        assert [password for password in passwords if password in text] == []
    arguments = Path(f"/proc/{server.pid}/cmdline")
    if arguments.exists():
        assert [password for password in passwords if password in arguments.read_text()] == []
    assert ADMIN_USER in (guarded.home / "mongod.log").read_text(), "the log does tell of the user"


def test_what_init_prints_holds_no_password(guarded: Guarded) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("QUANTBUS_")}
    passwords = [file.read_text().strip() for file in (guarded.home / "secrets").glob("*.password")]
    for more in ([], ["--json"]):
        done = subprocess.run(
            [QUANTBUS, "bus", "init", "--with-auth", *more],
            env=env | {"QUANTBUS_HOME": str(guarded.home), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "quantbus_ingest" in done.stdout
        assert [password for password in passwords if password in done.stdout + done.stderr] == []
    assert {user["state"] for user in json.loads(done.stdout)["users"]} == {"kept"}


def test_control_the_canary_sings_where_nobody_redacts() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger("careless").addHandler(handler)
    logging.getLogger("careless").error("connecting to %s", f"mongodb://user:{PLAIN}@h")
    logging.getLogger("careless").removeHandler(handler)
    assert leaks(stream.getvalue())


def test_a_wrong_address_is_told_without_itself_but_with_what_to_do() -> None:
    with pytest.raises(QuantbusError, match="percent-encoded; check QUANTBUS_MONGO_URI") as refused:
        connect(MongoSettings(mongo_uri=SecretStr(f"mongodb://user:{CANARY}/x@host")), app="test")
    assert leaks("".join(traceback.format_exception(refused.value))) == []
