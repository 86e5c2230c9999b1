"""The database removes by itself what the table says may go, and nothing else; and whoever asks is told."""

from collections.abc import Iterator

import pytest

from quantbus_contracts.collections import COLLECTIONS
from quantbus_contracts.collections.retention import MAY_GO
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.retention import retention
from tests.fixtures.command import Run

pytestmark = pytest.mark.integration


@pytest.fixture
def forgetful(connection: Connection) -> Iterator[Connection]:
    """A bus on which somebody gave signals an end."""
    signals = connection.client[connection.names.of("crypto_signals")]["crypto_signals"]
    signals.create_index("computed_at", name="somebodys", expireAfterSeconds=7 * 86_400)
    yield connection
    signals.drop_index("somebodys")


def test_only_what_may_go_has_an_end_in_the_table() -> None:
    ending = {spec.name for spec in COLLECTIONS for index in spec.indexes if index.kept_days is not None}
    assert ending == set(MAY_GO)


def test_an_index_with_an_end_is_over_one_time() -> None:
    for spec in COLLECTIONS:
        for index in spec.indexes:
            assert index.kept_days is None or len(index.fields) == 1, (
                "the server ignores the end of any other"
            )


def test_the_server_does_what_the_table_says(connection: Connection) -> None:
    kept = {row.collection: row.kept_days for row in retention(connection) if row.kept_days is not None}
    assert kept == {"account_snapshots": 14, "crypto_signals_rejected": 90}
    assert [row.fault for row in retention(connection) if row.fault] == []


def test_an_end_that_nobody_agreed_to_is_told(forgetful: Connection, quantbus: Run) -> None:
    (wrong,) = (row for row in retention(forgetful) if row.fault)
    assert (wrong.collection, "somebodys removes documents 7 days after computed_at" in str(wrong.fault)) == (
        "crypto_signals",
        True,
    )
    shown = quantbus("bus", "retention")
    assert (shown.code, "drop it" in shown.out, "90 days after rejected_at" in shown.out) == (1, True, True)


def test_an_end_that_was_changed_or_is_missing_is_told(connection: Connection) -> None:
    snapshots = connection.client[connection.names.of("account_snapshots")]["account_snapshots"]
    snapshots.drop_index("at_1")
    try:
        (row,) = (row for row in retention(connection) if row.fault)
        assert "nothing is removed" in str(row.fault)
        snapshots.create_index("at", name="at_1", expireAfterSeconds=60 * 86_400)
        (row,) = (row for row in retention(connection) if row.fault)
        assert "60 days after at, 14 after at are agreed" in str(row.fault)
        snapshots.drop_index("at_1")
        snapshots.create_index("made_at", name="at_1", expireAfterSeconds=14 * 86_400)
        (row,) = (row for row in retention(connection) if row.fault)
        assert "14 days after made_at, 14 after at are agreed" in str(row.fault)
    finally:
        snapshots.drop_index("at_1")
        snapshots.create_index("at", name="at_1", expireAfterSeconds=14 * 86_400)
