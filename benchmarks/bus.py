"""Measure the signal bus beside what is usually done instead; figures are medians, trust the ratios.

Example: ``python benchmarks/bus.py --only publishing,latest --full --json``
"""

import json
import os
import platform
from typing import Annotated, Literal, get_args

import typer
from bus_parts import delay, latest, peers, publishing
from bus_parts.ground import Figure, Results, own_ground
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

Part = Literal["publishing", "latest", "delay", "peers"]


def told(figure: Figure, value: float) -> str:
    """Return a value in as many digits as it deserves."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def table(results: Results) -> Table:
    """Return all figures as a table."""
    made = Table(title="The signal bus", caption="median of the rounds (least – greatest)")
    for column in ("figure", "median", "unit", "spread"):
        made.add_column(column, justify="left" if column == "figure" else "right")
    for figure in results.figures:
        spread = f"{told(figure, min(figure.values))} – {told(figure, max(figure.values))}"
        style = "bold" if figure.unit == "×" else None
        made.add_row(figure.name, told(figure, figure.median), figure.unit, spread, style=style)
    return made


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
    results.notes.append(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {rounds} rounds"
    )
    if as_json:
        figures = [figure.as_dict() for figure in results.figures]
        typer.echo(json.dumps({"figures": figures, "notes": results.notes}, indent=1))
    else:
        console = Console(width=130)
        console.print(table(results))
        for note in results.notes:
            console.print(note)
    if told_profile:
        typer.echo(told_profile, err=as_json)


if __name__ == "__main__":
    typer.run(main)
