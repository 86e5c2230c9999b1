"""One gateway for most of the gateway's tests: a process of its own is what takes the time."""

from collections.abc import Iterator

import pytest

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from tests.integration.gateway.running import Gateway, running_gateway


@pytest.fixture(scope="session")
def _gateway(_prepared: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(
        _prepared.settings, folder, rate_per_second=5_000, rate_burst=10_000, failures_per_minute=10_000
    ) as running:
        yield running


@pytest.fixture
def gateway(_gateway: Gateway, mongo_settings: MongoSettings) -> Gateway:
    """A gateway with its limits out of the way, over databases that are empty."""
    return _gateway
