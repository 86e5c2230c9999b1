"""Who may copy, restore and migrate a bus with access control."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from bson import Code, Decimal128, Int64, ObjectId, Timestamp

from quantbus_contracts import SignalBus
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.backing_up import back_up
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.layout import record_version, recorded_version
from quantbus_contracts.mongo.layout_facts import layout_faults
from quantbus_contracts.mongo.migrations import migrate
from quantbus_contracts.mongo.restoring import restore
from quantbus_contracts.mongo.retention import retention
from quantbus_contracts.mongo.schema_guard import RESTORING, SCHEMA_VERSION
from quantbus_contracts.testing import make_signal
from tests.fixtures.bus_load import check_audit
from tests.integration.security.conftest import Guarded

pytestmark = pytest.mark.integration


@pytest.fixture
def elsewhere(guarded: Guarded) -> Iterator[Connection]:
    """The administrator, with databases that nobody has laid out."""
    mark = uuid.uuid4().hex[:10]
    names = {f"{kind}_db": f"{kind}_{mark}" for kind in ("market", "signals", "trading")}
    settings = guarded.admin.settings.model_copy(update=names)
    with closing(connect(settings, app="test-admin", timeout_seconds=60)) as connection:
        yield connection
        for name in names.values():
            connection.client.drop_database(name)


def test_the_operator_copies_the_bus_and_the_administrator_restores_it(
    guarded: Guarded, elsewhere: Connection, tmp_path: Path
) -> None:
    operator = guarded.connection("operator")
    assert SignalBus(operator, publisher="operator").publish([make_signal(strategy_id="copied")]).ok
    manifest = back_up(operator, tmp_path / "backup")
    assert manifest.documents > 0
    record_version(elsewhere, RESTORING, f"killed, into {', '.join(elsewhere.names.all().values())}")
    restore(elsewhere, tmp_path / "backup", again=True)
    assert recorded_version(elsewhere) == SCHEMA_VERSION
    assert back_up(elsewhere, tmp_path / "again", window_seconds=600).documents == manifest.documents


def test_a_bus_is_restored_into_another_server_as_it_was(
    connection: Connection, elsewhere: Connection, tmp_path: Path
) -> None:
    bus = SignalBus(connection, publisher="tester")
    for score in (0.25, -0.5):
        assert bus.publish([make_signal(score=score, stop_price=0.1 + 0.2)]).ok
    odd = {"_id": Int64(2**53), "moment": datetime(1969, 12, 31, 23, 59, 59, 999000), "id": ObjectId()}
    odd |= {
        "numbers": [-0.0, float("nan"), float("-inf"), Decimal128("0.10"), Timestamp(1, 2)],
        "code": Code("x"),
    }
    beats = connection.client[connection.names.of("heartbeats")]["heartbeats"]
    beats.insert_one(odd, bypass_document_validation=True)
    assert connection.client.address != elsewhere.client.address
    manifest = back_up(connection, tmp_path / "backup")
    restore(elsewhere, tmp_path / "backup", unchecked=True)
    assert back_up(elsewhere, tmp_path / "again").collections == manifest.collections, "hash by hash"
    check_audit(elsewhere)
    assert layout_faults(elsewhere) == []


def test_nobody_else_copies_the_bus_or_restores_one(guarded: Guarded, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="refused this user"):
        back_up(guarded.connection("ingest"), tmp_path / "backup")
    with pytest.raises(ConfigError, match="refused this user"):
        back_up(guarded.connection("operator"), tmp_path / "backup", window_seconds=600)
    assert list(tmp_path.iterdir()) == [], "nothing is left of it"


def test_the_role_that_lays_out_migrates(guarded: Guarded) -> None:
    assert migrate(guarded.connection("migrate")).after == SCHEMA_VERSION


def test_the_operator_sees_what_stays(guarded: Guarded) -> None:
    assert [row.fault for row in retention(guarded.connection("operator")) if row.fault] == []
