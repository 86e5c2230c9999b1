"""Measure reading market data beside what is usually done instead; figures are medians, trust the ratios.

Example: ``python benchmarks/read.py --days 365 --json``
"""

import json
import os
import platform
from typing import Annotated

import typer
from bus_parts.ground import own_ground
from read_parts import wide, year
from read_parts.ground import Results, table
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def main(
    days: Annotated[int, typer.Option(min=2, help="Days of 1m bars of one symbol.")] = 365,
    symbols: Annotated[int, typer.Option(min=1, help="Symbols with a year of 1h bars.")] = 50,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each measurement.")] = 3,
    profile: Annotated[bool, typer.Option("--profile", help="Show what reading spends its time on.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Measure rows, blocks and their peers on this machine, and that all of them say the same."""
    results = Results()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress, own_ground() as ground:
        task = progress.add_task("starting")

        def tick(text: str) -> None:
            progress.update(task, description=text)

        told = year.measure(ground, results, days=days, rounds=rounds, tick=tick, profile=profile)
        wide.measure(ground, results, symbols=symbols, rounds=rounds, tick=tick)
    results.notes.append(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {rounds} rounds"
    )
    if as_json:
        typer.echo(
            json.dumps({"figures": [item.as_dict() for item in results.figures], "notes": results.notes})
        )
    else:
        console = Console(width=130)
        console.print(table(results))
        for note in results.notes:
            console.print(note)
    if told:
        typer.echo(told, err=as_json)


if __name__ == "__main__":
    typer.run(main)
