"""The audit: it says what stands, and finds whatever was changed behind its back."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts import SignalBus, Strategy
from quantbus_contracts.bus.audit import AuditReport, export, verify, verify_async
from quantbus_contracts.mongo.audit_rows import hash_of
from quantbus_contracts.mongo.client import AsyncConnection, Connection, connect
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.testing import make_signal
from tests.fixtures import suicide

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
AGES = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def audit_of(connection: Connection) -> Any:
    return connection.client[connection.names.of("signals_audit")]["signals_audit"]


def signals_of(connection: Connection) -> Any:
    return connection.client[connection.names.of("crypto_signals")]["crypto_signals"]


def kinds(report: AuditReport) -> set[str]:
    return {finding.kind for finding in report.findings}


def publish_some(connection: Connection) -> None:
    """Publish three batches: two new signals, two revisions with a new one, and one of another strategy."""
    bus = SignalBus(connection, publisher="tester")
    minutes = [NOON + timedelta(minutes=number) for number in range(3)]
    assert bus.publish([make_signal(ts=ts, score=0.1) for ts in minutes[:2]]).ok
    assert bus.publish([make_signal(ts=ts, score=0.2) for ts in minutes]).ok
    assert bus.publish([make_signal(strategy_id="other")]).ok


def test_every_accepted_batch_is_one_row_that_names_its_revisions_in_order(connection: Connection) -> None:
    publish_some(connection)
    declared, first, second = audit_of(connection).find({"strategy_id": "test"}).sort("seq", 1)
    assert [row["seq"] for row in (declared, first, second)] == [1, 2, 3]
    assert (declared["entries"], declared["declared"]["pairs"]) == ([], ["BTC/USDT"])
    signals = [make_signal(ts=NOON + timedelta(minutes=number), score=0.2) for number in range(3)]
    assert second["entries"] == [
        f"{signal.signal_id} {version} {signal.content_hash}"
        for signal, version in zip(signals, (2, 2, 1), strict=True)
    ]
    assert (second["inserted"], second["revised"], second["published_by"]) == (1, 2, "tester")
    assert second["previous_hash"] == first["hash"]
    assert second["host"]
    assert second["code_version"].startswith("quantbus-contracts ")


def test_what_was_not_touched_fits(connection: Connection) -> None:
    publish_some(connection)
    report = verify(connection)
    assert (report.ok, report.rows, report.revisions) == (True, 5, 6), report
    assert {name: seq for name, (seq, _) in report.heads.items()} == {"test": 3, "other": 2}
    assert verify(connection, "test").revisions == 5
    assert verify(connection, "nobody").rows == 0


async def test_the_asynchronous_verification_agrees(
    connection: Connection, async_connection: AsyncConnection
) -> None:
    publish_some(connection)
    assert await verify_async(async_connection) == verify(connection)


def test_a_replay_writes_no_audit_row_and_no_signal(connection: Connection) -> None:
    publish_some(connection)
    database = connection.client[connection.names.of("signals_audit")]
    with database.watch() as stream:
        assert SignalBus(connection).publish([make_signal(ts=NOON, score=0.2)]).unchanged == 1
        SignalBus(connection).publish([make_signal(strategy_id="last")])
        first = next(stream)
    assert (first["ns"]["coll"], first["fullDocument"]["strategy_id"]) == ("signals_audit", "last")


def alter_note_of_publisher(audit: Any, _: Any) -> None:
    audit.update_one({"strategy_id": "test", "seq": 2}, {"$set": {"published_by": "somebody else"}})


def alter_and_hash_anew(audit: Any, _: Any) -> None:
    row = audit.find_one({"strategy_id": "test", "seq": 2})
    row["published_by"] = "somebody else"
    audit.update_one({"_id": row["_id"]}, {"$set": {"published_by": "somebody else", "hash": hash_of(row)}})


def remove_a_row(audit: Any, _: Any) -> None:
    audit.delete_one({"strategy_id": "test", "seq": 2})


def remove_the_newest_row(audit: Any, _: Any) -> None:
    audit.delete_one({"strategy_id": "test", "seq": 3})


def swap_two_rows(audit: Any, _: Any) -> None:
    second, third = audit.find({"strategy_id": "test", "seq": {"$gt": 1}}).sort("seq", 1)
    audit.delete_many({"_id": {"$in": [second["_id"], third["_id"]]}})
    for row, seq in ((second, 3), (third, 2)):
        row |= {"_id": f"test|{seq}", "seq": seq}
        audit.insert_one(row | {"hash": hash_of(row)})


def alter_an_entry(audit: Any, _: Any) -> None:
    audit.update_one({"strategy_id": "test", "seq": 2}, {"$set": {"entries.0": "nonsense"}})


def alter_a_signal(_: Any, signals: Any) -> None:
    signals.update_one({"strategy_id": "test", "version": 2}, {"$set": {"score": 0.9}})


def alter_a_signal_and_hash_anew(_: Any, signals: Any) -> None:
    forged = make_signal(ts=NOON, score=0.9)
    change = {"score": 0.9, "content_hash": forged.content_hash}
    signals.update_one({"_id": forged.signal_id}, {"$set": change})


def rewrite_history(_: Any, signals: Any) -> None:
    signals.update_one({"strategy_id": "test", "version": 2}, {"$set": {"history.0.score": -0.9}})


def forget_history(_: Any, signals: Any) -> None:
    signals.update_one({"strategy_id": "test", "version": 2}, {"$set": {"history": []}})


def backdate_a_signal(_: Any, signals: Any) -> None:
    signals.update_one({"strategy_id": "other"}, {"$set": {"available_at": NOON}})


def remove_a_signal(_: Any, signals: Any) -> None:
    signals.delete_one({"strategy_id": "other"})


def insert_a_signal(_: Any, signals: Any) -> None:
    forged = make_signal(ts=NOON + timedelta(minutes=9), score=0.2)
    row = signals.find_one({"strategy_id": "test", "version": 1})
    signals.insert_one(row | {"_id": forged.signal_id, "ts": forged.ts})


def move_a_signal(_: Any, signals: Any) -> None:
    row = signals.find_one({"strategy_id": "other"})
    signals.update_one({"_id": row["_id"]}, {"$set": {"ts": NOON + timedelta(minutes=30)}})


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (alter_note_of_publisher, {"row_altered"}),
        (alter_and_hash_anew, {"chain_broken"}),
        (remove_a_row, {"row_missing", "revision_unaudited"}),
        (remove_the_newest_row, {"revision_unaudited"}),
        (swap_two_rows, {"chain_broken"}),
        (alter_an_entry, {"row_altered", "revision_unaudited"}),
        (alter_a_signal, {"revision_altered"}),
        (alter_a_signal_and_hash_anew, {"revision_altered"}),
        (rewrite_history, {"revision_altered"}),
        (forget_history, {"revision_missing"}),
        (backdate_a_signal, {"revision_altered"}),
        (remove_a_signal, {"revision_missing"}),
        (insert_a_signal, {"revision_unaudited"}),
        (move_a_signal, {"revision_altered"}),
    ],
)
def test_tampering_is_found(
    connection: Connection, tamper: Callable[[Any, Any], None], expected: set[str]
) -> None:
    publish_some(connection)
    assert verify(connection).ok
    tamper(audit_of(connection), signals_of(connection))
    report = verify(connection)
    assert not report.ok
    assert expected <= kinds(report), report


def test_a_declaration_is_part_of_the_chain(connection: Connection) -> None:
    publish_some(connection)
    bus = SignalBus(connection)
    stands = bus.strategy("test")
    assert stands is not None
    bus.declare(stands.with_pairs("ETH/USDT"))
    bus.declare(stands.with_pairs("ETH/USDT"))
    rows = list(
        audit_of(connection).find({"strategy_id": "test", "declared": {"$exists": True}}).sort("seq", 1)
    )
    assert [(row["declaration"], row["declared"]["pairs"]) for row in rows] == [
        (1, ["BTC/USDT"]),
        (2, ["BTC/USDT", "ETH/USDT"]),
    ]
    assert verify(connection).ok
    audit_of(connection).update_one({"_id": rows[0]["_id"]}, {"$set": {"declared.pairs": ["DOGE/USDT"]}})
    assert kinds(verify(connection)) == {"row_altered"}


def test_a_span_is_exported_as_plain_json(connection: Connection) -> None:
    before = connection.server_now() - timedelta(milliseconds=5)
    publish_some(connection)
    rows = list(export(connection, before, AGES[1]))
    assert [(row["strategy_id"], row["seq"]) for row in rows][:3] == [("test", 1), ("test", 2), ("test", 3)]
    assert json.loads(json.dumps(rows)) == rows
    assert rows[1]["entries"][0] == {
        "signal_id": make_signal(score=0.1).signal_id,
        "version": 1,
        "content_hash": make_signal(score=0.1).content_hash,
    }
    assert [row["strategy_id"] for row in export(connection, *AGES, "other")] == ["other", "other"]
    assert list(export(connection, AGES[0], before)) == []


def test_an_export_of_many_pages_leaves_nothing_out(connection: Connection) -> None:
    bus = SignalBus(connection)
    for number in range(250):
        assert bus.publish([make_signal(ts=NOON + timedelta(minutes=number))]).ok
    numbers = [row["seq"] for row in export(connection, *AGES)]
    assert numbers == list(range(1, 252))
    assert verify(connection).ok


@pytest.mark.parametrize("publishers", [2, 8])
def test_each_revision_of_racing_publishers_stands_in_exactly_one_row(
    mongo_settings: MongoSettings, publishers: int
) -> None:
    keys, rounds = 4, 5

    def publish(number: int) -> None:
        connection = connect(mongo_settings, app=f"racer{number}", timeout_seconds=60)
        bus = SignalBus(connection, publisher=f"racer{number}")
        for turn in range(rounds):
            score = (number * rounds + turn) / 100
            rows = [make_signal(ts=NOON + timedelta(minutes=key), score=score) for key in range(keys)]
            report = bus.publish(rows)
            assert report.ok, report
        connection.close()

    with ThreadPoolExecutor(publishers) as pool:
        list(pool.map(publish, range(publishers)))
    connection = connect(mongo_settings, app="check", timeout_seconds=20)
    report = verify(connection)
    assert (report.ok, report.revisions) == (True, publishers * rounds * keys), report
    entries = Counter(entry for row in audit_of(connection).find() for entry in row["entries"])
    assert (len(entries), set(entries.values())) == (publishers * rounds * keys, {1})
    assert audit_of(connection).count_documents({"entries": {"$ne": []}}) == publishers * rounds
    connection.close()


def test_verification_holds_while_others_publish(mongo_settings: MongoSettings) -> None:
    connection = connect(mongo_settings, app="checker", timeout_seconds=60)

    def publish(number: int) -> None:
        own = connect(mongo_settings, app="publisher", timeout_seconds=60)
        bus = SignalBus(own, publisher=f"p{number}")
        for turn in range(40):
            bus.publish([make_signal(ts=NOON + timedelta(minutes=turn), score=number / 10 + turn / 1000)])
        own.close()

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(publish, number) for number in range(2)]
        seen = 0
        while not all(one.done() for one in running):
            report = verify(connection)
            assert report.ok, report
            seen += 1
        for one in running:
            one.result()
    assert seen > 1
    assert verify(connection).revisions == 80
    connection.close()


@pytest.mark.proof
def test_a_publisher_killed_at_any_point_leaves_rows_and_audit_as_one(
    mongo_settings: MongoSettings, connection: Connection
) -> None:
    assert mongo_settings.mongo_uri is not None
    uri = mongo_settings.mongo_uri.get_secret_value()
    before, fatal = suicide.batches()
    found: dict[str, int] = {}
    for number in range(1, 30):
        for collection in (audit_of(connection), signals_of(connection)):
            collection.delete_many({})
        connection.client[connection.names.of("strategies")]["strategies"].delete_many({})
        done = subprocess.run(
            [sys.executable, "-m", "tests.fixtures.suicide", uri, mongo_settings.signals_db, str(number)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if "done" in done.stdout:
            break
        assert done.returncode == -9, done.stderr
        report = verify(connection)
        assert report.ok, report
        found[f"{number} {done.stdout.strip()}"] = report.revisions
        again = SignalBus(connection, publisher="heir").publish(fatal)
        written = again.inserted + again.revised
        assert (again.ok, written + again.unchanged) == (True, len(fatal))
        assert written == (len(fatal) if report.revisions == len(before) else 0), "all of a batch, or nothing"
        whole = verify(connection)
        assert (whole.ok, whole.revisions) == (True, len(before) + len(fatal)), whole
    methods = [name.split()[1] for name in found]
    assert methods[1:] == ["begin", "insert_many", "insert_many", "bulk_write", "commit"], found
    assert [count for name, count in found.items() if not name.endswith("commit")] == [len(before)] * 5
    assert found["6 commit"] == len(before) + len(fatal), "the control: only the commit makes it stand"


def test_a_row_that_the_database_refuses_is_named_and_the_others_stand(connection: Connection) -> None:
    database = connection.client[connection.names.of("crypto_signals")]
    validator = database.command("listCollections", filter={"name": "crypto_signals"})["cursor"][
        "firstBatch"
    ][0]["options"]["validator"]
    database.command("collMod", "crypto_signals", validator={"$and": [validator, {"score": {"$lt": 0.5}}]})
    try:
        bus = SignalBus(connection)
        rows = [make_signal(ts=NOON + timedelta(minutes=n), score=n / 10) for n in range(8)]
        report = bus.publish(rows)
        assert (report.inserted, [item.row for item in report.rejections]) == (5, [5, 6, 7])
        assert "validator" in report.rejections[0].reason
        report = bus.publish([make_signal(score=0.9), make_signal(ts=NOON + timedelta(minutes=1), score=0.3)])
        assert (report.revised, report.rejected) == (1, 1)
        assert verify(connection).ok
    finally:
        database.command("collMod", "crypto_signals", validator=validator)


def test_a_redeclaration_elsewhere_holds_at_once_though_ours_is_remembered(connection: Connection) -> None:
    ours, theirs = SignalBus(connection), SignalBus(connection)
    assert ours.publish([make_signal()]).ok
    theirs.declare(
        Strategy(strategy_id="test", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT",), max_weight=0.1)
    )
    report = ours.publish([make_signal(weight=0.5)])
    assert (report.rejected, report.rejections[0].field) == (1, "weight")
