"""How figures are shown: a table for people, JSON for scripts."""

import json
import os
import platform
import sys

from rich.console import Console
from rich.table import Table

from bus_parts.ground import Figure, Results


def told(figure: Figure, value: float) -> str:
    """Return a value in as many digits as it deserves."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def table(results: Results, title: str) -> Table:
    """Return all figures as a table."""
    made = Table(title=title, caption="median of the rounds (least – greatest)")
    for column in ("figure", "median", "unit", "spread"):
        made.add_column(column, justify="left" if column == "figure" else "right")
    for figure in results.figures:
        spread = f"{told(figure, min(figure.values))} – {told(figure, max(figure.values))}"
        style = "bold" if figure.unit == "×" else None
        made.add_row(figure.name, told(figure, figure.median), figure.unit, spread, style=style)
    return made


def show(results: Results, title: str, *, rounds: int, as_json: bool) -> None:
    """Print all figures, and on what machine they were seen."""
    results.notes.append(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {rounds} rounds"
    )
    if as_json:
        figures = [figure.as_dict() for figure in results.figures]
        sys.stdout.write(json.dumps({"figures": figures, "notes": results.notes}, indent=1) + "\n")
        return
    console = Console(width=130)
    console.print(table(results, title))
    for note in results.notes:
        console.print(note)
