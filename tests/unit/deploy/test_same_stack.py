"""The stack of this machine and the one in containers: the same names, ports and addresses to scrape."""

import asyncio
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from quantbus_contracts.clock import SystemClock
from quantbus_services.local import stack_run, up
from quantbus_services.local.display import Display
from quantbus_services.local.stack import StackPlan
from quantbus_services.local.towers import TOWER_PORTS
from tests.unit.deploy.test_compose import PROFILES, TOWERS, Service, resolved

ONLY_IN_CONTAINERS = {"mongo", "mongo-key", "found"}
"""Here the database is the embedded one, which founds its set by itself."""


class Noting:
    """A supervisor that starts nothing and notes what it was to start."""

    def __init__(self) -> None:
        self.commands: dict[str, list[str]] = {}

    async def start(self, name: str, command: list[str]) -> "Noting":
        self.commands[name] = command
        return self

    async def run(self, name: str, command: list[str]) -> None:
        self.commands[name] = command

    async def wait_until(self, ready: object, *, what: str, seconds: float) -> None:
        """Everything is ready at once."""

    @property
    def process(self) -> Any:
        return type("Process", (), {"pid": 1})


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackPlan:
    monkeypatch.setattr(up, "_promise_of", lambda *_: ("demo", "1m"))
    return up.local_plan(tmp_path, pairs=("BTC/USDT",), recipe="demo", venue="", data=None)


@pytest.fixture
def local(plan: StackPlan, tmp_path: Path) -> dict[str, list[str]]:
    noting = Noting()
    display = Display(Console(file=io.StringIO()), SystemClock())
    asyncio.run(stack_run._start_processes(plan, noting, display, tmp_path, ()))  # type: ignore[arg-type]
    return noting.commands


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, Service]:
    found: dict[str, Service] = resolved(root, "paper")["services"]
    return found


def option(command: list[str], name: str) -> str | None:
    """Return what a command gives an option, in either way of writing it."""
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def test_processes_are_called_and_ordered_as_the_services(
    services: dict[str, Service], local: dict[str, list[str]]
) -> None:
    assert set(local) == set(services) - ONLY_IN_CONTAINERS
    assert set(services) == PROFILES["paper"]
    started = list(local)
    for name, service in services.items():
        for needed in service.get("depends_on", {}):
            if {name, needed} <= local.keys():
                assert started.index(needed) < started.index(name), f"{name} needs {needed}"


def test_each_listens_at_the_port_of_its_service(
    services: dict[str, Service], local: dict[str, list[str]]
) -> None:
    inside = {}
    for name, service in services.items():
        published = [port["target"] for port in service.get("ports", [])]
        metrics = option(service.get("command", []), "--metrics-port")
        if published or metrics:
            inside[name] = published[0] if published else int(metrics or 0)
    assert inside == up.PORTS
    for name, port in up.PORTS.items():
        told = "bot-config" if name == "freqtrade" else name
        given = [option(local[told], flag) for flag in ("--port", "--metrics-port", "--api-port")]
        assert str(port) in given, name


def test_prometheus_and_alertmanager_are_called_and_listen_as_in_containers(root: Path) -> None:
    services = resolved(root, "monitoring")["services"]
    inside = {name: services[name]["ports"][0]["target"] for name in TOWERS if name != "grafana"}
    assert inside == TOWER_PORTS, "nobody packages Grafana for this"


def test_prometheus_beside_the_stack_scrapes_what_the_one_in_containers_scrapes(root: Path) -> None:
    def scraped(name: str) -> dict[str, str]:
        config = yaml.safe_load((root / "deploy/prometheus" / name).read_text())
        return {
            job["job_name"]: re.sub(r"^[^:]+", "127.0.0.1", job["static_configs"][0]["targets"][0])
            for job in config["scrape_configs"]
            if "static_configs" in job
        }

    assert scraped("prometheus.local.yml") == scraped("prometheus.yml")


def test_nobody_else_is_kept_from_the_port_of_a_paper_exchange_that_does_not_run(
    plan: StackPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(up, "check_port", lambda port, what: asked.append(port))

    async def nothing(*_: object) -> None:
        raise TimeoutError("not today")

    monkeypatch.setattr(up, "start_stack", nothing)
    monkeypatch.setattr(up, "bot_user_data", lambda: plan.home)
    monkeypatch.setattr(up, "towers_of", lambda *_: ((), ()))
    for venue, unused in (("", set()), ("binance", {up.PORTS["paper-exchange"]})):
        asked.clear()
        there = replace(plan, venue=venue)
        assert asyncio.run(up.run_up(there, SystemClock(), Console(file=io.StringIO()))) == 1
        assert set(asked) == set(up.PORTS.values()) - unused
