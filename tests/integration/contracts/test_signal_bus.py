"""Publishing against the real server: races, refusals, evidence."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.errors import WriteError

from quantbus_contracts import SignalBus
from quantbus_contracts.bus import AsyncSignalBus
from quantbus_contracts.mongo.client import AsyncConnection, Connection, connect
from quantbus_contracts.mongo.revisions import MOST_REVISIONS
from quantbus_contracts.mongo.signal_reader import AsyncSignalReader, SignalReader
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe

pytestmark = pytest.mark.integration
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE = Timeframe.parse("1m")


def signals_of(connection: Connection) -> Any:
    return connection.client[connection.names.of("crypto_signals")]["crypto_signals"]


@pytest.mark.parametrize("publishers", [2, 4, 8])
def test_racing_publishers_leave_one_document_per_key_with_a_complete_history(
    mongo_settings: MongoSettings, publishers: int
) -> None:
    keys, rounds = 5, 6

    def publish(number: int) -> int:
        connection = connect(mongo_settings, app=f"racer{number}", timeout_seconds=60)
        bus = SignalBus(connection, publisher=f"racer{number}")
        written = 0
        for turn in range(rounds):
            rows = [
                make_signal(ts=NOON + timedelta(minutes=key), score=(number * rounds + turn) / 100)
                for key in range(keys)
            ]
            report = bus.publish(rows)
            assert report.ok, report
            written += report.inserted + report.revised
        connection.close()
        return written

    with ThreadPoolExecutor(publishers) as pool:
        written = sum(pool.map(publish, range(publishers)))
    assert written == publishers * rounds * keys, "every content was new, so each write counts once"
    connection = connect(mongo_settings, app="check")
    found = SignalReader(connection).range("test", MINUTE, "BTC/USDT", NOON, NOON + timedelta(hours=1))
    assert len(found) == keys
    for item in found:
        versions = [*(revision.version for revision in item.history), item.version]
        assert versions == list(range(1, publishers * rounds + 1))
        scores = {revision.signal.score for revision in item.history} | {item.signal.score}
        assert len(scores) == publishers * rounds, "no revision is lost, none stands twice"
        moments = [*(revision.available_at for revision in item.history), item.available_at]
        assert moments == sorted(moments)
    connection.close()


def test_a_bad_row_is_kept_with_its_reason_and_takes_no_good_row_with_it(connection: Connection) -> None:
    good = make_signal().model_dump(exclude_none=True)
    report = SignalBus(connection, publisher="tester").publish(
        [
            good,
            good | {"ts": "yesterday"},
            good | {"pair": "ETHUSDT"},
            {"$where": "1"},
            7,  # type: ignore[list-item]
            good | {"score": float("nan")},
        ]
    )
    assert (report.inserted, [item.row for item in report.rejections]) == (1, [1, 2, 3, 4, 5])
    assert [item.field for item in report.rejections][:2] == ["ts", "pair"]
    kept = connection.client[connection.names.of("crypto_signals_rejected")]["crypto_signals_rejected"]
    rows = list(kept.find({}, {"_id": 0}))
    assert [row["reason"] for row in rows] == [item.reason for item in report.rejections]
    assert {row["published_by"] for row in rows} == {"tester"}


def test_publishing_again_writes_nothing_at_all(connection: Connection) -> None:
    bus = SignalBus(connection, publisher="tester")
    rows = [make_signal(ts=NOON + timedelta(minutes=index)) for index in range(50)]
    bus.publish(rows)
    with signals_of(connection).watch() as stream:
        assert bus.publish(rows).unchanged == 50
        bus.publish([make_signal(ts=NOON + timedelta(minutes=99))])
        change = next(stream)
    assert change["fullDocument"]["ts"] == NOON + timedelta(minutes=99), "the replay raised no change event"


def test_dollar_signs_in_text_stay_text(connection: Connection) -> None:
    bus = SignalBus(connection, publisher="$$NOW")
    bus.publish([make_signal(note="$version", score=0.1)])
    bus.publish([make_signal(note="$$ROOT", source="$strategy_id", score=0.2)])
    found = SignalReader(connection).get(make_signal().signal_id)
    assert found is not None
    assert (found.signal.note, found.signal.source, found.published_by) == ("$$ROOT", "$strategy_id", "$$NOW")
    assert found.history[0].signal.note == "$version"


def test_revisions_are_bounded(connection: Connection) -> None:
    bus = SignalBus(connection, publisher="tester")
    reports = [bus.publish([make_signal(score=index / 1000)]) for index in range(MOST_REVISIONS + 3)]
    assert sum(report.revised for report in reports) == MOST_REVISIONS
    assert "too_many_revisions" in reports[-1].rejections[0].reason


def test_availability_is_the_servers_clock_not_the_publishers(connection: Connection) -> None:
    before = connection.server_now()
    SignalBus(connection).publish([make_signal(computed_at=NOON)])
    found = SignalReader(connection).get(make_signal().signal_id)
    assert found is not None
    assert before <= found.available_at <= connection.server_now()


@pytest.mark.parametrize(
    "broken",
    [
        {"score": float("nan")},
        {"score": float("inf")},
        {"score": "0.5"},
        {"action": "buy"},
        {"timeframe": "7m"},
        {"ts": "2026-01-05"},
        {"pair": "BTCUSDT"},
        {"surprise": 1},
        {"version": 0},
    ],
)
def test_the_database_refuses_what_goes_past_the_models(
    connection: Connection, broken: dict[str, Any]
) -> None:
    SignalBus(connection).publish([make_signal(score=0.1)])
    collection = signals_of(connection)
    valid = collection.find_one()
    collection.delete_many({})
    collection.insert_one(valid | {"_id": "valid"})
    with pytest.raises(WriteError, match="failed validation"):
        collection.insert_one(valid | {"_id": "broken", "ts": NOON} | broken)


def test_the_newest_of_many_pairs_reads_a_few_keys_only(connection: Connection) -> None:
    bus = SignalBus(connection)
    pairs = [f"C{number}/USDT" for number in range(20)]
    bus.publish(
        [make_signal(pair=pair, ts=NOON + timedelta(minutes=m)) for pair in pairs for m in range(100)]
    )
    from quantbus_contracts.mongo.signal_reader import newest_pipeline

    pipeline = newest_pipeline("test", MINUTE, pairs, None)[:3]
    plan = connection.client[connection.names.of("crypto_signals")].command(
        "explain",
        {"aggregate": "crypto_signals", "pipeline": pipeline, "cursor": {}},
        verbosity="executionStats",
    )
    examined = str(plan)
    assert "DISTINCT_SCAN" in examined
    stages = plan.get("stages", [{"$cursor": plan}])
    stats = stages[0]["$cursor"]["executionStats"]
    assert stats["totalKeysExamined"] <= 2 * len(pairs) + 2


async def test_the_asynchronous_bus_and_reader_do_the_same(async_connection: AsyncConnection) -> None:
    bus = AsyncSignalBus(async_connection, publisher="async")
    assert (await bus.publish([make_signal(score=0.1)])).inserted == 1
    assert (await bus.publish([make_signal(score=0.1)])).unchanged == 1
    assert (await bus.publish([make_signal(score=0.2)])).revised == 1
    snapshot = await AsyncSignalReader(async_connection).newest("test", MINUTE, ["BTC/USDT"])
    assert snapshot.signals["BTC/USDT"].version == 2


def test_a_killed_publisher_leaves_whole_documents_and_a_rerun_completes(
    mongo_settings: MongoSettings,
) -> None:
    assert mongo_settings.mongo_uri is not None
    script = (
        "import sys; from datetime import timedelta; from quantbus_contracts import SignalBus;"
        "from quantbus_contracts.testing import make_signal;"
        "from quantbus_contracts.testing.builders import NOON;"
        "bus = SignalBus.from_env(publisher='victim');"
        "print('go', flush=True);"
        "bus.publish([make_signal(ts=NOON + timedelta(minutes=n)) for n in range(20_000)])"
    )
    environment = {
        **os.environ,
        "QUANTBUS_MONGO_URI": mongo_settings.mongo_uri.get_secret_value(),
        "QUANTBUS_SIGNALS_DB": mongo_settings.signals_db,
    }
    victim = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE)
    assert victim.stdout is not None
    victim.stdout.readline()
    connection = connect(mongo_settings, app="check", timeout_seconds=60)
    while signals_of(connection).find_one() is None:  # an estimate counts rows that are not committed
        time.sleep(0.01)
    victim.kill()
    victim.wait()
    victim.stdout.close()
    stored, before = signals_of(connection).count_documents({}), -1
    while stored != before:  # the server finishes what it had been sent
        time.sleep(0.5)
        stored, before = signals_of(connection).count_documents({}), stored
    assert 0 < stored < 20_000
    rows = [make_signal(ts=NOON + timedelta(minutes=n)) for n in range(20_000)]
    report = SignalBus(connection).publish(rows)
    assert (report.inserted, report.unchanged) == (20_000 - stored, stored)
    connection.close()


def test_a_date_beyond_all_datetimes_spoils_its_own_row_only(connection: Connection) -> None:
    SignalBus(connection).publish([make_signal(), make_signal(pair="ETH/USDT")])
    spoilt = {"ts": DatetimeMS(400_000_000_000_000), "valid_until": DatetimeMS(400_000_000_000_000)}
    signals_of(connection).update_one({"pair": "ETH/USDT"}, {"$set": spoilt})
    reader = SignalReader(connection)
    assert reader.newest("test", MINUTE, ["BTC/USDT", "ETH/USDT"]).signals.keys() == {"BTC/USDT"}
