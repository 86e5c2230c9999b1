"""The local stack for longer than a demonstration: up in the background, down by its pid, logs to follow."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from quantbus_contracts.clock import Clock
from quantbus_contracts.embedded import stop_server
from quantbus_contracts.errors import ConfigError
from quantbus_services.local.display import Display
from quantbus_services.local.folders import bot_user_data, check_port
from quantbus_services.local.stack import StackPlan
from quantbus_services.local.stack_run import start_stack, stop_stack, write_addresses
from quantbus_services.local.supervisor import ChildDied

__all__ = ["detach", "local_plan", "run_up", "running_stacks", "take_down"]

_PORTS = {"monitor": 8710, "paper exchange": 8711, "bot": 8712}
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0


def local_plan(
    home: Path, *, pairs: tuple[str, ...], recipe: str, venue: str, data: Path | None
) -> StackPlan:
    """Return the stack of this machine; each kind of market has a folder, and so databases, of its own."""
    kind = venue or ("recorded" if data else "synthetic")
    return StackPlan(
        home=home.resolve() / f"stack-{kind}",
        pairs=pairs,
        recipe=recipe,
        timeframe="1m",
        strategy_id="demo",
        consumer_id="local-bot",
        bot_port=_PORTS["bot"],
        monitor_port=_PORTS["monitor"],
        paper_port=_PORTS["paper exchange"],
        venue=venue,
        data=data,
    )


async def run_up(plan: StackPlan, clock: Clock, console: Console) -> int:
    """Run the stack until stopped; return 1 if a process dies."""
    for what, port in _PORTS.items():
        check_port(port, what=f"the {what}")
    if plan.data and plan.home.exists():
        shutil.rmtree(plan.home)  # recorded bars are shifted anew at every start and must not meet older ones
    plan.home.mkdir(parents=True, exist_ok=True)
    display = Display(console, clock)
    try:
        stack = await start_stack(plan, display, bot_user_data())
    except (ChildDied, TimeoutError) as error:
        display.say(f"[bold red]{error}[/]", mark="[red]✗[/]")
        return 1
    path = write_addresses(stack)
    display.say(f"everything is started; addresses are in {path}")
    try:
        await stack.supervisor.watch()
    except ChildDied as error:
        display.say(f"[bold red]{error}[/]", mark="[red]✗[/]")
        return 1
    finally:
        path.unlink(missing_ok=True)
        await asyncio.shield(stop_stack(stack))
    return 0


def detach(plan: StackPlan, arguments: Sequence[str]) -> dict[str, object]:
    """Start ``quantbus up`` in the background; return its addresses once everything is started.

    Raises
    ------
    ConfigError
        If it does not come up; with what it printed.
    """
    plan.home.mkdir(parents=True, exist_ok=True)
    log = plan.home.with_name(f"{plan.home.name}.log")
    command = [sys.executable, "-m", "quantbus_contracts.cli", "up", *arguments]
    with log.open("wb") as handle:
        process = subprocess.Popen(  # noqa: S603  # our own command
            command, stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + _START_SECONDS
    addresses = plan.home / "stack.json"
    while process.poll() is None and time.monotonic() < deadline:
        if addresses.is_file():
            answer: dict[str, object] = json.loads(addresses.read_text(encoding="utf-8"))
            return answer
        time.sleep(0.2)
    if process.poll() is None:
        process.terminate()
    raise ConfigError(f"the stack did not come up; it said:\n{log.read_text(encoding='utf-8')[-2_000:]}")


def running_stacks(home: Path) -> list[Path]:
    """Return the address files of stacks that run."""
    return [path for path in sorted(home.glob("stack-*/stack.json")) if _alive(_pid(path))]


def take_down(home: Path) -> list[str]:
    """Stop every running stack of ``home`` and its embedded databases; return what was stopped."""
    stopped = []
    for path in running_stacks(home):
        pid = _pid(path)
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while _alive(pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        if _alive(pid):
            raise ConfigError(
                f"the stack (pid {pid}) did not stop within {_STOP_SECONDS:.0f} s; end it by hand"
            )
        stopped.append(path.parent.name)
    for folder in (home, *home.glob("stack-*")):
        if stop_server(folder):
            stopped.append(f"embedded database of {folder.name}")
    return stopped


def _pid(path: Path) -> int:
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
