"""Measure factors beside pandas, TA-Lib and Qlib on the same bars; processor time in user mode, equal results asserted.

Example: ``python benchmarks/factors.py --bars 525600 --json``
"""

import json
import os
import platform
import warnings
from typing import Annotated

import typer
from bus_parts.ground import Results
from factor_parts import alpha, common
from factor_parts.ground import bars as bars_of
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


def main(
    bars: Annotated[
        int, typer.Option(min=1_000, help="1m bars of one symbol for the common factors.")
    ] = 525_600,
    alpha_bars: Annotated[
        int, typer.Option(min=1_000, help="1m bars for Alpha158, which takes Qlib long.")
    ] = 50_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each measurement.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Measure 30 common factors and Alpha158 on this machine, and that all of them say the same."""
    warnings.simplefilter("ignore")  # what Qlib and its peers say of their own age
    results = Results()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting")

        def tick(text: str) -> None:
            progress.update(task, description=text)

        panel, source = bars_of(bars)
        common.measure(results, panel, rounds=rounds, tick=tick)
        alpha.measure(results, panel.iloc[:alpha_bars], rounds=rounds, tick=tick)
    results.notes.append(
        f"{bars:,} and {min(alpha_bars, bars):,} {source}; Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}, {rounds} rounds, one thread each"
    )
    if as_json:
        typer.echo(
            json.dumps({"figures": [item.as_dict() for item in results.figures], "notes": results.notes})
        )
        return
    console = Console(width=130)
    console.print(_table(results))
    for note in results.notes:
        console.print(note)


def _table(results: Results) -> Table:
    made = Table(title="Factors", caption="median of the rounds (least – greatest)")
    for column in ("figure", "median", "unit", "spread"):
        made.add_column(column, justify="left" if column == "figure" else "right")
    for figure in results.figures:
        spread = f"{min(figure.values):,.4g} – {max(figure.values):,.4g}"
        style = "bold" if figure.unit == "×" else None
        made.add_row(figure.name, f"{figure.median:,.4g}", figure.unit, spread, style=style)
    return made


if __name__ == "__main__":
    typer.run(main)
