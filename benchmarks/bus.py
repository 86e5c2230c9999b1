"""Measure the signal bus beside what is usually done instead; figures are medians, trust the ratios.

Example: ``python benchmarks/bus.py --only publishing,latest --full --json``
"""

from typing import Annotated, Literal, get_args

import typer
from bus_parts import delay, latest, peers, publishing
from bus_parts.ground import Results, own_ground
from bus_parts.tables import show
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Part = Literal["publishing", "latest", "delay", "peers"]


def measure(parts: list[str], rounds: int, rows: int, stored: int, *, profile: bool) -> tuple[Results, str]:
    """Run the parts that were asked for, telling what is under way."""
    results = Results()
    told_profile = ""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress, own_ground() as ground:
        task = progress.add_task("starting")

        def tick(text: str) -> None:
            progress.update(task, description=text)

        if "publishing" in parts:
            publishing.measure(ground, results, rounds=rounds, count=rows, tick=tick)
        if "latest" in parts:
            latest.measure(ground, results, rounds=max(5, rounds), count=stored, tick=tick)
        if "delay" in parts:
            delay.measure(ground, results, rounds=rounds, count=200, tick=tick)
        if "peers" in parts:
            peers.measure(results, rounds=rounds, count=200, tick=tick)
        if profile:
            tick("profile")
            told_profile = publishing.profile(ground, count=rows)
    return results, told_profile


def main(
    only: Annotated[str, typer.Option(help="Parts, with commas: " + ",".join(get_args(Part)))] = ",".join(
        get_args(Part)
    ),
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each measurement.")] = 3,
    rows: Annotated[int, typer.Option(min=1_000, help="Signals in one publish.")] = 10_000,
    stored: Annotated[int, typer.Option(min=10_000, help="Rows to find the latest in.")] = 200_000,
    full: Annotated[bool, typer.Option("--full", help="Five rounds, a million stored rows.")] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show what publishing spends its time on.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Measure the bus and its peers on this machine."""
    parts = only.split(",")
    unknown = set(parts) - set(get_args(Part))
    if unknown:
        raise typer.BadParameter(f"expected parts of {', '.join(get_args(Part))}, found {sorted(unknown)}")
    rounds, stored = (5, 1_000_000) if full else (rounds, stored)
    results, told_profile = measure(parts, rounds, rows, stored, profile=profile)
    show(results, "The signal bus", rounds=rounds, as_json=as_json)
    if told_profile:
        typer.echo(told_profile, err=as_json)


if __name__ == "__main__":
    typer.run(main)
