"""Prometheus and Alertmanager beside the local stack, where this machine has them."""

import os
import socket
from functools import partial
from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_services.local.folders import bot_user_data, free_port
from quantbus_services.local.settings import clean_environment
from quantbus_services.local.stack_run import answers
from quantbus_services.local.supervisor import Supervisor
from quantbus_services.local.towers import towers_of
from tests.integration.monitor.alerting.towers import tool

pytestmark = pytest.mark.integration
CHECKOUT = bot_user_data().parents[1]


def folders_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


async def test_both_are_started_with_our_rules_and_whom_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("prometheus", "prometheus-alertmanager"):
        tool(name, name)
    monkeypatch.setenv("QUANTBUS_ALERTMANAGER_DEADMAN_URL", "http://127.0.0.1:1/alive")
    ports = {"prometheus": free_port(), "alertmanager": free_port()}
    towers, missing = towers_of(tmp_path, CHECKOUT, ports)
    assert ([tower.name for tower in towers], missing) == (["prometheus", "alertmanager"], ())
    assert "http://127.0.0.1:1/alive" in (tmp_path / "alertmanager.yml").read_text()
    supervisor = Supervisor(logs=tmp_path, folder=tmp_path, environment=clean_environment())
    try:
        for tower in towers:
            await supervisor.start(tower.name, tower.command)
            await supervisor.wait_until(partial(answers, f"{tower.url}/-/ready"), what=tower.name, seconds=60)
    finally:
        await supervisor.stop()
    assert set(ports) <= folders_in(tmp_path), "what they keep"


def test_what_is_not_installed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    towers, missing = towers_of(tmp_path, CHECKOUT)
    assert towers == ()
    assert "apt-get install prometheus)" in missing[0]
    assert "apt-get install prometheus-alertmanager)" in missing[1]


def test_a_port_that_is_taken_leaves_that_one_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "prometheus"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        towers, missing = towers_of(tmp_path, CHECKOUT, {"prometheus": port})
    assert towers == ()
    assert f"prometheus is left out: port {port}, wanted by prometheus, is in use" in missing[0]


def test_settings_that_are_not_whole_are_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "alertmanager"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("QUANTBUS_ALERTMANAGER_EMAIL_TO", "me@example.org")
    with pytest.raises(ConfigError, match="EMAIL_TO"):
        towers_of(tmp_path, CHECKOUT, {"alertmanager": free_port()})
