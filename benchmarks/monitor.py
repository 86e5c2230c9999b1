"""Measure the monitor: how fast its pages are over a full bus, and what it costs while nobody looks.

Example: ``python benchmarks/monitor.py --json``
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from bus_parts.ground import Ground, own_ground, processor_seconds
from monitor_parts.process import Monitor, Server, running
from monitor_parts.world import World, fill_world
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from quantbus_contracts.mongo.client import Connection

Tick = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How much is on the bus."""

    strategies: int
    each: int
    pairs: int
    bars: int


@dataclass(frozen=True)
class Page:
    """How long one page took at the client, on loopback."""

    path: str
    p50_ms: float
    p95_ms: float
    kilobytes: float


@dataclass(frozen=True)
class Running:
    """What the process took while nobody asked it anything."""

    seconds: float
    cycles: float
    cycle_ms: float
    processor_percent: float
    database_percent: float
    memory_mb: float
    questions_a_minute: float


@dataclass
class Found:
    """Everything that was measured."""

    pages: list[Page] = field(default_factory=list)
    idle: Running | None = None
    notes: list[str] = field(default_factory=list)


def paths_of(world: World) -> list[str]:
    """Return every page, with a strategy, a signal and a symbol of this bus."""
    return [
        "/",
        "/strategies",
        f"/strategies/{world.strategy_id}",
        f"/strategies/{world.strategy_id}/delays.json",
        f"/signals/{world.signal_id}",
        f"/candles?symbol={world.symbol}&timeframe=5m",
        "/positions",
        "/data",
        "/findings",
        "/controls",
        "/status",
        "/metrics",
    ]


def idle(ground: Ground, connection: Connection, monitor: Monitor, seconds: float) -> Running:
    """Let it run and see what it takes."""
    server = Server(connection)
    cycles, took = monitor.cycles()
    asked, own, database = server.asked(), monitor.processor_seconds(), processor_seconds(ground.pid)
    begun = time.perf_counter()
    time.sleep(seconds)
    passed = time.perf_counter() - begun
    own, database = monitor.processor_seconds() - own, processor_seconds(ground.pid) - database
    asked = server.asked() - asked
    more, longer = monitor.cycles()
    done = more - cycles
    return Running(
        seconds=passed,
        cycles=done,
        cycle_ms=1_000 * (longer - took) / done if done else 0.0,
        processor_percent=100 * own / passed,
        database_percent=100 * database / passed,
        memory_mb=monitor.memory_mb(),
        questions_a_minute=60 * asked / passed,
    )


def measure(size: Size, seconds: float, times: int, interval: float, tick: Tick) -> Found:
    """Lay a bus out, run the monitor over it, and look at both."""
    found = Found()
    with own_ground() as ground, ground.fresh() as connection:
        world = fill_world(connection, **asdict(size), tick=tick)
        found.notes.append(
            f"{world.strategies} strategies, {world.signals} signals, {world.pairs} pairs, {size.bars} bars of 5m"
        )
        tick("the monitor starts")
        folder = Path(ground.home) / "monitor"
        folder.mkdir()
        with running(connection, ground.uri, folder, interval=interval) as monitor:
            found.notes.append(f"load {os.getloadavg()[0]:.1f} before the idle minute")
            tick(f"nobody looks for {seconds:.0f} s")
            found.idle = idle(ground, connection, monitor, seconds)
            for path in paths_of(world):
                tick(f"page {path}")
                median, p95, size = monitor.p95(path, times)
                found.pages.append(Page(path.partition("?")[0], 1_000 * median, 1_000 * p95, size / 1_024))
    found.notes.append(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, "
        f"{times} requests each, a cycle every {interval:g} s"
    )
    return found


def show(found: Found, *, as_json: bool) -> None:
    """Print all figures."""
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), indent=1) + "\n")
        return
    console = Console(width=110)
    pages = Table(title="pages, milliseconds at the client")
    for column in ("page", "p50", "p95", "kB"):
        pages.add_column(column, justify="left" if column == "page" else "right")
    for page in found.pages:
        pages.add_row(page.path, f"{page.p50_ms:.1f}", f"{page.p95_ms:.1f}", f"{page.kilobytes:.0f}")
    console.print(pages)
    if found.idle is not None:
        cost = Table("while nobody looks", "", title="the process")
        for name, value in asdict(found.idle).items():
            cost.add_row(name.replace("_", " "), f"{value:,.1f}")
        console.print(cost)
    for note in found.notes:
        console.print(note)


def main(
    strategies: Annotated[int, typer.Option(min=1, help="Declared strategies.")] = 100,
    each: Annotated[int, typer.Option(min=1, help="Signals of each.")] = 1_000,
    pairs: Annotated[int, typer.Option(min=1, max=9_999, help="Pairs of all together.")] = 1_000,
    bars: Annotated[int, typer.Option(min=1, help="Over how many bars of 5m the signals are spread.")] = 48,
    seconds: Annotated[float, typer.Option(min=1, help="How long nobody looks.")] = 60,
    times: Annotated[int, typer.Option(min=5, help="Requests for each page.")] = 40,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two cycles.")] = 3.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Measure the monitor on this machine."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting")

        def tick(text: str) -> None:
            progress.update(task, description=text)

        found = measure(Size(strategies, each, pairs, bars), seconds, times, interval, tick)
    show(found, as_json=as_json)


if __name__ == "__main__":
    typer.run(main)
