"""Measure storing bars beside what is usually done instead; figures are medians, trust the ratios.

*Bulk upsert* is the usual answer: one ``UpdateOne(upsert)`` per bar in batches of 10,000, into a collection with our
unique key and our validator. *Lean upsert* has the key only. Raw ``insert_many`` goes into a collection without
a unique key and is the limit. Ours has the key, the validator, revisions and the marks of sealed blocks.

Example: ``python benchmarks/ingest.py --rows 50000 --rounds 5 --json``
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
import typer
from bus_parts.ground import Cost, Ground, Results, cost_of, own_ground
from bus_parts.tables import show
from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern
from rich.console import Console

from quantbus_contracts.collections import spec_of
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.schema import Candle
from quantbus_contracts.timeframe import Timeframe

SAFE = WriteConcern(w="majority", j=True)
MINUTE = Timeframe.parse("1m")
START = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOL = "BINANCE:BTCUSDT"
BATCH = 10_000
Rows = list[dict[str, Any]]


def bars(count: int) -> CandleColumns:
    """Return made-up minutes, the same every time."""
    random = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(random.normal(0, 5e-4, count)))
    opened = np.concatenate([[100.0], close[:-1]])
    times = int(START.timestamp() * 1000) + np.arange(count, dtype=np.int64) * 60_000
    high, low = np.maximum(opened, close) * 1.0002, np.minimum(opened, close) * 0.9998
    return CandleColumns(SYMBOL, MINUTE, "bench", times, opened, high, low, close, random.random(count) * 10)


def documents(columns: CandleColumns) -> Rows:
    """Return bars as a program without a bus would hold them."""
    now = START + timedelta(days=400)
    return [
        {
            "symbol": SYMBOL,
            "datetime": START + timedelta(minutes=number),
            "open": row[0],
            "high": row[1],
            "low": row[2],
            "close": row[3],
            "volume": row[4],
            "source": "bench",
            "ingested_at": now,
        }
        for number, row in enumerate(
            zip(
                *(getattr(columns, name).tolist() for name in ("open", "high", "low", "close", "volume")),
                strict=True,
            )
        )
    ]


def models(columns: CandleColumns) -> list[Candle]:
    """Return bars as the live loop holds them."""
    return [
        Candle(
            symbol=SYMBOL,
            timeframe="1m",
            open_time=time,
            open=o,
            high=h,
            low=low,
            close=c,
            volume=v,
            source="bench",
        )
        for time, o, h, low, c, v in columns.bars(0, len(columns))
    ]


def side(
    connection: Connection, name: str, *, unique: bool = True, validator: bool = False
) -> "Collection[Any]":
    """Return an empty collection beside ours."""
    spec = spec_of("crypto_market_1m")
    database = connection.client[connection.settings.market_db]
    made = database.create_collection(name, validator=spec.validator if validator else {})
    if unique:
        made.create_index([("symbol", 1), ("datetime", 1)], unique=True)
    return made.with_options(write_concern=SAFE)


def upsert(collection: "Collection[Any]", rows: Rows) -> None:
    """Write one upsert per bar."""
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        keys = ({"symbol": row["symbol"], "datetime": row["datetime"]} for row in part)
        collection.bulk_write(
            [UpdateOne(key, {"$set": row}, upsert=True) for key, row in zip(keys, part, strict=True)],
            ordered=False,
        )


def insert(collection: "Collection[Any]", rows: Rows) -> None:
    """Write without asking what is there."""
    for start in range(0, len(rows), BATCH):
        collection.insert_many([dict(row) for row in rows[start : start + BATCH]], ordered=False)


def one_round(ground: Ground, connection: Connection, columns: CandleColumns, turn: int) -> dict[str, Cost]:
    """Measure every way once, on collections of its own; the order changes from round to round."""
    rows = documents(columns)
    usual, lean = side(connection, "usual", validator=True), side(connection, "lean")
    raw = side(connection, "raw", unique=False)
    writer = CandleWriter(connection)
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: writer.write_columns(columns),
        "bulk upsert": lambda: upsert(usual, rows),
        "lean upsert": lambda: upsert(lean, rows),
        "insert_many": lambda: insert(raw, rows),
    }
    names = list(ways)
    order = names[turn % len(names) :] + names[: turn % len(names)]
    taken = {f"{name} fresh": cost_of(ground, ways[name]) for name in order}
    for name in [name for name in order if name != "insert_many"]:
        taken[f"{name} replay"] = cost_of(ground, ways[name])
    live = models(columns)
    taken["ours from models replay"] = cost_of(ground, lambda: writer.write(live))
    report = writer.write_columns(columns)
    assert report.unchanged == len(columns), report
    return taken


def change_events_of_a_replay(connection: Connection, columns: CandleColumns) -> int:
    """Count the events that writing the same bars again raises."""
    writer = CandleWriter(connection)
    writer.write_columns(columns)
    with connection.collection("crypto_market_1m").watch(max_await_time_ms=500) as stream:
        writer.write_columns(columns)
        events = 0
        while stream.try_next() is not None:
            events += 1
    return events


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each measurement.")] = 3,
    rows: Annotated[int, typer.Option(min=1_000, help="Bars in one series.")] = 50_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Measure storing bars and its peers on this machine."""
    results = Results()
    columns = bars(rows)
    taken: list[dict[str, Cost]] = []
    with Console(stderr=True).status("storing bars") as status, own_ground() as ground:
        for turn in range(rounds + 1):
            status.update(f"round {turn} of {rounds}")
            with ground.fresh() as connection:
                found = one_round(ground, connection, columns, turn)
                if turn:  # the first one warms caches and is left out
                    taken.append(found)
        with ground.fresh() as connection:
            events = change_events_of_a_replay(connection, bars(5_000))
    speeds = {
        name: results.add(f"{name}, {rows:,} bars", "rows/s", [rows / found[name].wall for found in taken])
        for name in taken[0]
    }
    for kind in ("fresh", "replay"):
        for other in ("bulk upsert", "lean upsert", "insert_many"):
            if f"{other} {kind}" in speeds:
                results.ratio(f"ours / {other}, {kind}", speeds[f"ours {kind}"], speeds[f"{other} {kind}"])
    for name in taken[0]:
        for side_name, part in (("client", "client"), ("server", "server")):
            values = [getattr(found[name], part) / rows * 1e6 for found in taken]
            results.add(f"{name}: {side_name}'s processor time", "µs/row", values)
    results.add("change events of a replay", "", [float(events)])
    show(results, "Storing bars", rounds=rounds, as_json=as_json)


if __name__ == "__main__":
    typer.run(main)
