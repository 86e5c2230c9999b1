"""The shard keys of the page on scaling, held against what the server really is asked: by its own profiler."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.bus import SignalBus
from quantbus_contracts.collections import COLLECTIONS, spec_of
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.frames import candle_frame
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.mongo.signal_sweep import SignalSweeper
from quantbus_contracts.ports import SweepPlace
from quantbus_contracts.schema import PublishRun
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe

pytestmark = pytest.mark.integration
PAGE = Path(__file__).resolve().parents[3] / "docs" / "scaling.md"
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE = Timeframe.parse("1m")
SYMBOL, PAIRS = "BINANCE:BTCUSDT", ("BTC/USDT", "ETH/USDT")
ROW = re.compile(r"^\| `(\w+)`.*?\| `\{ ([^}]+) \}` \|", re.MULTILINE)

Question = tuple[str, str, dict[str, Any]]
Work = Callable[[Connection], object]


def shard_keys() -> dict[str, tuple[str, ...]]:
    """Return the keys as the page names them."""
    found = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {name: tuple(part.split(":")[0] for part in key.split(", ")) for name, key in found}


@pytest.fixture
def profiled(connection: Connection) -> Iterator[Connection]:
    """A bus with a day's bars and signals, whose server writes down what it is asked."""
    write_bars(connection)
    publish(connection)
    databases = [connection.client[name] for name in connection.names.all().values()]
    for database in databases:
        database.command({"profile": 2})
    yield connection
    for database in databases:
        database.command({"profile": 0})
        database.drop_collection("system.profile")


def write_bars(connection: Connection) -> object:
    bars = [(NOON + timedelta(minutes=n), 1.5, 2.0, 0.5, 1.0 + n / 1000, float(n)) for n in range(60)]
    return CandleWriter(connection).write_bars(SYMBOL, MINUTE, "test", bars)


def publish(connection: Connection, score: float = 0.1) -> object:
    bus = SignalBus(connection, publisher="tester")
    bus.record_run(
        PublishRun(
            strategy_id="test",
            timeframe="1m",
            ts=NOON,
            evaluated_at=connection.server_now(),
            pairs_evaluated=2,
            signals=2,
        )
    )
    return bus.publish([make_signal(pair=pair, score=score) for pair in PAIRS])


WORK: dict[str, Work] = {
    "ingest bars again": write_bars,
    "read bars of a symbol": lambda bus: CandleReader(bus).candles(
        SYMBOL, MINUTE, NOON, NOON + timedelta(hours=1)
    ),
    "read the last bar": lambda bus: CandleReader(bus).last_open_time(SYMBOL, MINUTE),
    "read a frame": lambda bus: candle_frame(
        CandleReader(bus), [SYMBOL], MINUTE, NOON, NOON + timedelta(hours=1)
    ),
    "publish again": publish,
    "the bot's loop": lambda bus: SignalReader(bus).newest("test", MINUTE, PAIRS),
    "read a span of signals": lambda bus: SignalReader(bus).range(
        "test", MINUTE, PAIRS[0], NOON, NOON + timedelta(days=1)
    ),
    "the bot's sweep": lambda bus: SignalSweeper(bus).page("test", MINUTE, SweepPlace(NOON), limit=10),
    "the last run": lambda bus: SignalReader(bus).last_run("test", MINUTE),
}
BY_ID: dict[str, Work] = {
    "publish a revision": lambda bus: publish(bus, score=0.7),
    "explain one signal": lambda bus: SignalReader(bus).get(make_signal().signal_id),
}


def questions(connection: Connection, work: Work) -> list[Question]:
    """Return what was asked of each collection: its name, the operation, and the filter."""
    homes = {spec.name: connection.client[connection.names.of(spec.name)] for spec in COLLECTIONS}
    before = {home.name: home["system.profile"].count_documents({}) for home in homes.values()}
    work(connection)
    asked: list[Question] = []
    for home in {home.name: home for home in homes.values()}.values():
        for entry in home["system.profile"].find().skip(before[home.name]):
            name, command = entry["ns"].removeprefix(f"{home.name}."), entry.get("command", {})
            if name not in homes or entry["op"] in ("insert", "getmore"):
                continue
            stages = command.get("pipeline") or [{}]
            condition = command.get("filter", command.get("q", stages[0].get("$match", {})))
            asked.append((name, entry["op"], condition))
    return asked


def names_one_shard(condition: dict[str, Any], field: str) -> bool:
    """Tell whether the filter says which values of the first field of the key it is about."""
    parts = [condition, *condition.get("$and", ())]
    return any(
        not isinstance(part[field], dict) or {"$eq", "$in"} & set(part[field])
        for part in parts
        if field in part
    )


@pytest.mark.parametrize(("name", "key"), shard_keys().items())
def test_a_shard_key_begins_the_unique_key_so_that_the_database_still_keeps_it(
    name: str, key: tuple[str, ...]
) -> None:
    assert spec_of(name).key[: len(key)] == key


def test_what_is_asked_all_day_names_its_shard(profiled: Connection) -> None:
    keys = shard_keys()
    assert set(keys) == {"crypto_market_1m", "crypto_signals", "signals_audit"}
    seen: set[str] = set()
    for what, work in WORK.items():
        for name, _, condition in questions(profiled, work):
            if name in keys:
                seen.add(name)
                assert names_one_shard(condition, keys[name][0]), f"{what} asks every shard: {condition}"
    assert seen == set(keys)


def test_what_goes_by_id_asks_every_shard_as_the_page_says(profiled: Connection) -> None:
    field = shard_keys()["crypto_signals"][0]
    for what, work in BY_ID.items():
        asked = [condition for name, _, condition in questions(profiled, work) if name == "crypto_signals"]
        assert asked, what
        assert not any(names_one_shard(condition, field) for condition in asked), what


def test_what_is_upserted_by_id_is_not_to_be_sharded(profiled: Connection) -> None:
    upserted = {
        name
        for name, kind, condition in questions(profiled, publish)
        if kind == "update" and set(condition) == {"_id"}
    }
    assert upserted == {"publish_runs"}
    assert not upserted & set(shard_keys())
