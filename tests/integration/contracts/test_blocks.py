"""Sealed blocks: what is read through them is what the rows say, whatever happens meanwhile."""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantbus_contracts.bar_arrays import FIELDS, BarArrays
from quantbus_contracts.mongo.bar_reader import read_bars, read_rows
from quantbus_contracts.mongo.bars import Bar
from quantbus_contracts.mongo.block_codec import pack
from quantbus_contracts.mongo.block_sealer import AsyncBlockSealer, BlockSealer
from quantbus_contracts.mongo.block_spans import SETTLING
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.timeframe import Timeframe

pytestmark = pytest.mark.integration
_numbers = itertools.count()
MINUTE, HOUR, DAY = (Timeframe.parse(name) for name in ("1m", "1h", "1d"))
START = datetime(2024, 3, 1, tzinfo=UTC)
FAR = datetime(2030, 1, 1, tzinfo=UTC)


def bars(
    count: int, timeframe: Timeframe = MINUTE, *, start: datetime = START, close: float = 2.0
) -> list[Bar]:
    return [
        (start + at * timeframe.delta, 1.0 + at / 8, 9e5, 0.25, close, at % 7 / 10) for at in range(count)
    ]


def next_symbol() -> str:
    """Return a symbol behind all before: the index would walk over what tests before have deleted."""
    return f"BINANCE:C{next(_numbers):05}USDT"


@dataclass
class Market:
    connection: Connection
    symbol: str = field(default_factory=next_symbol)

    def write(self, found: Sequence[Bar], timeframe: Timeframe = MINUTE) -> None:
        CandleWriter(self.connection).write_bars(self.symbol, timeframe, "test", found)

    def seal(self, timeframe: Timeframe = MINUTE, *, check: bool = False) -> Any:
        return BlockSealer(self.connection).seal(self.symbol, timeframe, check=check)

    def read(
        self,
        timeframe: Timeframe = MINUTE,
        *,
        blocks: bool = True,
        start: datetime = START,
        end: datetime = FAR,
    ) -> BarArrays:
        way = read_bars if blocks else read_rows
        return self.connection.run(way([self.symbol], timeframe, start, end, FIELDS))[self.symbol]

    @property
    def blocks(self) -> Any:
        return self.connection.collection("crypto_blocks")

    def sealed_days(self) -> list[str]:
        return [row["day"] for row in self.blocks.find({"sealed": True}, sort=[("day", 1)])]


@pytest.fixture
def market(connection: Connection) -> Market:
    return Market(connection)


def same(one: BarArrays, other: BarArrays) -> bool:
    return np.array_equal(one.open_times_ms, other.open_times_ms) and all(
        one.columns[name].tobytes() == other.columns[name].tobytes() for name in FIELDS
    )


def hide_rows(market: Market, timeframe: Timeframe = MINUTE) -> None:
    """Remove the rows behind everybody's back, so that only blocks can answer."""
    name = "crypto_market" if timeframe.is_daily else f"crypto_market_{timeframe.name}"
    market.connection.collection(name).delete_many({})


def test_a_whole_past_day_is_sealed_and_read_from_its_block(market: Market) -> None:
    market.write(bars(2 * 1440 + 30))
    report = market.seal()
    assert (report.sealed, report.standing, report.empty) == (3, 0, 0)
    rows = market.read(blocks=False)
    hide_rows(market)
    assert same(market.read(), rows)


def test_sealing_again_changes_nothing(market: Market) -> None:
    market.write(bars(1440))
    market.seal()
    before = list(market.blocks.find())
    report = market.seal(check=True)
    assert (report.sealed, report.standing, report.damaged) == (0, 1, ())
    assert list(market.blocks.find()) == before


@pytest.mark.parametrize("timeframe", [MINUTE, HOUR, DAY], ids=str)
def test_a_day_that_is_not_over_and_settled_is_not_sealed(market: Market, timeframe: Timeframe) -> None:
    now = market.connection.server_now()
    newest = timeframe.last_closed(now)
    market.write([(newest, 1.0, 2.0, 0.5, 1.5, 1.0)], timeframe)
    if timeframe.close_of(newest) + SETTLING > now or timeframe is not MINUTE:
        assert market.seal(timeframe).sealed == 0
        assert market.sealed_days() == []
    assert len(market.read(timeframe, end=FAR + timedelta(days=9_000))) == 1


def test_a_correction_opens_the_block_of_its_day_alone(market: Market) -> None:
    market.write(bars(3 * 1440))
    market.seal()
    moment = START + timedelta(days=1, minutes=5)
    market.write([(moment, 1.0, 9e5, 0.25, 7.5, 1.0)])
    assert market.sealed_days() == ["20240301", "20240303"]
    found = market.read()
    assert found.columns["close"][1440 + 5] == 7.5
    assert same(found, market.read(blocks=False))
    assert market.seal().sealed == 1
    hide_rows(market)
    assert same(market.read(), found)


def test_a_bar_that_comes_late_opens_the_block_of_its_day(market: Market) -> None:
    everything = bars(1440)
    market.write(everything[:700] + everything[701:])
    assert market.seal().sealed == 1
    assert len(market.read()) == 1439
    market.write(everything)
    assert market.sealed_days() == []
    assert same(market.read(), market.read(blocks=False))
    assert len(market.read()) == 1440


def test_writing_the_same_again_leaves_blocks_sealed(market: Market) -> None:
    market.write(bars(1440))
    market.seal()
    market.write(bars(1440))
    assert market.sealed_days() == ["20240301"]


def _meet(market: Market, monkeypatch: pytest.MonkeyPatch, write: Callable[[], None]) -> Any:
    """Seal while ``write`` happens between the sealer's reading of the rows and its writing of the block."""
    entered = threading.Event()

    def slow(*args: Any) -> Any:
        if not entered.is_set():
            entered.set()
            write()
        return pack(*args)

    monkeypatch.setattr("quantbus_contracts.mongo.block_sealer.pack", slow)
    report = market.seal()
    assert entered.is_set()
    return report


@pytest.mark.parametrize("sealed_before", [False, True])
def test_a_correction_that_races_a_seal_is_never_hidden_by_the_block(
    market: Market, monkeypatch: pytest.MonkeyPatch, sealed_before: bool
) -> None:
    day = bars(1440)
    market.write(day)
    if sealed_before:
        market.seal()
        market.write([(day[9][0], 1.0, 9e5, 0.25, 3.0, 0.0)])
    report = _meet(market, monkeypatch, lambda: market.write([(day[5][0], 1.0, 9e5, 0.25, 7.5, 0.0)]))
    assert report.sealed == 1
    assert market.read().columns["close"][5] == 7.5
    assert same(market.read(), market.read(blocks=False))


def test_a_bar_that_is_inserted_while_its_day_is_sealed_is_never_hidden(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = bars(1440)
    market.write(day[:1439])
    _meet(market, monkeypatch, lambda: market.write([day[1439]]))
    assert len(market.read()) == 1440
    assert same(market.read(), market.read(blocks=False))


def test_a_block_without_any_document_before_is_not_made_over_a_racing_first_write(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = bars(1440)
    market.write(day[:10])
    market.blocks.delete_many({})  # as in a database that is older than its blocks
    _meet(market, monkeypatch, lambda: market.write(day))
    assert len(market.read()) == 1440


def test_readers_sealers_and_correctors_at_once_never_see_an_old_value_after_a_new_one(
    market: Market,
) -> None:
    market.write(bars(1440, close=1.0))
    newest, done = [1.0], threading.Event()
    troubles: list[str] = []

    def correct() -> None:
        try:
            for value in range(2, 40):
                market.write([(START + timedelta(minutes=3), 1.0, 9e5, 0.25, float(value), 0.0)])
                newest[0] = float(value)
        finally:
            done.set()

    def seal() -> None:
        while not done.is_set():
            market.seal()

    def read() -> None:
        while not done.is_set():
            least = newest[0]
            seen = float(market.read().columns["close"][3])
            if seen < least:
                troubles.append(f"read {seen} after {least} was stored")

    threads = [threading.Thread(target=work) for work in (correct, seal, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert newest == [39.0]
    assert not troubles
    market.seal()
    assert market.sealed_days() == ["20240301"]
    assert market.read().columns["close"][3] == 39.0


@pytest.mark.parametrize("column", ["close", "times"])
@pytest.mark.parametrize("harm", ["flip", "cut", "swap", "gone"])
def test_a_damaged_block_is_passed_over_told_and_mended(
    market: Market, column: str, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    market.write(bars(2000)[::2])
    market.seal()
    rows = market.read(blocks=False)
    stored = market.blocks.find_one({"day": "20240301"})
    held = bytearray(stored[column])
    held[len(held) // 2] ^= 1
    other = bytes(market.blocks.find_one({"day": "20240302"})[column])
    harmed = {"flip": bytes(held), "cut": bytes(held[:-9]), "swap": other, "gone": None}[harm]
    change = {"$set": {column: harmed}} if harmed is not None else {"$unset": {column: ""}}
    market.blocks.update_one({"_id": stored["_id"]}, change)
    assert same(market.read(), rows)
    assert f"{market.symbol}|1m|20240301" in caplog.text
    report = market.seal(check=True)
    assert (report.damaged, report.sealed, report.standing) == (("20240301",), 1, 1)
    caplog.clear()
    assert same(market.read(), rows)
    assert caplog.text == ""


def test_a_check_finds_a_block_that_is_sound_but_not_what_its_rows_are(market: Market) -> None:
    market.write(bars(1440))
    market.seal()
    rows = market.connection.collection("crypto_market_1m")
    rows.update_one({"datetime": START}, {"$set": {"close": 5.0}})  # past all writers
    assert market.seal(check=True).damaged == ("20240301",)
    assert market.read().columns["close"][0] == 5.0
    rows.delete_many({"datetime": {"$gte": START + timedelta(minutes=1)}})
    assert market.seal(check=True).damaged == ("20240301",)
    assert len(market.read()) == 1


def test_blocks_of_coarser_bars_hold_more_days(market: Market) -> None:
    market.write(bars(400, DAY, start=datetime(2023, 1, 5, tzinfo=UTC)), DAY)
    assert market.seal(DAY).sealed == 14
    assert same(
        market.read(DAY, start=START - timedelta(days=900)),
        market.read(DAY, blocks=False, start=START - timedelta(days=900)),
    )


values = st.floats(1e-8, 1e9).map(float)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.integers(0, 3 * 1440 - 1), st.tuples(values, values), min_size=1, max_size=60),
    st.dictionaries(st.integers(0, 3 * 1440 - 1), st.tuples(values, values), max_size=10),
    st.integers(-100, 4 * 1440),
    st.integers(0, 4 * 1440),
)
def test_blocks_equal_rows_bit_for_bit(
    market: Market, first: Any, second: Any, begin: int, length: int
) -> None:
    market.symbol = next_symbol()

    def write(found: Any) -> None:
        market.write(
            [
                (START + timedelta(minutes=at), low, 2 * low, low, low, volume)
                for at, (low, volume) in sorted(found.items())
            ]
        )

    start = START + timedelta(minutes=begin)

    def agree() -> bool:
        found = [
            market.read(start=start, end=start + timedelta(minutes=length), blocks=way)
            for way in (True, False)
        ]
        return same(*found)

    write(first)
    market.seal()
    assert agree()
    if second:
        write(second)
        assert agree()
        market.seal()
        assert agree()
        assert market.seal(check=True).damaged == ()


async def test_asynchronous_sealing_and_reading_give_the_same(
    market: Market, async_connection: AsyncConnection
) -> None:
    market.write(bars(1500))
    report = await AsyncBlockSealer(async_connection).seal(market.symbol, MINUTE)
    assert report.sealed == 2
    found = await async_connection.run(read_bars([market.symbol, "OKX:X"], MINUTE, START, FAR, FIELDS))
    assert same(found[market.symbol], market.read(blocks=False))
    assert len(found["OKX:X"]) == 0
