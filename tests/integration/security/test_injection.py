"""A hostile value is a value: it reaches the database as one, or not at all, and never as an operator."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.mongo.api_keys import ApiKeyStore
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.controls import ControlStore
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.schema import Control, ControlKind
from quantbus_contracts.schema.api_key import ApiKey
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import make_candles, make_execution, make_signal
from quantbus_contracts.timeframe import Timeframe

pytestmark = pytest.mark.integration
MINUTE = Timeframe.parse("1m")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEY_ID = "0123456789ab"
HOSTILE: list[Any] = [
    {"$ne": None},
    {"$gt": ""},
    {"$exists": True},
    {"$regex": ".*"},
    {"$where": "true"},
    {"$in": ["test"]},
    {"$not": {"$eq": "x"}},
    {"$expr": {"$eq": [1, 1]}},
    ["test"],
    [{"$ne": None}],
    {"": ""},
    {"a.b": 1},
    "$strategy_id",
    "$$ROOT",
    "test\x00",
    {"$literal": "test"},
]


@pytest.fixture
def stocked(connection: Connection) -> Connection:
    signal = make_signal()
    SignalBus(connection).publish([signal])
    ExecutionWriter(connection).record([make_execution(signal)])
    InstrumentStore(connection).write([Instrument.from_pair("BINANCE", "BTC/USDT")])
    CandleWriter(connection).write(make_candles(2))
    key = ApiKey(key_id=KEY_ID, name="k", secret_hash="0" * 64, scopes=("read",), created_at=NOON)
    ApiKeyStore(connection).add(key)
    ControlStore(connection).put(
        Control(scope="all", source="operator", kind=ControlKind.HALT, reason="test", at=NOON, by="test")
    )
    return connection


READERS: dict[str, Callable[[Connection, Any], object]] = {
    "signal by id": lambda c, value: SignalReader(c).get(value),
    "newest of a strategy": lambda c, value: SignalReader(c).newest(value, MINUTE, ["BTC/USDT"]).signals,
    "newest of a pair": lambda c, value: SignalReader(c).newest("test", MINUTE, [value]).signals,
    "range of a strategy": lambda c, value: SignalReader(c).range(
        value, MINUTE, "BTC/USDT", NOON - DAY, NOON + DAY
    ),
    "range of a pair": lambda c, value: SignalReader(c).range("test", MINUTE, value, NOON - DAY, NOON + DAY),
    "runs": lambda c, value: SignalReader(c).runs(value, MINUTE, NOON - DAY, NOON + DAY),
    "ledger of a signal": lambda c, value: ExecutionReader(c).of_signal(value),
    "ledger of a consumer": lambda c, value: ExecutionReader(c).since(NOON - DAY, consumer_id=value),
    "instruments of a venue": lambda c, value: InstrumentStore(c).all(value),
    "key by id": lambda c, value: ApiKeyStore(c).get(value),
    "newest bar": lambda c, value: CandleReader(c).last_open_time(value, MINUTE),
    "bars": lambda c, value: CandleReader(c).candles(value, MINUTE, NOON - DAY, NOON + DAY),
    "control to lift": lambda c, value: ControlStore(c).lift(value, "operator", by="test"),
    "key to revoke": lambda c, value: ApiKeyStore(c).revoke(value),
}


@pytest.mark.parametrize("reader", READERS)
def test_readers_find_nothing_by_operators(stocked: Connection, reader: str) -> None:
    for value in HOSTILE:
        try:
            found = READERS[reader](stocked, value)
        except (QuantbusError, TypeError):
            continue
        assert not found, f"{value!r} found {found!r}"


def test_control_readers_find_what_is_there(stocked: Connection) -> None:
    signal = make_signal()
    ordinary = {
        "signal by id": signal.signal_id,
        "newest of a strategy": "test",
        "newest of a pair": "BTC/USDT",
        "range of a strategy": "test",
        "range of a pair": "BTC/USDT",
        "ledger of a signal": signal.signal_id,
        "ledger of a consumer": "bot",
        "instruments of a venue": "BINANCE",
        "key by id": KEY_ID,
        "newest bar": "BINANCE:BTCUSDT",
        "bars": "BINANCE:BTCUSDT",
        "control to lift": "all",
        "key to revoke": KEY_ID,
    }
    for reader, value in ordinary.items():
        assert READERS[reader](stocked, value), reader


@pytest.mark.parametrize(
    "field",
    [
        "strategy_id",
        "pair",
        "symbol",
        "timeframe",
        "ts",
        "action",
        "score",
        "weight",
        "valid_until",
        "origin",
    ],
)
def test_hostile_fields_of_rows_are_refused(stocked: Connection, field: str) -> None:
    ordinary = make_signal(ts=NOON + timedelta(minutes=1)).model_dump(mode="python", exclude_none=True)
    for value in HOSTILE:
        if field in ("score", "weight") and isinstance(value, str):
            continue
        report = SignalBus(stocked).publish([{**ordinary, field: value}])
        assert (report.inserted, report.revised, report.rejected) == (0, 0, 1), f"{field}: {value!r}"


def test_text_that_looks_like_an_operator_stays_text(stocked: Connection) -> None:
    bus = SignalBus(stocked)
    for note in ("$version", "$$NOW", "$$ROOT", '{"$ne": null}', "$strategy_id", "{{", "a.b.$c"):
        signal = make_signal(ts=NOON + timedelta(minutes=2), note=note, score=len(note) / 100)
        report = bus.publish([signal])
        assert report.inserted + report.revised == 1
        stored = SignalReader(stocked).get(signal.signal_id)
        assert stored is not None
        assert stored.signal.note == note


def test_keys_of_rows_are_not_taken_for_paths_or_operators(stocked: Connection) -> None:
    ordinary = make_signal(ts=NOON + timedelta(minutes=3)).model_dump(mode="python", exclude_none=True)
    for key in (
        "$set",
        "$where",
        "history.0.version",
        "a.b",
        "_id",
        "version",
        "available_at",
        "__proto__",
        "\x00",
    ):
        report = SignalBus(stocked).publish([{**ordinary, key: 1}])
        assert report.rejected == 1, key


def test_expected_versions_are_numbers(stocked: Connection) -> None:
    signal = make_signal(action="exit_long")
    for value in HOSTILE:
        try:
            report = SignalBus(stocked).publish(
                [signal], expected_versions=cast("Any", {signal.signal_id: value})
            )
        except (QuantbusError, TypeError):
            continue
        assert report.revised == 0, f"{value!r}"
