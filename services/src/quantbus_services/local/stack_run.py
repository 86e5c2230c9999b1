"""Bring a stack up in order, each process once what it needs answers."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from quantbus_contracts.embedded import EmbeddedServer, start_server, stop_server
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.local.display import Display
from quantbus_services.local.settings import clean_environment
from quantbus_services.local.stack import StackPlan
from quantbus_services.local.supervisor import Supervisor
from quantbus_services.local.towers import Tower

__all__ = ["RunningStack", "answers", "start_stack", "stop_stack", "write_addresses"]


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that is up."""

    plan: StackPlan
    supervisor: Supervisor
    server: EmbeddedServer
    settings: MongoSettings
    bot_password: str
    towers: tuple[Tower, ...] = ()


async def start_stack(
    plan: StackPlan, display: Display, user_data: Path, towers: tuple[Tower, ...] = ()
) -> RunningStack:
    """Start the database, every process of ``plan`` and the towers; what dies meanwhile ends it all.

    Raises
    ------
    ChildDied
        Naming the process that ended and the log to read.
    """
    plan.logs.mkdir(parents=True, exist_ok=True)
    server = start_server(plan.home)
    display.say(f"[bold]bus[/] is up: a real mongod, pid {server.pid}, port {server.port}")
    password = _write_password(plan.bot_password_file)
    supervisor = Supervisor(
        logs=plan.logs, folder=plan.home, environment=_environment(plan, server, password)
    )
    try:
        await _start_processes(plan, supervisor, display, user_data, towers)
    except BaseException:
        await supervisor.stop()
        stop_server(plan.home)
        raise
    settings = MongoSettings(home=plan.home, mongo_uri=SecretStr(server.uri))
    return RunningStack(plan, supervisor, server, settings, password, towers)


async def _start_processes(
    plan: StackPlan,
    supervisor: Supervisor,
    display: Display,
    user_data: Path,
    towers: tuple[Tower, ...],
) -> None:
    await supervisor.run("init", plan.init())
    display.say("collections, unique indexes and validators are in place")
    if not plan.venue:
        paper = await supervisor.start("paper-exchange", plan.paper_exchange())
        await supervisor.wait_until(
            lambda: answers(f"{plan.paper_url}/health"), what="the paper exchange", seconds=60
        )
        kind = "recorded" if plan.data else "SYNTHETIC"
        display.say(
            f"[bold]paper exchange[/] serves {kind} candles at {plan.paper_url} (pid {paper.process.pid})"
        )
    await supervisor.run("bot-config", plan.configure_bot())
    for name, command in (
        ("freqtrade", plan.bot(user_data)),
        ("ingestion", plan.ingestion()),
        ("research", plan.research()),
        ("monitor", plan.monitor()),
        *([("gateway", plan.gateway())] if plan.gateway_port is not None else []),
        *((tower.name, list(tower.command)) for tower in towers),
    ):
        child = await supervisor.start(name, command)
        display.say(f"[bold]{name}[/] started (pid {child.process.pid})")


async def stop_stack(stack: RunningStack) -> None:
    """End every process, then the database."""
    await stack.supervisor.stop()
    stop_server(stack.plan.home)


def answers(url: str) -> bool:
    """Tell whether an address answers with success."""
    try:
        return httpx.get(url, timeout=1).is_success
    except httpx.HTTPError:
        return False


def _write_password(path: Path) -> str:
    """Make a password for the bot's REST API; nobody else can read the file."""
    password = secrets.token_urlsafe(24)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(password)
    return password


def _environment(plan: StackPlan, server: EmbeddedServer, password: str) -> dict[str, str]:
    return clean_environment() | {
        "QUANTBUS_HOME": str(plan.home),
        "QUANTBUS_MONGO_URI": server.uri,
        "QUANTBUS_MONITOR_FREQTRADE_URL": plan.bot_url,
        "QUANTBUS_MONITOR_FREQTRADE_USER": "quantbus",
        "QUANTBUS_MONITOR_FREQTRADE_PASSWORD": password,
        "QUANTBUS_MONITOR_FREQTRADE_CONSUMER": plan.consumer_id,
    }


def write_addresses(stack: RunningStack) -> Path:
    """Write where everything is, for people and scripts; no secrets in it."""
    path = stack.plan.home / "stack.json"
    plan = stack.plan
    addresses = {
        "pid": os.getpid(),
        "bus": stack.server.uri,
        "paper_exchange": None if plan.venue else plan.paper_url,
        "bot": plan.bot_url,
        "monitor": plan.monitor_url,
        "gateway": plan.gateway_url,
        "ingestion": plan.metrics_url(plan.ingestion_metrics_port),
        "research": plan.metrics_url(plan.research_metrics_port),
        **{tower.name: tower.url for tower in stack.towers},
        "logs": str(plan.logs),
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(addresses, indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)  # whoever waits for it reads it whole
    return path
