"""What the parts share: made-up bars, the usual way of reading them, rounds side by side."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from bus_parts.ground import Figure, Results
from rich.table import Table

from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.timeframe import Timeframe

__all__ = ["END", "Results", "naive", "side_by_side", "store", "table"]

END = datetime(2026, 1, 1, tzinfo=UTC)
Tick = Callable[[str], None]


def store(connection: Connection, symbol: str, timeframe: Timeframe, days: int, *, seed: int) -> datetime:
    """Store bars of ``days`` days until `END`: prices with cents, volumes with five decimals. Return the first day."""
    start = END - timedelta(days=days)
    count = timeframe.count(start, END)
    random = np.random.default_rng(seed)
    close = np.round(60_000 * np.exp(np.cumsum(random.normal(0, 5e-4, count))), 2)
    open_ = np.concatenate([close[:1], close[:-1]])
    spread = np.round(np.abs(random.normal(0, 20, (2, count))), 2)
    high = np.round(np.maximum(open_, close) + spread[0], 2)
    low = np.round(np.maximum(np.minimum(open_, close) - spread[1], 0.01), 2)
    volume = np.round(random.gamma(2, 8, count), 5)
    times = int(start.timestamp()) * 1000 + np.arange(count, dtype=np.int64) * timeframe.seconds * 1000
    CandleWriter(connection).write_columns(
        CandleColumns(symbol, timeframe, "bench", times, open_, high, low, close, volume)
    )
    return start


def naive(
    connection: Connection, timeframe: Timeframe, query: dict[str, object], fields: list[str]
) -> pd.DataFrame:
    """Read as everybody does first: a list of documents made into a frame."""
    collection = connection.collection(f"crypto_market_{timeframe.name}")
    found = list(collection.find(query, dict.fromkeys(("symbol", "datetime", *fields), 1) | {"_id": 0}))
    return pd.DataFrame(found).set_index(["symbol", "datetime"]).sort_index()


def side_by_side(
    results: Results,
    ways: Mapping[str, Callable[[], object]],
    rows: int,
    rounds: int,
    tick: Tick,
    *,
    base: str,
) -> dict[str, Figure]:
    """Measure every way once in each round; keep rows a second, and how they relate to ``base``."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, work in ways.items():
            tick(f"{name}, round {number + 1} of {rounds}")
            begun = time.perf_counter()
            work()
            taken[name].append(rows / (time.perf_counter() - begun))
    figures = {name: results.add(name, "rows/s", values) for name, values in taken.items()}
    for name, figure in figures.items():
        if name != base:
            results.ratio(f"{name} / {base}", figure, figures[base])
    return figures


def table(results: Results) -> Table:
    """Return all figures as a table."""
    made = Table(title="Reading market data", caption="median of the rounds (least – greatest)")
    for column in ("figure", "median", "unit", "spread"):
        made.add_column(column, justify="left" if column == "figure" else "right")
    for figure in results.figures:
        spread = f"{min(figure.values):,.4g} – {max(figure.values):,.4g}"
        style = "bold" if figure.unit == "×" else None
        made.add_row(figure.name, f"{figure.median:,.4g}", figure.unit, spread, style=style)
    return made
