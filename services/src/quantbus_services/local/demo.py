"""The demonstration: bring the stack up, show what happens, wait for a full round trip, show it in tables.

Everything runs in a temporary folder on databases of its own, and is gone afterwards.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from quantbus_contracts.clock import Clock
from quantbus_contracts.mongo.client import connect_async
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.local.display import Display
from quantbus_services.local.folders import bot_user_data, free_port
from quantbus_services.local.stack import StackPlan
from quantbus_services.local.stack_run import RunningStack, start_stack, stop_stack, write_addresses
from quantbus_services.local.story import Scene, Storyteller, journeys
from quantbus_services.local.supervisor import ChildDied

__all__ = ["DemoOptions", "run_demo"]

_RECIPE = "demo"
_LOOK_SECONDS = 0.5
_MONITOR_SECONDS = 12.0
"""Two cycles of the monitor, so that its verdict is about what just happened."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the demonstration is about."""

    pairs: tuple[str, ...]
    venue: str
    data: Path | None
    limit: timedelta
    keep_running: bool


async def run_demo(options: DemoOptions, clock: Clock, console: Console) -> int:
    """Run the demonstration; return 0 after a full round trip, 1 if a process died or none came in time."""
    started = clock.now()
    display = Display(console, clock)
    user_data = bot_user_data()
    home = Path(tempfile.mkdtemp(prefix="quantbus-demo-"))
    keep = False
    try:
        _introduce(display, options)
        async with _running(_plan(options, home), display, user_data) as stack:
            return await _watched(stack, options, clock, display, started)
    except (ChildDied, TimeoutError) as error:
        keep = True
        display.say(f"[bold red]{error}[/]", mark="[red]✗[/]")
        return 1
    finally:
        if keep:
            display.line(f"logs are kept in {home / 'logs'}")
            _remove_all_but_logs(home)
        else:
            shutil.rmtree(home, ignore_errors=True)


def _plan(options: DemoOptions, home: Path) -> StackPlan:
    return StackPlan(
        home=home,
        pairs=options.pairs,
        recipe=_RECIPE,
        timeframe="1m",
        strategy_id="demo",
        consumer_id="demo-bot",
        bot_port=free_port(),
        monitor_port=free_port(),
        paper_port=free_port(),
        venue=options.venue,
        data=options.data,
    )


def _introduce(display: Display, options: DemoOptions) -> None:
    if options.venue:
        market = f"live market data of {options.venue}"
    elif options.data:
        market = f"recorded candles from {options.data}, shifted so that the last closed bar is now"
    else:
        market = "[bold]SYNTHETIC[/] candles made by a seeded generator"
    display.line(f"[bold]quantbus demo[/]: {', '.join(options.pairs)}; {market}.")
    display.line(
        "A bot in dry run follows a recipe that trades often, to show the machinery; no profit is claimed."
    )
    display.line("Bars close once a minute, so a round trip takes two to four minutes.\n")


@asynccontextmanager
async def _running(plan: StackPlan, display: Display, user_data: Path) -> AsyncIterator[RunningStack]:
    stack = await start_stack(plan, display, user_data)
    try:
        yield stack
    finally:
        display.say("stopping everything")
        await stop_stack(stack)


async def _watched(
    stack: RunningStack, options: DemoOptions, clock: Clock, display: Display, started: datetime
) -> int:
    """Show the story while watching over the children: whichever ends first decides."""
    story = asyncio.create_task(_story(stack, options, clock, display, started))
    watch = asyncio.create_task(stack.supervisor.watch())
    try:
        done, _ = await asyncio.wait({story, watch}, return_when=asyncio.FIRST_COMPLETED)
        return await story if story in done else await _raise(watch)
    finally:
        for task in (story, watch):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ChildDied, TimeoutError):
                await task


async def _raise(watch: "asyncio.Task[None]") -> int:
    await watch
    return 1


async def _story(
    stack: RunningStack, options: DemoOptions, clock: Clock, display: Display, started: datetime
) -> int:
    connection = connect_async(stack.settings, app="demo")
    auth = httpx.BasicAuth("quantbus", stack.bot_password)
    try:
        async with httpx.AsyncClient(base_url=stack.plan.bot_url, auth=auth, timeout=5) as http:
            teller = Storyteller(
                connection, http, since=started, timeframe=Timeframe.parse(stack.plan.timeframe)
            )
            scene = await _until_round_trip(teller, clock, display, started + options.limit)
            await asyncio.sleep(_MONITOR_SECONDS)
            scene = await teller.look()
    finally:
        await connection.close()
    display.line("")
    display.journeys(journeys(scene))
    display.trades(scene.trades, options.pairs[0].partition("/")[2])
    display.verdict(await _monitor_status(stack))
    if options.keep_running:
        await _stay(stack, display)
    return 0


async def _until_round_trip(teller: Storyteller, clock: Clock, display: Display, deadline: datetime) -> Scene:
    while True:
        scene = await teller.look()
        display.scene(scene)
        if scene.round_trip is not None:
            display.say(
                "a full round trip: entered and left by signals, filled both times", mark="[green]✓[/]"
            )
            return scene
        if clock.now() > deadline:
            raise TimeoutError(
                "no full round trip in time: raise --minutes, or read the logs to see what held it up"
            )
        await asyncio.sleep(_LOOK_SECONDS)


async def _monitor_status(stack: RunningStack) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=stack.plan.monitor_url, timeout=5) as http:
        answer: dict[str, Any] = (await http.get("/status")).raise_for_status().json()
        return answer


async def _stay(stack: RunningStack, display: Display) -> None:
    path = write_addresses(stack)
    plan = stack.plan
    display.line("\n[bold]left running[/] (Ctrl-C ends it all):")
    display.line(f"  monitor  {plan.monitor_url}/   metrics {plan.monitor_url}/metrics")
    display.line(
        f"  bot API  {plan.bot_url}/api/v1/status  user quantbus, password in {plan.bot_password_file}"
    )
    display.line(f"  bus      {stack.server.uri}")
    display.line(f"  logs     {plan.logs}    all addresses: {path}")
    await asyncio.Event().wait()


def _remove_all_but_logs(home: Path) -> None:
    for entry in home.iterdir():
        if entry.name == "logs":
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
