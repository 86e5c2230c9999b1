"""Gaps on a real MongoDB: found by index alone, kept in the ledger, repaired from a real venue's answers."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.errors import ConfigError, UnknownInstrument
from quantbus_contracts.mongo.candle_reader import CandleReader, range_query
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.frames import candle_frame
from quantbus_contracts.mongo.gap_flags import with_gap_flags
from quantbus_contracts.mongo.gaps import AsyncGapStore, GapStore
from quantbus_contracts.mongo.holes import AsyncHoleFinder, Hole, HoleFinder, missing_runs
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Disagreement, DisagreementKind, Gap, GapState
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import make_candle
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.gaps.main import GapQuery, SeriesGaps, run_gaps
from quantbus_services.ingestion.settings import IngestionSettings
from tests.integration.ingestion.running import ingest
from tests.integration.ingestion.scripted import Scripted, json_answer, scripted_exchange

pytestmark = pytest.mark.integration

BTC = "BINANCE:BTCUSDT"
MINUTE, DAY = Timeframe.parse("1m"), Timeframe.parse("1d")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def store(connection: Connection, minutes: list[int], timeframe: Timeframe = MINUTE) -> None:
    CandleWriter(connection).write(
        [
            make_candle(
                symbol=BTC,
                timeframe=timeframe.name,
                open_time=timeframe.floor(NOON) + minute * timeframe.delta,
            )
            for minute in minutes
        ]
    )


@pytest.mark.parametrize("timeframe", [MINUTE, DAY], ids=str)
def test_holes_are_those_that_reading_every_key_shows(connection: Connection, timeframe: Timeframe) -> None:
    chance = random.Random(7)  # noqa: S311  # a seed is the point
    begin = timeframe.floor(NOON)
    gone = {number for number in range(1, 11_999) if chance.random() < 0.002} | set(range(6_000, 6_400))
    store(connection, [number for number in range(12_000) if number not in gone], timeframe)
    finder = HoleFinder(connection)
    for first, last in ((0, 12_000), (-500, 20_000), (5_999, 6_399), (6_100, 6_200), (3, 4)):
        start, end = begin + first * timeframe.delta, begin + last * timeframe.delta
        times = CandleReader(connection).open_times(BTC, timeframe, start, end)
        low, high = max(start, begin), min(end, begin + 12_000 * timeframe.delta)
        assert finder.holes(BTC, timeframe, start, end) == missing_runs(times, low, high, timeframe)
    assert finder.symbols(timeframe) == [BTC]


def test_bounds_inside_a_bar_belong_to_the_next_one(connection: Connection) -> None:
    store(connection, [0, 1, 5])
    finder = HoleFinder(connection)
    second = timedelta(seconds=1)
    assert finder.holes(BTC, MINUTE, at(2) + second, at(4) + second) == [Hole(at(3), at(5))]


async def test_no_document_is_fetched_to_find_a_hole(
    connection: Connection, async_connection: AsyncConnection
) -> None:
    store(connection, [0, 1, 5])
    assert await AsyncHoleFinder(async_connection).holes(BTC, MINUTE, at(-9), at(9)) == [Hole(at(2), at(5))]
    command = {
        "aggregate": candle_collection(MINUTE),
        "pipeline": [{"$match": range_query(BTC, MINUTE, at(0), at(9))}, {"$count": "bars"}],
        "cursor": {},
    }
    database = connection.client[connection.names.of(candle_collection(MINUTE))]
    told = database.command("explain", command, verbosity="executionStats")
    stats = told.get("executionStats") or told["stages"][0]["$cursor"]["executionStats"]
    assert stats["totalDocsExamined"] == 0


async def test_the_ledger_keeps_one_row_for_each_start(
    connection: Connection, async_connection: AsyncConnection
) -> None:
    gap = Gap(symbol=BTC, timeframe="1m", start=at(2), end=at(5), first_seen=at(9), source="test")
    kept = GapStore(connection)
    assert kept.put([gap]) == 1
    emptied = gap.model_copy(update={"state": GapState.EMPTY, "note": "nothing there", "last_attempt": at(9)})
    assert kept.put([emptied]) == 0
    twin = AsyncGapStore(async_connection)
    assert await twin.find(BTC, MINUTE, at(4), at(9)) == [emptied]
    assert await twin.find(BTC, MINUTE, at(5), at(9)) == []
    assert kept.find(states={GapState.OPEN}) == []


def test_disagreements_are_kept_once(connection: Connection) -> None:
    found = Disagreement(
        symbol=BTC,
        timeframe="1m",
        open_time=at(0),
        kind=DisagreementKind.CLOSE,
        source="binance",
        other_source="fallback:OKX:BTCUSDT",
        close=1.0,
        other_close=2.0,
        volume=0.0,
        other_volume=3.0,
        seen_at=at(9),
    )
    kept = GapStore(connection)
    assert [kept.record([found]), kept.record([found])] == [1, 0]
    assert kept.disagreements(BTC) == [found]


def test_a_reader_can_ask_for_flags(connection: Connection) -> None:
    store(connection, [0, 1, 5, 6, 7])
    known = Gap(
        symbol=BTC, timeframe="1m", start=at(2), end=at(5), state=GapState.EMPTY, first_seen=at(9), source="t"
    )
    GapStore(connection).put([known])
    frame = candle_frame(CandleReader(connection), [BTC], MINUTE, at(0), at(9))
    flagged = with_gap_flags(frame, GapStore(connection), MINUTE, lookback_bars=2)
    assert list(flagged["gap"]) == ["none", "none", "empty", "none", "none"]
    later = candle_frame(CandleReader(connection), [BTC], MINUTE, at(5), at(9))
    assert list(with_gap_flags(later, GapStore(connection), MINUTE, lookback_bars=2)["gap"]) == [
        "empty",
        "none",
        "none",
    ]


def row_of(minute: int) -> list[object]:
    return [int(at(minute).timestamp() * 1000), "100", "110", "90", "100", "5", 0, "0", 0, "0", "0", "0"]


def answer(script: Scripted, minutes: list[int]) -> None:
    script.answers["/api/v3/klines"] = [json_answer([row_of(minute) for minute in minutes])]
    script.answers["/api/v3/time"] = [json_answer({"serverTime": int(at(600).timestamp() * 1000)})]


def found_by(query: GapQuery, mongo: MongoSettings) -> list[SeriesGaps]:
    return asyncio.run(run_gaps(query, IngestionSettings(), mongo, on_progress=lambda *_: None))


def test_gaps_are_listed_and_repaired_or_confirmed_at_the_command_line(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    store(connection, [*range(5), *range(8, 10), *range(12, 20)])
    InstrumentStore(connection).write([Instrument.from_pair("BINANCE", "BTC/USDT")])
    (listed,) = found_by(GapQuery(["BTC/USDT"], ["1m"]), mongo_settings)
    assert [(gap.start, gap.bars, gap.state.value) for gap in listed.gaps] == [
        (at(5), 3, "open"),
        (at(10), 2, "open"),
    ]
    with scripted_exchange() as script:
        answer(script, [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14])
        repaired = ingest(mongo_settings, tmp_path, "gaps", "--repair", "--venue-url", script.url, "--json")
    assert repaired.returncode == 1, repaired.stderr
    (series,) = json.loads(repaired.stdout)["series"]
    assert [(gap["bars"], gap["state"], gap["confirmations"]) for gap in series["gaps"]] == [
        (3, "repaired", 0),
        (2, "retrying", 1),
    ]
    assert {gap["note"] for gap in series["gaps"]} == {None, "binance answers around it"}


def test_what_is_not_on_the_bus_is_said(connection: Connection, mongo_settings: MongoSettings) -> None:
    with pytest.raises(ConfigError, match="found none"):
        found_by(GapQuery(), mongo_settings)
    store(connection, [0, 1, 2])
    (whole,) = found_by(GapQuery(), mongo_settings)
    assert whole.gaps == ()
    with pytest.raises(UnknownInstrument, match="BTCUSTD"):
        found_by(GapQuery(["BINANCE:BTCUSTD"]), mongo_settings)
    with pytest.raises(ConfigError, match="--since before --until"):
        found_by(GapQuery(since="2026-01-02", until="2026-01-01"), mongo_settings)


def test_health_of_the_bus_tells_by_its_exit_code(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    store(connection, list(range(20)))
    page = tmp_path / "health.html"
    good = ingest(
        mongo_settings, tmp_path, "health", "--until", at(20).isoformat(), "--html", str(page), "--json"
    )
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["tradable"] is True
    assert "may be traded on" in page.read_text(encoding="utf-8")
    stale = ingest(mongo_settings, tmp_path, "health")
    assert (stale.returncode, "did not come" in " ".join(stale.stdout.replace("│", " ").split())) == (1, True)
