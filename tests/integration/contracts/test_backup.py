"""A backup is the bus at one instant; a bus made of it is the same bus; and nothing in between counts as either."""

import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from quantbus_contracts import SignalBus
from quantbus_contracts.collections import COLLECTIONS
from quantbus_contracts.errors import ArtefactError, BusError, ConfigError
from quantbus_contracts.mongo.backing_up import back_up
from quantbus_contracts.mongo.backup_files import Manifest, read_manifest, write_manifest
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.layout import missing_parts, recorded_version
from quantbus_contracts.mongo.restoring import restore, verify
from quantbus_contracts.mongo.schema_guard import RESTORING, SCHEMA_VERSION
from quantbus_contracts.schema import Heartbeat
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from tests.fixtures.bus_load import check_audit
from tests.fixtures.command import Run

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
BARS = 300


def raw(connection: Connection) -> dict[str, list[bytes]]:
    """Return every document of the bus as the server holds it."""
    return {spec.name: sorted(_documents(connection, spec.name)) for spec in COLLECTIONS}


def _documents(connection: Connection, name: str) -> list[bytes]:
    home = connection.client[connection.names.of(name)][name]
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    chosen = (
        {"instance": "copied"} if name == "heartbeats" else {}
    )  # other processes of the run may still beat
    return [bytes(document.raw) for document in home.with_options(options).find(chosen)]


@pytest.fixture
def filled(connection: Connection) -> Connection:
    """A bus with bars, revised signals and their audit, and a sign of life."""
    bars = [(NOON + timedelta(minutes=n), 1.5, 2.0, 0.5, 1.0 + n / 1000, float(n)) for n in range(BARS)]
    CandleWriter(connection).write_bars("BINANCE:BTCUSDT", Timeframe.parse("1m"), "test", bars)
    bus = SignalBus(connection, publisher="tester")
    for score in (0.1, 0.2):
        assert bus.publish([make_signal(ts=NOON + timedelta(hours=n), score=score) for n in range(20)]).ok
    now = connection.server_now()
    HeartbeatStore(connection).beat(
        Heartbeat(process="monitor", instance="copied", at=now, started_at=now, version="1")
    )
    return connection


@pytest.fixture
def backup(filled: Connection, tmp_path: Path) -> Path:
    back_up(filled, tmp_path / "backup")
    return tmp_path / "backup"


def test_a_restored_bus_is_the_same_bus_bit_for_bit(
    filled: Connection, empty: Connection, backup: Path
) -> None:
    before = raw(filled)
    assert restore(empty, backup) == read_manifest(backup)
    assert raw(empty) == before
    assert len(before["crypto_market_1m"]) == BARS
    assert missing_parts(empty) == []
    assert recorded_version(empty) == SCHEMA_VERSION
    check_audit(empty)
    assert SignalBus(empty, publisher="next").publish([make_signal(ts=NOON, score=0.3)]).revised == 1


def test_only_its_owner_can_read_a_backup(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o700


def test_a_backup_made_while_others_publish_is_one_instant(
    connection: Connection, empty: Connection, tmp_path: Path
) -> None:
    bus, stop, at_work = SignalBus(connection, publisher="busy"), threading.Event(), threading.Event()

    def publish() -> None:
        number = 0
        while not stop.is_set():
            rows = [make_signal(ts=NOON + timedelta(hours=n), score=(number % 90) / 100) for n in range(8)]
            assert bus.publish(rows).ok
            number += 1
            if number == 3:
                at_work.set()

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        assert at_work.wait(60)
        # between any two collections whole batches are accepted
        manifest = back_up(connection, tmp_path / "backup", told=lambda name, documents: time.sleep(0.02))
    finally:
        stop.set()
        publisher.join(60)
    restore(empty, tmp_path / "backup")
    check_audit(empty)
    kept = next(item for item in manifest.collections if item.name == "signals_audit").documents
    assert kept < connection.collection("signals_audit").count_documents({}), "batches came after the instant"


@pytest.mark.parametrize(
    "fault",
    ["a byte changed", "cut", "missing", "more at the end", "emptied", "manifest changed", "no manifest"],
)
def test_a_damaged_backup_is_refused_before_anything_is_written(
    backup: Path, empty: Connection, fault: str
) -> None:
    damage(backup, fault)
    with pytest.raises((ArtefactError, ConfigError)):
        restore(empty, backup)
    assert set(empty.names.all().values()).isdisjoint(empty.client.list_database_names())


def damage(backup: Path, fault: str) -> None:
    file, manifest = backup / "signals.crypto_signals.bson.gz", backup / "manifest.json"
    content = file.read_bytes()
    middle = len(content) // 2
    match fault:
        case "a byte changed":
            file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        case "cut":
            file.write_bytes(content[:middle])
        case "missing":
            file.unlink()
        case "more at the end":
            file.write_bytes(content + content)
        case "emptied":
            file.write_bytes(b"")
        case "manifest changed":
            manifest.write_text(manifest.read_text().replace('"documents": 300', '"documents": 299'))
        case "no manifest":
            manifest.unlink()


def test_a_backup_of_a_newer_schema_is_refused(backup: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    newer.mkdir()
    write_manifest(newer, read_manifest(backup).model_copy(update={"schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(ConfigError, match="restore it with that release"):
        verify(newer)


def test_a_bus_with_documents_is_never_written_into(filled: Connection, backup: Path) -> None:
    before = raw(filled)
    for again in (False, True):
        with pytest.raises(ConfigError, match="expected a bus without documents"):
            restore(filled, backup, again=again)
    assert raw(filled) == before


def test_a_folder_that_exists_is_never_written_into(filled: Connection, backup: Path) -> None:
    manifest = read_manifest(backup)
    with pytest.raises(ConfigError, match="name another folder"):
        back_up(filled, backup)
    assert read_manifest(backup) == manifest


def test_what_todays_validators_refuse_can_still_be_restored(
    filled: Connection, empty: Connection, tmp_path: Path
) -> None:
    odd = {"_id": "odd", "process": "of an older release"}
    home = filled.client[filled.names.of("heartbeats")]["heartbeats"]
    home.insert_one(odd, bypass_document_validation=True)
    back_up(filled, tmp_path / "backup")
    with pytest.raises(BusError, match="--unchecked"):
        restore(empty, tmp_path / "backup")
    restore(empty, tmp_path / "backup", again=True, unchecked=True)
    assert raw(empty) == raw(filled)


def victim(connection: Connection, action: str, folder: Path, batches: int) -> int:
    settings = connection.settings
    assert settings.mongo_uri is not None
    mark = settings.market_db.removeprefix("market_")
    arguments = [settings.mongo_uri.get_secret_value(), mark, action, str(folder), str(batches)]
    return subprocess.run(
        [sys.executable, "-m", "tests.fixtures.copying_victim", *arguments],
        cwd=ROOT,
        timeout=120,
        check=False,
    ).returncode


def test_a_backup_that_was_killed_is_none_and_the_next_one_clears_it_away(
    filled: Connection, tmp_path: Path
) -> None:
    folder = tmp_path / "backups" / "monday"
    assert victim(filled, "backup", folder, 2) == -signal.SIGKILL
    assert not folder.exists()
    assert len(list(folder.parent.iterdir())) == 1
    back_up(filled, folder)
    assert list(folder.parent.iterdir()) == [folder]
    verify(folder)


@pytest.mark.proof
@pytest.mark.parametrize("batches", [1, 3])
def test_a_restore_that_was_killed_leaves_no_bus_and_begins_anew(
    filled: Connection, empty: Connection, backup: Path, batches: int
) -> None:
    assert victim(empty, "restore", backup, batches) == -signal.SIGKILL
    assert recorded_version(empty) == RESTORING
    with pytest.raises(ConfigError, match="a restore into this bus is not finished"):
        empty.server_now()
    with pytest.raises(ConfigError, match="--again"):
        restore(empty, backup)
    restore(empty, backup, again=True)
    assert raw(empty) == raw(filled)
    assert empty.server_now() is not None


def test_a_backup_that_outlives_the_servers_memory_says_so(filled: Connection, tmp_path: Path) -> None:
    admin, name = filled.client.admin, "minSnapshotHistoryWindowInSeconds"
    before = admin.command({"getParameter": 1, name: 1})[name]
    admin.command({"setParameter": 1, name: 1})
    waited = iter([True])

    def linger(name: str, documents: int) -> None:
        if next(waited, False):
            until = time.monotonic() + 4
            while time.monotonic() < until:  # the server forgets as it writes
                now = filled.server_now()
                HeartbeatStore(filled).beat(
                    Heartbeat(process="monitor", instance="x", at=now, started_at=NOON, version="1")
                )
                time.sleep(0.2)

    try:
        with pytest.raises(BusError, match="--window-seconds"):
            back_up(filled, tmp_path / "backup", told=linger)
        assert list(tmp_path.iterdir()) == []
        waited = iter([True])
        back_up(filled, tmp_path / "backup", window_seconds=60, told=linger)
        assert admin.command({"getParameter": 1, name: 1})[name] == 1, "as it was before"
    finally:
        admin.command({"setParameter": 1, name: before})


def test_the_commands_tell_what_they_did(quantbus: Run, filled: Connection, tmp_path: Path) -> None:
    made = quantbus("bus", "backup", "copies/monday", "--json")
    assert made.code == 0, made.err
    counts = {item["name"]: item["documents"] for item in made.json["collections"]}
    assert counts["crypto_market_1m"] == BARS
    checked = quantbus(
        "bus", "restore", "copies/monday", "--what-if", "--json", QUANTBUS_MONGO_URI="mongodb://nowhere"
    )
    assert (checked.code, checked.json["sha256"]) == (0, made.json["sha256"])
    refused = quantbus("bus", "restore", "copies/monday")
    assert (refused.code, "expected a bus without documents" in refused.err) == (2, True)
    databases = {
        f"QUANTBUS_{kind}_DB": f"{kind.lower()}_{uuid.uuid4().hex[:10]}"
        for kind in ("MARKET", "SIGNALS", "TRADING")
    }
    try:
        done = quantbus("bus", "restore", "copies/monday", **databases)
        assert (done.code, "quantbus controls list" in done.out) == (0, True), done.err
        assert quantbus("bus", "status", **databases).code == 0
        assert json.loads(quantbus("audit", "verify", "--json", **databases).out)
    finally:
        for name in databases.values():
            filled.client.drop_database(name)


def test_the_manifest_is_read_back_as_it_was_written(backup: Path) -> None:
    manifest = read_manifest(backup)
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert {item.name for item in manifest.collections} == {spec.name for spec in COLLECTIONS}
