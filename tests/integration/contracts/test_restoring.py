"""A restore owns what it writes: no other restore, no older layout and no wrong name of a database mixes with it."""

import gzip
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bson import DatetimeMS, MaxKey, MinKey, Timestamp

from quantbus_contracts import SignalBus
from quantbus_contracts.collections import COLLECTIONS
from quantbus_contracts.errors import ArtefactError, BusError, ConfigError
from quantbus_contracts.mongo import backing_up
from quantbus_contracts.mongo.backing_up import back_up
from quantbus_contracts.mongo.backup_files import documents_in, read_manifest, write_manifest
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.layout import initialise, missing_parts, recorded_version
from quantbus_contracts.mongo.layout_facts import layout_faults
from quantbus_contracts.mongo.restoring import restore, verify
from quantbus_contracts.mongo.retention import retention_faults
from quantbus_contracts.mongo.schema_guard import RESTORING, SCHEMA_VERSION
from quantbus_contracts.testing import make_signal
from tests.fixtures.bus_load import check_audit

pytestmark = [pytest.mark.integration, pytest.mark.proof]
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class CutShort(Exception):
    """The process that restores has ended here."""


def cut_short(name: str, documents: int) -> None:
    if name == "crypto_signals":
        raise CutShort


@pytest.fixture
def backup(connection: Connection, tmp_path: Path) -> Path:
    bus = SignalBus(connection, publisher="tester")
    assert bus.publish([make_signal(ts=NOON + timedelta(hours=n)) for n in range(5)]).ok
    back_up(connection, tmp_path / "backup")
    return tmp_path / "backup"


def counts(connection: Connection) -> dict[str, int]:
    homes = (
        (spec.name, connection.client[connection.names.of(spec.name)][spec.name]) for spec in COLLECTIONS
    )
    return {name: home.count_documents({}) for name, home in homes}


def test_again_never_throws_away_what_stands_in_databases_of_another_name(
    connection: Connection, empty: Connection, backup: Path
) -> None:
    with pytest.raises(CutShort):
        restore(empty, backup, told=cut_short)
    held = counts(connection)
    # the same trading database, so the same mark; whoever forgot one of three variables works on live signals
    mixed = empty.settings.model_copy(update={"signals_db": connection.settings.signals_db})
    with (
        closing(connect(mixed, app="test", timeout_seconds=60)) as elsewhere,
        pytest.raises(ConfigError, match="set QUANTBUS_MARKET_DB"),
    ):
        restore(elsewhere, backup, again=True)
    assert counts(connection) == held
    restore(empty, backup, again=True)
    check_audit(empty)


def test_a_restore_that_another_one_replaced_ends_and_leaves_the_bus_to_it(
    empty: Connection, backup: Path
) -> None:
    second = 0

    def replaced(name: str, documents: int) -> None:
        nonlocal second
        if name == "crypto_signals":
            with pytest.raises(CutShort):
                restore(empty, backup, again=True, told=cut_short)
            second += 1

    with pytest.raises(BusError, match="another restore into this bus began meanwhile"):
        restore(empty, backup, told=replaced)
    assert second == 1
    assert recorded_version(empty) == RESTORING, "neither of them has written everything"
    restore(empty, backup, again=True)
    check_audit(empty)


def test_of_two_restores_that_begin_at_once_one_is_refused(
    empty: Connection, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantbus_contracts.mongo import restoring

    look, others = restoring._check_empty, iter([True])

    def late(connection: Connection) -> None:
        look(connection)
        if next(others, False):
            with pytest.raises(CutShort):
                restore(empty, backup, told=cut_short)

    monkeypatch.setattr(restoring, "_check_empty", late)
    with pytest.raises(ConfigError, match="has just begun"):
        restore(empty, backup)
    assert recorded_version(empty) == RESTORING


def test_a_restore_that_ends_just_before_its_last_step_is_no_bus_yet(
    empty: Connection, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantbus_contracts.mongo import restoring

    def killed(connection: Connection, rows: object) -> None:
        raise CutShort

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "_replace_versions", killed)
        with pytest.raises(CutShort):
            restore(empty, backup)
    assert recorded_version(empty) == RESTORING
    restore(empty, backup, again=True)
    assert recorded_version(empty) == SCHEMA_VERSION


def test_an_empty_bus_of_an_older_release_is_brought_up_before_it_is_restored_into(
    empty: Connection, backup: Path
) -> None:
    initialise(empty)
    trading = empty.client[empty.names.of("schema_version")]["schema_version"]
    trading.delete_many({})
    rejected = empty.client[empty.names.of("crypto_signals_rejected")]["crypto_signals_rejected"]
    rejected.drop_index("rejected_at_-1")
    rejected.create_index([("rejected_at", -1)], name="rejected_at_-1")
    restore(empty, backup)
    assert recorded_version(empty) == SCHEMA_VERSION
    assert retention_faults(empty) == [], "the version says that this was done"


def test_a_bus_without_a_unique_key_by_that_name_is_not_restored_into(
    empty: Connection, backup: Path
) -> None:
    initialise(empty)
    signals = empty.client[empty.names.of("crypto_signals")]["crypto_signals"]
    name = next(name for name, index in signals.index_information().items() if index.get("unique"))
    fields = signals.index_information()[name]["key"]
    signals.drop_index(name)
    signals.create_index(fields, name=name)
    with pytest.raises(ConfigError, match="is not unique"):
        restore(empty, backup)
    assert recorded_version(empty) == SCHEMA_VERSION


def test_what_is_restored_is_laid_out_as_the_table_says(empty: Connection, backup: Path) -> None:
    initialise(empty)
    home = empty.client[empty.names.of("crypto_signals")]
    home.command("collMod", "crypto_signals", validationAction="warn")
    restore(empty, backup)
    assert (layout_faults(empty), missing_parts(empty)) == ([], [])


def test_every_id_that_the_server_takes_is_copied_also_a_date_that_python_has_not(
    connection: Connection, empty: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = connection.client[connection.names.of("crypto_signals_rejected")]["crypto_signals_rejected"]
    late = DatetimeMS(2 * 253_402_300_800_000)
    ids = [None, -1, 2.5, float("nan"), b"x", {"a": {"b": late}}, late, MinKey(), MaxKey(), Timestamp(5, 1)]
    for number in ids:
        refused.insert_one({"_id": number, "filling": "x" * 1_000}, bypass_document_validation=True)
    refused.insert_one(
        {"_id": "largest", "filling": b"x" * (16 * 2**20 - 60)}, bypass_document_validation=True
    )
    monkeypatch.setattr(backing_up, "_PAGE", 1)
    manifest = back_up(connection, tmp_path / "odd")
    restore(empty, tmp_path / "odd", unchecked=True)
    assert back_up(empty, tmp_path / "again").collections == manifest.collections
    (kept,) = (stored for stored in manifest.collections if stored.name == "crypto_signals_rejected")
    assert kept.documents == len(ids) + 1


def test_a_manifest_that_names_a_collection_twice_or_has_no_end_is_refused(
    backup: Path, tmp_path: Path
) -> None:
    manifest, twice = read_manifest(backup), tmp_path / "twice"
    twice.mkdir()
    doubled = manifest.collections + manifest.collections[:1]
    write_manifest(twice, manifest.model_copy(update={"collections": doubled}))
    with pytest.raises(ArtefactError, match="twice"):
        verify(twice)
    (backup / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(ArtefactError, match="not one that this release wrote"):
        verify(backup)


def test_a_file_that_unpacks_to_more_than_was_packed_is_read_no_further(backup: Path) -> None:
    stored = next(one for one in read_manifest(backup).collections if one.name == "crypto_signals")
    document = next(documents_in(backup, stored))
    with gzip.open(backup / stored.file, "wb", 1) as packed:
        for _ in range(200):
            packed.write(document * 500)
    read: list[bytes] = []
    with pytest.raises(ArtefactError, match="not what the manifest vouches for"):
        read.extend(documents_in(backup, stored))
    assert len(read) <= stored.documents + 1


def test_a_database_in_which_nothing_of_ours_stands_is_not_copied_as_an_empty_one(
    connection: Connection, empty: Connection, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="QUANTBUS_MARKET_DB"):
        back_up(empty, tmp_path / "nothing")
    mistyped = connection.settings.model_copy(update={"trading_db": empty.settings.trading_db})
    with (
        closing(connect(mistyped, app="test", timeout_seconds=60)) as other,
        pytest.raises(ConfigError, match="QUANTBUS_TRADING_DB"),
    ):
        back_up(other, tmp_path / "half")
    assert list(tmp_path.iterdir()) == []


def test_a_bus_that_lacks_a_collection_of_ours_is_copied(
    connection: Connection, empty: Connection, tmp_path: Path
) -> None:
    market = connection.client[connection.names.of("crypto_market_1m")]
    market.drop_collection(COLLECTIONS[0].name)
    try:
        back_up(connection, tmp_path / "older")
    finally:
        initialise(connection)
    restore(empty, tmp_path / "older")
    assert layout_faults(empty) == []
