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
from functools import partial
from pathlib import Path

from rich.console import Console

from quantbus_contracts.clock import Clock
from quantbus_contracts.embedded import stop_server
from quantbus_contracts.errors import ConfigError
from quantbus_services.local.display import Display
from quantbus_services.local.folders import bot_user_data, check_port
from quantbus_services.local.stack import StackPlan, validate_recipe
from quantbus_services.local.stack_run import answers, start_stack, stop_stack, write_addresses
from quantbus_services.local.supervisor import ChildDied
from quantbus_services.local.towers import towers_of

__all__ = ["PORTS", "detach", "local_plan", "run_up", "running_stacks", "take_down"]

PORTS = {
    "monitor": 8710,
    "paper-exchange": 8711,
    "freqtrade": 8712,
    "gateway": 8720,
    "ingestion": 9101,
    "research": 9104,
}
"""Where each process listens; those of ingestion and research are of their metrics. Containers have the same."""
_START_SECONDS = 180.0
_READY_SECONDS = 60.0
_STOP_SECONDS = 60.0


def local_plan(
    home: Path, *, pairs: tuple[str, ...], recipe: str, venue: str, data: Path | None
) -> StackPlan:
    """Return the stack of this machine; each kind of market has a folder, and so databases, of its own.

    Raises
    ------
    ConfigError
        If the recipe is not valid.
    """
    recipe = str(Path(recipe).resolve()) if Path(recipe).is_file() else recipe
    strategy_id, timeframe = _promise_of(recipe, pairs)
    kind = venue or ("recorded" if data else "synthetic")
    return StackPlan(
        home=home.resolve() / f"stack-{kind}",
        pairs=pairs,
        recipe=recipe,
        timeframe=timeframe,
        strategy_id=strategy_id,
        consumer_id="local-bot",
        bot_port=PORTS["freqtrade"],
        monitor_port=PORTS["monitor"],
        paper_port=PORTS["paper-exchange"],
        venue=venue,
        data=data,
        gateway_port=PORTS["gateway"],
        ingestion_metrics_port=PORTS["ingestion"],
        research_metrics_port=PORTS["research"],
    )


def _promise_of(recipe: str, pairs: tuple[str, ...]) -> tuple[str, str]:
    """Ask research for a recipe's strategy and timeframe, which bot and ingestion have to share."""
    answer = subprocess.run(  # noqa: S603  # our own command
        validate_recipe(recipe, pairs), capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise ConfigError(answer.stderr.strip().removeprefix("error: "))
    told = json.loads(answer.stdout)
    return told["strategy_id"], told["market"]["timeframe"]


async def run_up(plan: StackPlan, clock: Clock, console: Console) -> int:
    """Run the stack until stopped; return 1 if a process dies."""
    _refuse_second(plan.home.parent)
    for name, port in PORTS.items():
        if name != "paper-exchange" or not plan.venue:
            check_port(port, what=name)
    if plan.data and plan.home.exists():
        stop_server(plan.home)  # which a stack that was killed left behind
        shutil.rmtree(plan.home)  # recorded bars are shifted anew at every start and must not meet older ones
    plan.home.mkdir(parents=True, exist_ok=True)
    display = Display(console, clock)
    user_data = bot_user_data()
    towers, missing = towers_of(plan.home, user_data.parents[1])
    for why in missing:
        display.say(why)
    try:
        stack = await start_stack(plan, display, user_data, towers)
    except (ChildDied, TimeoutError) as error:
        display.say(f"[bold red]{error}[/]", mark="[red]✗[/]")
        return 1
    try:
        # By then a process that cannot do what it was told to has said so and ended.
        for what, url in (("the monitor", plan.monitor_url), ("the gateway", plan.gateway_url)):
            await stack.supervisor.wait_until(
                partial(answers, f"{url}/readyz"), what=what, seconds=_READY_SECONDS
            )
        addresses = write_addresses(stack)
        display.say(
            f"everything is started; the status page is {plan.monitor_url}/, all addresses are in {addresses}"
        )
        await stack.supervisor.watch()
    except (ChildDied, TimeoutError) as error:
        display.say(f"[bold red]{error}[/]", mark="[red]✗[/]")
        return 1
    finally:
        (plan.home / "stack.json").unlink(missing_ok=True)
        await asyncio.shield(stop_stack(stack))
    return 0


def detach(plan: StackPlan, arguments: Sequence[str]) -> dict[str, object]:
    """Start ``quantbus up`` in the background; return its addresses once everything is started.

    Raises
    ------
    ConfigError
        If one runs already, or it does not come up; with what it printed.
    """
    _refuse_second(plan.home.parent)
    plan.home.mkdir(parents=True, exist_ok=True)
    addresses = plan.home / "stack.json"
    addresses.unlink(missing_ok=True)  # a stack that was killed leaves its own
    log = plan.home.with_name(f"{plan.home.name}.log")
    command = [sys.executable, "-m", "quantbus_contracts.cli", "up", *arguments]
    with log.open("wb") as handle:
        process = subprocess.Popen(  # noqa: S603  # our own command
            command, stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + _START_SECONDS
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if addresses.is_file():
                answer: dict[str, object] = json.loads(addresses.read_text(encoding="utf-8"))
                return answer
            time.sleep(0.2)
    except KeyboardInterrupt:
        _end(process)
        raise
    _end(process)
    raise ConfigError(f"the stack did not come up; it said:\n{log.read_text(encoding='utf-8')[-2_000:]}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a stack that is on its way up, if it still is, and wait until nothing of it is left."""
    if process.poll() is None:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _refuse_second(home: Path) -> None:
    for path in running_stacks(home):
        raise ConfigError(
            f"a stack runs already: {path.parent.name} (pid {_pid(path)}), its addresses are in {path}; "
            "stop it first with `quantbus down`"
        )


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
    """Tell whether it is a running ``quantbus up``: pids are given anew, and stacks are stopped by pid."""
    if pid <= 0:
        return False
    told = subprocess.run(  # noqa: S603  # fixed program, numeric argument
        ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    return bool(told) and not told[0].startswith("Z") and "up" in told[1:]
