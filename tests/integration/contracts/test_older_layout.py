"""A bus laid out before this code: what it refuses says how to bring it up to date."""

from collections.abc import Iterator

import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.collections import spec_of
from quantbus_contracts.errors import BusError
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.schema import Heartbeat
from quantbus_contracts.testing import make_signal
from quantbus_contracts.validators import closed, text

pytestmark = pytest.mark.integration


@pytest.fixture
def older(connection: Connection) -> Iterator[Connection]:
    """A bus whose signals and heartbeats were laid out with fewer fields."""
    for name in ("crypto_signals", "heartbeats"):
        database = connection.client[connection.names.of(name)]
        database.command("collMod", name, validator=closed({"strategy_id": text()}))
    yield connection
    initialise(connection)


def test_publishing_says_what_to_do(older: Connection) -> None:
    report = SignalBus(older).publish([make_signal()])
    (refused,) = report.rejections
    assert "quantbus bus init" in refused.reason
    assert "content_hash" in refused.reason, "it names the fields"


def test_so_does_any_other_write(older: Connection) -> None:
    now = older.server_now()
    with pytest.raises(BusError, match="quantbus bus init"):
        HeartbeatStore(older).beat(
            Heartbeat(process="monitor", instance="main", at=now, started_at=now, version="1")
        )


def test_after_the_initialisation_it_is_accepted(older: Connection) -> None:
    assert initialise(older).validators_set == 2
    assert SignalBus(older).publish([make_signal()]).inserted == 1
    assert (
        older.client[older.names.of("heartbeats")]
        .list_collections(filter={"name": "heartbeats"})
        .next()["options"]["validator"]
        == spec_of("heartbeats").validator
    )
