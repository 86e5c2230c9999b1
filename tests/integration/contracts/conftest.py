"""What several tests of this folder stand on."""

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from quantbus_contracts.mongo.client import Connection, connect
from tests.fixtures.copying_victim import settings_of


@pytest.fixture
def empty(connection: Connection) -> Iterator[Connection]:
    """Databases on the same server that nobody has laid out."""
    assert connection.settings.mongo_uri is not None
    settings = settings_of(connection.settings.mongo_uri.get_secret_value(), uuid.uuid4().hex[:10])
    with closing(connect(settings, app="test", timeout_seconds=60)) as made:
        yield made
        for name in made.names.all().values():
            made.client.drop_database(name)
