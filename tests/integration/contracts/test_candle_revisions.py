"""Corrections of stored bars and the history of them, on a real server, also when the writer is killed."""

import asyncio
import signal
import subprocess
import sys
from datetime import datetime

import pytest

from quantbus_contracts.mongo.candle_reader import AsyncCandleReader, CandleReader
from quantbus_contracts.mongo.candle_revisions import AsyncRevisionReader, RevisionReader
from quantbus_contracts.mongo.candle_writer import AsyncCandleWriter, CandleWriter
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Candle, CandleReport, CandleRevision
from quantbus_contracts.testing import make_candle, make_candles
from quantbus_contracts.timeframe import Timeframe
from tests.fixtures.correcting_victim import FAR, MINUTE, SYMBOL, former, latter

pytestmark = pytest.mark.integration


def revisions(connection: Connection, timeframe: Timeframe = MINUTE) -> list[CandleRevision]:
    return RevisionReader(connection).revisions(SYMBOL, timeframe, *FAR)


def bars(connection: Connection, timeframe: Timeframe = MINUTE) -> list[Candle]:
    return CandleReader(connection).candles(SYMBOL, timeframe, *FAR)


def test_a_correction_keeps_what_stood_and_says_when_and_from_where(connection: Connection) -> None:
    writer = CandleWriter(connection)
    writer.write(make_candles(3))
    before = connection.server_now()
    corrected = make_candles(3)[1].model_copy(update={"close": 101.5, "source": "okx"})

    assert writer.write([corrected]) == CandleReport(updated=1)

    (revision,) = revisions(connection)
    assert (revision.open_time, revision.timeframe) == (corrected.open_time, "1m")
    assert revision.old.close == make_candles(3)[1].close
    assert (revision.new.close, revision.new.source, revision.old.source) == (101.5, "okx", "test")
    assert revision.old.ingested_at <= before <= revision.new.ingested_at <= connection.server_now()
    assert bars(connection)[1] == corrected


def test_only_what_differs_becomes_a_revision(connection: Connection) -> None:
    writer = CandleWriter(connection)
    candles = make_candles(50)
    writer.write(candles)

    assert writer.write(candles) == CandleReport(unchanged=50)
    other = [
        item.model_copy(update={"volume": 7.0}) if index % 5 == 0 else item
        for index, item in enumerate(candles)
    ]
    assert writer.write(other) == CandleReport(updated=10, unchanged=40)

    assert [item.open_time for item in revisions(connection)] == [item.open_time for item in other[::5]]


def test_a_value_that_comes_and_goes_leaves_every_step(connection: Connection) -> None:
    writer = CandleWriter(connection)
    for close in (100.0, 100.5, 100.0, 100.25):
        writer.write([make_candle(close=close)])

    steps = [(item.old.close, item.new.close) for item in revisions(connection)]
    assert steps == [(100.0, 100.5), (100.5, 100.0), (100.0, 100.25)]


def test_daily_bars_are_revised_too(connection: Connection) -> None:
    writer, day = CandleWriter(connection), Timeframe.parse("1d")
    midnight = datetime.fromisoformat("2026-01-05T00:00:00+00:00")
    for close in (100.0, 100.5):
        writer.write([make_candle(timeframe="1d", open_time=midnight, close=close)])

    (revision,) = revisions(connection, day)
    assert (revision.open_time, revision.new.close) == (midnight, 100.5)


async def test_services_correct_and_read_likewise(async_connection: AsyncConnection) -> None:
    writer = AsyncCandleWriter(async_connection)
    await writer.write(former(1_200))
    assert await writer.write(latter(1_200)) == CandleReport(updated=1_200)

    found = await AsyncRevisionReader(async_connection).revisions(SYMBOL, MINUTE, *FAR)
    assert len(found) == 1_200


async def test_writers_that_race_leave_an_unbroken_history(async_connection: AsyncConnection) -> None:
    writer = AsyncCandleWriter(async_connection)
    await writer.write(former(20))

    async def correct(step: int) -> CandleReport:
        return await writer.write(
            [item.model_copy(update={"close": item.close + step / 8}) for item in former(20)]
        )

    reports = await asyncio.gather(*(correct(step) for step in range(1, 7)))

    found = await AsyncRevisionReader(async_connection).revisions(SYMBOL, MINUTE, *FAR)
    assert len(found) == sum(report.updated for report in reports)
    final = {
        item.open_time: item.close
        for item in await AsyncCandleReader(async_connection).candles(SYMBOL, MINUTE, *FAR)
    }
    for bar in former(20):
        steps = [item for item in found if item.open_time == bar.open_time]
        # What each took over is what another left, but for the first and the last.
        taken = sorted([*(item.old.close for item in steps), final[bar.open_time]])
        assert taken == sorted([bar.close, *(item.new.close for item in steps)])


def _kill(settings: MongoSettings, call: int) -> str:
    assert settings.mongo_uri is not None
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fixtures.correcting_victim",
            settings.mongo_uri.get_secret_value(),
            settings.market_db,
            str(call),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = done.stdout.split()[-1] if done.stdout.split() else done.stderr
    assert done.returncode == (0 if last == "done" else -signal.SIGKILL), done.stderr
    return last


@pytest.mark.proof
@pytest.mark.timeout(120)
def test_a_writer_killed_at_any_point_leaves_bars_and_revisions_in_step(
    connection: Connection, mongo_settings: MongoSettings
) -> None:
    died_at = []
    call = 1
    while (last := _kill(mongo_settings, call)) != "done":
        died_at.append(last)
        corrected = [item for item, before in zip(bars(connection), former(), strict=True) if item != before]
        found = revisions(connection)
        assert [item.open_time for item in found] == [item.open_time for item in corrected]
        assert all(item.new.close == bar.close for item, bar in zip(found, corrected, strict=True))
        # What the dead one left undone is done by the next run, once and for all.
        again = CandleWriter(connection).write(latter())
        assert again.updated == len(latter()) - len(corrected)
        assert len(revisions(connection)) == len(latter())
        _forget(connection)
        call += 1
    assert {"begin", "insert_many", "bulk_write", "commit"} <= set(died_at)


def _forget(connection: Connection) -> None:
    for name in ("crypto_market_1m", "crypto_market_revisions"):
        connection.collection(name).delete_many({})
