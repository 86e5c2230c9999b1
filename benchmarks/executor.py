"""Measure how soon a bot orders what it is told: through the bus, and beside it a Freqtrade alone that reads files.

Example: ``python benchmarks/executor.py --json`` (under six minutes: it waits for real bars)
"""

import os
import platform
from collections.abc import Callable
from typing import Annotated

import typer
from executor_parts.bots import running
from executor_parts.tables import lines_of, show
from executor_parts.timeline import Delays, delays_of, tell_bars
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def measure(
    throttles: list[int], bars: int, pairs: int, notes: list[str], tick: Callable[[str], None]
) -> dict[int, Delays]:
    """Run both bots at each throttle, one after the other."""
    names = tuple(f"B{number:02}/USDT" for number in range(pairs))
    found = {}
    with running(names, throttle=throttles[0], tick=tick) as ground:
        for turn, throttle in enumerate(throttles):
            if turn:
                ground.ours.throttle(throttle)
                ground.alone.throttle(throttle)

            def said(text: str, throttle: int = throttle) -> None:
                tick(f"throttle {throttle} s: {text}")

            found[throttle] = delays_of(ground, tell_bars(ground, bars, seed=throttle, tick=said))
            notes.append(f"load {os.getloadavg()[0]:.1f} after the bars with a throttle of {throttle} s")
    return found


def main(
    throttles: Annotated[str, typer.Option(help="Seconds between loops, with commas.")] = "1,5",
    bars: Annotated[int, typer.Option(min=1, help="Bars of one minute for each throttle.")] = 2,
    pairs: Annotated[int, typer.Option(min=2, max=98, help="Pairs that both bots trade.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Measure the time to an order on this machine; exit 1 if a bot ordered less than it was told."""
    notes = [
        f"Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} at the start, {pairs} pairs, {bars} bars"
    ]
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting")

        def tick(text: str) -> None:
            progress.update(task, description=text)

        delays = measure([int(word) for word in throttles.split(",")], bars, pairs, notes, tick)
    missing = sum(item.missing for item in delays.values())
    if missing:
        notes.append(f"{missing} orders were not seen in time: the machine is too busy, or the bots are")
    show(lines_of(delays), notes, missing=missing, as_json=as_json)
    raise typer.Exit(1 if missing else 0)


if __name__ == "__main__":
    typer.run(main)
