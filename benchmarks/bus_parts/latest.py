"""The newest signal of 50, 200 and 1,000 pairs out of many rows, and how many index keys that takes."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pymongo.collection import Collection

from bus_parts.ground import START, STRATEGY, Ground, Results, percentile, seconds
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.signal_reader import SignalReader, newest_pipeline
from quantbus_contracts.timeframe import Timeframe

MINUTE = Timeframe.parse("1m")
PAIRS = [f"C{number}/USDT" for number in range(1_000)]


def document(pair: str, bar: int) -> dict[str, Any]:
    """Return a stored signal; made by hand, since a million are needed."""
    ts = START + timedelta(minutes=bar)
    return {
        "_id": uuid.uuid4().hex,
        "strategy_id": STRATEGY,
        "symbol": f"BINANCE:{pair.replace('/', '')}",
        "pair": pair,
        "timeframe": "1m",
        "ts": ts,
        "score": 0.5,
        "origin": "live",
        "valid_until": ts + timedelta(minutes=3),
        "valid_until_defaulted": True,
        "version": 1,
        "available_at": ts + timedelta(minutes=1),
        "published_by": "bench",
        "content_hash": "0" * 64,
        "batch_id": "bench",
        "history": [],
    }


def fill(connection: Connection, count: int, tick: Callable[[str], None]) -> None:
    """Insert ``count`` rows over a thousand pairs."""
    collection = connection.collection("crypto_signals")
    bars = count // len(PAIRS)
    for first in range(0, bars, 10):
        if first % 50 == 0:
            tick(f"latest: filling {first * len(PAIRS):,} of {count:,} rows")
        rows = [document(pair, bar) for bar in range(first, min(first + 10, bars)) for pair in PAIRS]
        collection.insert_many(rows, ordered=False)


def keys_examined(connection: Connection, pairs: list[str]) -> int:
    """Return how many index keys the server looks at for the newest signal of these pairs."""
    plan = connection.client[connection.settings.signals_db].command(
        "explain",
        {
            "aggregate": "crypto_signals",
            "pipeline": newest_pipeline(STRATEGY, MINUTE, pairs, None)[:3],
            "cursor": {},
        },
        verbosity="executionStats",
    )
    stages = plan.get("stages", [{"$cursor": plan}])
    return int(stages[0]["$cursor"]["executionStats"]["totalKeysExamined"])


def measure(
    ground: Ground, results: Results, *, rounds: int, count: int, tick: Callable[[str], None]
) -> None:
    """Time the one query of a consumer's loop, the server's share of it, and one query per pair beside it."""
    with ground.fresh() as connection:
        fill(connection, count, tick)
        reader = SignalReader(connection)
        collection = connection.collection("crypto_signals")
        for size in (50, 200, 1_000):
            tick(f"latest of {size} pairs")
            pairs = PAIRS[:size]
            pipeline = newest_pipeline(STRATEGY, MINUTE, pairs, None)
            assert len(reader.newest(STRATEGY, MINUTE, pairs).signals) == size
            # A fresh reader has to build every signal; the reader of a running consumer knows most of them.
            first = [
                seconds(lambda: SignalReader(connection).newest(STRATEGY, MINUTE, pairs))  # noqa: B023
                for _ in range(rounds * 8)
            ]
            ours = [seconds(lambda: reader.newest(STRATEGY, MINUTE, pairs)) for _ in range(rounds * 40)]  # noqa: B023
            server = [seconds(lambda: list(collection.aggregate(pipeline))) for _ in range(rounds * 8)]  # noqa: B023
            usual = [
                seconds(lambda: [newest_of(collection, pair) for pair in pairs])  # noqa: B023
                for _ in range(rounds)
            ]
            name = f"latest of {size:,} pairs in {count:,} rows"
            for share in (0.5, 0.99):
                results.add(f"{name}, again, p{share * 100:.0f}", "ms", [percentile(ours, share) * 1e3])
                results.add(f"{name}, first, p{share * 100:.0f}", "ms", [percentile(first, share) * 1e3])
            results.add(f"{name}, rows without models, p50", "ms", [percentile(server, 0.5) * 1e3])
            results.add(f"{name}, one query per pair, p50", "ms", [percentile(usual, 0.5) * 1e3])
            results.add(f"{name}: keys examined per pair", "", [keys_examined(connection, pairs) / size])


def newest_of(collection: "Collection[dict[str, Any]]", pair: str) -> object:
    """Ask for one pair's newest signal, as a program does that has one pair in mind."""
    query = {"strategy_id": STRATEGY, "timeframe": "1m", "pair": pair}
    return collection.find_one(query, sort=[("ts", -1)])
