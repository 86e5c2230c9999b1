"""Measure the backtest engine beside vectorbt on the same targets and costs; trust the ratios.

Both begin with aligned arrays and end with the worth of every sleeve at every bar; both fill at the next open with
fees and slippage; the results are asserted to be the same to 1e-9 before anything is told. Compilation is not counted,
and time is that of the processor, so that other work on the machine matters little.

Example: ``python benchmarks/backtest.py --symbols 28 --bars 26304 --json``
"""

import gc
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests import Account, Backtest, Market
from quantbus_research.backtests.engine import run
from quantbus_research.costs import CostModel

Floats = NDArray[np.float64]
HOUR = Timeframe.parse("1h")
COSTS = CostModel(fee_rate=0.001, spread_rate=0.0006)
CAPITAL = 10_000.0
NOTHING = np.empty((0, 0))


@dataclass
class Measured:
    """One task done by both, in seconds (medians)."""

    task: str
    bars: int
    orders: int
    ours: float
    theirs: float
    apart: float

    def as_dict(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "task": self.task,
            "bars": self.bars,
            "orders": self.orders,
            "quantbus_seconds": self.ours,
            "vectorbt_seconds": self.theirs,
            "ratio": self.theirs / self.ours,
            "quantbus_bars_per_second": self.bars / self.ours,
            "largest_relative_difference": self.apart,
        }


def made_up(symbols: int, bars: int) -> Market:
    """Return random walks whose opens are not the closes before."""
    random = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 5e-3, (symbols, bars)), axis=1))
    open_ = close * np.exp(random.normal(0.0, 1e-3, (symbols, bars)))
    times = pd.date_range("2023-01-01", periods=bars, freq="1h", tz="UTC")
    names = tuple(f"BINANCE:C{number:03d}USDT" for number in range(symbols))
    return Market(names, times, open_, close, np.ones((symbols, bars)))


def decided(market: Market, choices: list[float], every: int) -> Floats:
    """Return targets that change at random, every so many bars on average."""
    random = np.random.default_rng(11)
    shape = market.close.shape
    table = pd.DataFrame(
        np.where(random.uniform(size=shape) < 1 / every, random.choice(choices, shape), np.nan).T
    )
    return np.ascontiguousarray(table.ffill().fillna(0.0).to_numpy().T)


def measure(
    vectorbt: ModuleType, market: Market, target: Floats, *, task: str, shared: bool, rounds: int
) -> Measured:
    """Run both, assert that they agree, then time them in turns."""
    symbols = len(market.symbols)
    account = Account(capital=CAPITAL, shared=shared)
    changed = np.where(np.diff(target, axis=1, prepend=0.0) != 0.0, target, np.nan)
    size = np.full_like(changed, np.nan)
    size[:, 1:] = changed[:, :-1]
    given = [np.ascontiguousarray(values.T) for values in (market.close, size, market.open)]

    def ours() -> Backtest:
        return run(market, target, market.open, NOTHING, NOTHING, HOUR, COSTS, account)

    def theirs() -> Floats:
        portfolio = vectorbt.Portfolio.from_orders(
            close=given[0],
            size=given[1],
            price=given[2],
            size_type="targetpercent",
            fees=COSTS.fee_rate,
            slippage=COSTS.spread_rate / 2,
            init_cash=CAPITAL if shared else CAPITAL / symbols,
            cash_sharing=shared,
            group_by=shared or None,
            call_seq="auto" if shared else "default",
            freq="1h",
        )
        return np.asarray(portfolio.value(), dtype=np.float64)

    result = ours()
    mine = result.worth[0] if shared else result.worth.T
    apart = float(np.abs(mine / theirs().reshape(mine.shape) - 1).max())
    assert apart < 1e-9, f"{task}: the two differ by {apart}"
    seconds = {
        "ours": [timed(ours) for _ in range(3 * rounds)],
        "theirs": [timed(theirs) for _ in range(rounds)],
    }
    middle = {name: statistics.median(found) for name, found in seconds.items()}
    return Measured(task, target.size, len(result.fills), middle["ours"], middle["theirs"], apart)


def timed(work: Callable[[], object]) -> float:
    """Return how long one call keeps the processor busy."""
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


def main(
    symbols: Annotated[int, typer.Option(min=1, help="Symbols.")] = 28,
    bars: Annotated[int, typer.Option(min=100, help="Bars of each; 26,304 are three years of 1h.")] = 26_304,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each measurement.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Measure long/flat, long/short and one shared capital on this machine, and that both engines say the same."""
    warnings.filterwarnings("ignore")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    found = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        row = progress.add_task("importing vectorbt")
        import vectorbt

        market = made_up(symbols, bars)
        for task, choices, shared in (
            ("long/flat", [0.0, 1.0], False),
            ("long/short, turned round", [-0.9, 0.0, 0.9], False),
            ("weights of one capital", [0.0, 0.4 / symbols, 0.8 / symbols], True),
        ):
            progress.update(row, description=task)
            target = decided(market, choices, every=48)
            found.append(measure(vectorbt, market, target, task=task, shared=shared, rounds=rounds))
    note = (
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"{symbols} symbols, {bars:,} bars, one thread each; fee {COSTS.fee_rate:.2%}, slippage "
        f"{COSTS.spread_rate / 2:.2%}, next open"
    )
    if as_json:
        typer.echo(json.dumps({"figures": [one.as_dict() for one in found], "note": note}))
        return
    table = Table("task", "orders", "quantbus, ms", "vectorbt, ms", "ratio", "million bars/s", "apart by")
    for one in found:
        table.add_row(
            *(one.task, f"{one.orders:,}", f"{1e3 * one.ours:.2f}", f"{1e3 * one.theirs:.1f}"),
            *(f"{one.theirs / one.ours:.0f}", f"{one.bars / one.ours / 1e6:.0f}", f"{one.apart:.0e}"),
        )
    console = Console(width=120)
    console.print(table)
    console.print(note)


if __name__ == "__main__":
    typer.run(main)
