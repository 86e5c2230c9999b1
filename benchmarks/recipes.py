"""Run the shipped recipes over recorded bars from a real bus to signals on it; what each step takes.

Told are seconds on the clock, seconds of this process's processors, which say more on a machine with other work to do,
and the most memory that the process held meanwhile.

Needs the recorded hours of OKX spot (QUANTBUS_SHARED_DATA, by default ../shared/data); with ``--made-up`` random walks
take their place. Nothing is taken from a cache. What is published is backfill, also where the gates refuse it.

Example: ``python benchmarks/recipes.py --recipes trend_1h,calibrated_1h --jobs 2 --json``
"""

import gc
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from bus_parts.ground import own_ground
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from quantbus_contracts.bar_arrays import FIELDS, BarArrays
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.resample import resample
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.factors import Vocabulary, factor_sets
from quantbus_research.settings import Recipe, find_recipe, load_recipe
from quantbus_research.workflows import open_session
from quantbus_research.workflows.runs import Done, RunOptions, RunReport, Surroundings, run_graph

HOUR = Timeframe.parse("1h")
END = datetime(2026, 1, 1, tzinfo=UTC)
RECIPES = "trend_1h,momentum_1h,calibrated_1h,alpha158_4h"
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Step:
    """One node of one recipe."""

    recipe: str
    node: str
    kind: str
    seconds: float
    processor_seconds: float
    peak_mb: float
    rows: int


@dataclass
class Watch:
    """Hears how a run goes on, and looks at the memory of this process meanwhile."""

    recipe: Recipe
    name: str
    progress: Progress
    row: object
    steps: list[Step] = field(default_factory=list)
    peak: float = 0.0
    busy: float = 0.0

    def started(self, name: str) -> None:
        """Begin to look."""
        gc.collect()
        self.peak = resident()
        self.busy = time.process_time()
        self.progress.update(self.row, description=f"{self.name}: {name}")  # type: ignore[arg-type]

    def ended(self, name: str, done: Done, rows: int) -> None:
        """Keep what was seen."""
        kind = self.recipe.nodes[name].kind
        busy = time.process_time() - self.busy
        self.steps.append(Step(self.name, name, kind, done.seconds, busy, max(self.peak, resident()), rows))

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look at the memory twenty times a second."""
        stopped = threading.Event()

        def look() -> None:
            while not stopped.wait(0.05):
                self.peak = max(self.peak, resident())

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()


def resident() -> float:
    """Return how much memory this process holds, in megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def recorded(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the recorded hours by symbol."""
    return {
        f"OKX:{path.name.split('_')[1]}": pd.read_parquet(path).set_index("ts")
        for path in sorted((folder / "ohlcv/1h").glob("OKX_*USDT_1h.parquet"))
    }


def made_up(bars: int) -> dict[str, pd.DataFrame]:
    """Return random walks of the same coins."""
    recipe = load_recipe(find_recipe("trend_1h"), factors=Vocabulary(), sets=factor_sets())
    found = {}
    for seed, item in enumerate(recipe.market.instruments):
        random = np.random.default_rng(seed)
        close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 8e-3, bars)))
        opened = np.concatenate([[100.0], close[:-1]])
        high, low = np.maximum(opened, close) * 1.002, np.minimum(opened, close) * 0.998
        index = pd.date_range(end=pd.Timestamp(END) - HOUR.delta, periods=bars, freq="1h").as_unit("ms")
        columns = {"open": opened, "high": high, "low": low, "close": close}
        found[item.symbol] = pd.DataFrame({**columns, "volume": random.gamma(2, 1e5, bars)}, index=index)
    return found


def store(connection: Connection, bars: dict[str, pd.DataFrame], timeframes: set[str]) -> int:
    """Store hours, and coarser bars made of them where a recipe asks for these; return how many."""
    writer, count = CandleWriter(connection), 0
    for symbol, frame in bars.items():
        times = pd.DatetimeIndex(frame.index).as_unit("ms").asi8
        hours = BarArrays(times, {name: frame[name].to_numpy(np.float64) for name in FIELDS})
        for name in sorted(timeframes):
            timeframe = Timeframe.parse(name)
            made = resample(hours, HOUR, timeframe)
            values = [made.columns[column] for column in FIELDS]
            columns = CandleColumns(symbol, timeframe, "recorded", made.open_times_ms, *values)
            count += writer.write_columns(columns).inserted
    return count


def run(recipe: Recipe, connection: Connection, home: Path, watch: Watch, jobs: int) -> RunReport:
    """Run a recipe cold, and publish."""
    clock = SystemClock()
    where = Surroundings(home, clock, lambda: open_session(recipe, connection, home, clock))
    options = RunOptions(jobs=jobs, cold=True)
    with watch.looking():
        return run_graph(recipe, where, watch, as_of=END, options=options)


def told(report: RunReport) -> dict[str, object]:
    """Return what a run came to."""
    facts = {name: artefact.facts for name, artefact in report.artefacts.items()}
    verdict = next((fact["verdict"] for fact in facts.values() if "verdict" in fact), None)
    published = next((fact["published"] for fact in facts.values() if "published" in fact), None)
    return {
        "verdict": verdict,
        "refused": report.refused,
        "published": published,
        "manifest_hash": report.manifest.manifest_hash,
    }


def shown(steps: list[Step], results: dict[str, dict[str, object]]) -> None:
    """Print tables for people."""
    console = Console(width=130)
    table = Table("recipe", "node", "kind", "seconds", "processor", "peak MB", "rows")
    for step in steps:
        table.add_row(
            *(step.recipe, step.node, step.kind, f"{step.seconds:.2f}", f"{step.processor_seconds:.2f}"),
            *(f"{step.peak_mb:,.0f}", f"{step.rows:,}"),
        )
    console.print(table)
    for name, result in results.items():
        console.print(f"{name}: {result['verdict']} Published: {result['published']}")


def main(
    recipes: Annotated[str, typer.Option(help="Shipped recipes, by name.")] = RECIPES,
    jobs: Annotated[int, typer.Option(min=1, help="Nodes, or parts of one, at a time.")] = 1,
    bars: Annotated[int, typer.Option(min=3_000, help="Hours of each coin that are made up.")] = 26_304,
    made: Annotated[bool, typer.Option("--made-up", help="Random walks instead of recorded bars.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Measure load, factors, training, backtest, gates, report and publishing."""
    folder = Path(os.environ.get("QUANTBUS_SHARED_DATA", "../shared/data"))
    source = {} if made else recorded(folder)
    source = source or made_up(bars)
    chosen = {
        name: load_recipe(
            find_recipe(name),
            factors=Vocabulary(),
            sets=factor_sets(),
            overrides=["nodes.publish.when_refused='publish'", "nodes.publish.history_bars=2000000"],
        )
        for name in recipes.split(",")
    }
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    steps: list[Step] = []
    results: dict[str, dict[str, object]] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress, own_ground() as ground:
        row = progress.add_task("storing bars")
        with ground.fresh() as connection:
            begun = time.perf_counter()
            count = store(connection, source, {recipe.market.timeframe for recipe in chosen.values()})
            stored = time.perf_counter() - begun
            for name, recipe in chosen.items():
                watch = Watch(recipe, name, progress, row)
                begun = time.perf_counter()
                report = run(recipe, connection, ground.home, watch, jobs)
                steps += watch.steps
                results[name] = {**told(report), "seconds": time.perf_counter() - begun}
    note = (
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, jobs {jobs}; "
        f"{len(source)} coins, {count:,} bars stored in {stored:.1f} s; "
        f"{'made-up' if made or not recorded(folder) else 'recorded'} bars"
    )
    if as_json:
        typer.echo(json.dumps({"steps": [asdict(step) for step in steps], "recipes": results, "note": note}))
        return
    shown(steps, results)
    Console(width=130).print(note)


if __name__ == "__main__":
    typer.run(main)
