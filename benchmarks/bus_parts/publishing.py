"""Publishing 10,000 signals: fresh and again, beside bulk upserts and a plain insert; what dominates.

*Bulk upsert* stores what we store (a clock among it) in a collection with our indexes and our validator: the usual
way to have the same data. *Revising upsert* is what one would write to have the same meaning from single upserts:
equal content is left alone, other content becomes the next version with the former kept. *Lean upsert* has the
unique key only and stores the signal without a clock. None of them keeps an audit or a registry, as publishing does.
"""

import cProfile
import io
import pstats
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern

from bus_parts.ground import Cost, Figure, Ground, Results, cost_of, signals
from quantbus_contracts import SignalBus
from quantbus_contracts.collections import spec_of
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.schema import Signal

SAFE = WriteConcern(w="majority", j=True)
KEY = ("strategy_id", "pair", "timeframe", "ts")
PAIRS = 50


def plain(rows: list[Signal]) -> list[dict[str, Any]]:
    """Return rows as a program without a bus would hold them."""
    return [row.model_dump(exclude_none=True) for row in rows]


def side_collection(
    connection: Connection, name: str, *, unique: bool = True, like_ours: bool = False
) -> "Collection[dict[str, Any]]":
    """Return an empty collection: bare, with the unique key, or with our indexes and our validator too."""
    database = connection.client[connection.settings.signals_db]
    spec = spec_of("crypto_signals")
    made = database.create_collection(name, validator=spec.validator if like_ours else {})
    for index in spec.indexes:
        if (index.unique and unique) or like_ours:
            made.create_index(list(index.fields), unique=index.unique)
    return made.with_options(write_concern=SAFE)


def stored_like_ours(row: Signal) -> dict[str, Any]:
    """Return a row with all that a consumer needs to know of it, as our validator asks for."""
    return {
        **row.model_dump(exclude_none=True),
        "valid_until": row.ts + timedelta(minutes=3),
        "valid_until_defaulted": True,
        "version": 1,
        "available_at": datetime.now(UTC),
        "published_by": "bench",
        "content_hash": "0" * 64,
        "batch_id": "bench",
        "history": [],
    }


def named(row: Signal) -> dict[str, Any]:
    """Return a row as we store it, under its own id and content hash."""
    return {"_id": row.signal_id, **stored_like_ours(row), "content_hash": row.content_hash}


def bulk_upsert(collection: "Collection[dict[str, Any]]", documents: list[dict[str, Any]]) -> None:
    """Write as most programs do: one upsert per row."""
    requests = [UpdateOne({name: row[name] for name in KEY}, {"$set": row}, upsert=True) for row in documents]
    collection.bulk_write(requests, ordered=False)


def revising_upsert(collection: "Collection[dict[str, Any]]", documents: list[dict[str, Any]]) -> None:
    """Write so that equal content changes nothing and other content becomes the next version, one upsert per row."""
    requests = [
        UpdateOne({"_id": row["_id"]}, [{"$replaceWith": revised(row)}], upsert=True) for row in documents
    ]
    collection.bulk_write(requests, ordered=False)


def revised(row: dict[str, Any]) -> dict[str, Any]:
    """Return the expression for what a row becomes: itself where the content is equal, else the next version."""
    content = {
        name: value for name, value in row.items() if name not in ("available_at", "version", "history")
    }
    former = {name: f"${name}" for name in row if name not in ("_id", "history", *KEY)}
    is_new = {"$eq": [{"$type": "$version"}, "missing"]}
    history = {"$cond": [is_new, [], {"$concatArrays": ["$history", [former]]}]}
    set_now = {
        "version": {"$add": [{"$ifNull": ["$version", 0]}, 1]},
        "available_at": "$$NOW",
        "history": history,
    }
    return {
        "$cond": [
            {"$eq": ["$content_hash", row["content_hash"]]},
            "$$ROOT",
            {"$mergeObjects": [{"$literal": content}, set_now]},
        ]
    }


def one_round(ground: Ground, connection: Connection, rows: list[Signal], turn: int) -> dict[str, Cost]:
    """Measure every way once, on collections of its own; the order changes from round to round."""
    documents = plain(rows)
    bus = SignalBus(connection, publisher="bench")
    usual = side_collection(connection, "usual", like_ours=True)
    revising = side_collection(connection, "revising", like_ours=True)
    lean = side_collection(connection, "lean")
    raw = side_collection(connection, "raw", unique=False)
    ways: dict[str, Callable[[], object]] = {
        "publish": lambda: bus.publish(rows),
        "bulk upsert": lambda: bulk_upsert(usual, [stored_like_ours(row) for row in rows]),
        "revising upsert": lambda: revising_upsert(revising, [named(row) for row in rows]),
        "lean upsert": lambda: bulk_upsert(lean, documents),
        "insert_many": lambda: raw.insert_many([dict(row) for row in documents], ordered=False),
    }
    names = list(ways)
    order = names[turn % len(names) :] + names[: turn % len(names)]
    taken = {f"{name} fresh": cost_of(ground, ways[name]) for name in order}
    for name in [name for name in order if name != "insert_many"]:
        taken[f"{name} replay"] = cost_of(ground, ways[name])
    taken["publish mappings replay"] = cost_of(ground, lambda: bus.publish(documents))
    assert bus.publish(rows).unchanged == len(rows)
    return taken


def change_events_of_a_replay(connection: Connection, rows: list[Signal]) -> int:
    """Count the events that publishing the same again raises."""
    bus = SignalBus(connection, publisher="bench")
    bus.publish(rows)
    with connection.collection("crypto_signals").watch(max_await_time_ms=500) as stream:
        bus.publish(rows)
        events = 0
        while stream.try_next() is not None:
            events += 1
    return events


def measure(
    ground: Ground, results: Results, *, rounds: int, count: int, tick: Callable[[str], None]
) -> None:
    """Measure all ways in ``rounds`` rounds and relate them."""
    rows = signals(count, PAIRS)
    taken: list[dict[str, Cost]] = []
    for turn in range(rounds + 1):
        tick(f"publish {count:,}, round {turn} of {rounds}")
        with ground.fresh() as connection:
            found = one_round(ground, connection, rows, turn)
            if turn:  # the first one warms caches and is left out
                taken.append(found)
    figures = {
        name: results.add(f"{name}, {count:,} rows", "rows/s", [count / row[name].wall for row in taken])
        for name in taken[0]
    }
    relate(results, figures, "")
    costs = {
        name: results.add(
            f"{name}: processor time, client and server",
            "µs/row",
            [(row[name].client + row[name].server) / count * 1e6 for row in taken],
        )
        for name in taken[0]
    }
    relate(results, costs, "processor time: ", inverse=True)
    for name in ("publish fresh", "publish replay"):
        share = [row[name].server / (row[name].client + row[name].server) for row in taken]
        results.add(f"{name}: the server's share of the processor time", "", share)
    with ground.fresh() as connection:
        results.add(
            "change events of a replay", "", [float(change_events_of_a_replay(connection, rows[:2_000]))]
        )


def relate(results: Results, figures: dict[str, Figure], what: str, *, inverse: bool = False) -> None:
    """Keep how many times better publishing is; ``inverse`` where less is better."""
    for kind in ("fresh", "replay"):
        for other in ("bulk upsert", "revising upsert", "lean upsert", "insert_many"):
            if f"{other} {kind}" in figures:
                ours, theirs = figures[f"publish {kind}"], figures[f"{other} {kind}"]
                name = f"{what}publish against {other}, {kind}"
                results.ratio(name, *((theirs, ours) if inverse else (ours, theirs)))


def profile(ground: Ground, *, count: int) -> str:
    """Return what a fresh publish and its replay spend their time on, by our own functions and the driver's."""
    rows = signals(count, PAIRS)
    told = []
    with ground.fresh() as connection:
        bus = SignalBus(connection, publisher="bench")
        for kind in ("fresh", "replay"):
            profiler = cProfile.Profile()
            profiler.runcall(bus.publish, rows)
            text = io.StringIO()
            pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(14)
            told.append(f"--- {kind}, {count:,} rows\n{text.getvalue()}")
    sys.stdout.flush()
    return "\n".join(told)
