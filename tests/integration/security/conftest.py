"""A real mongod with access control, prepared as `quantbus bus init --with-auth` prepares it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from quantbus_contracts.embedded import admin_password_file, start_server, stop_server
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.founding import ADMIN_USER
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.mongo.roles import Role, apply_roles, mongo_name
from quantbus_contracts.mongo.users import apply_users
from quantbus_contracts.runtime.settings import MongoSettings


@dataclass(frozen=True)
class Guarded:
    """The server, and connections to it as whoever one likes."""

    home: Path
    admin: Connection
    opened: dict[Role, Connection] = field(default_factory=dict)

    def settings(self, role: Role, **changes: Any) -> MongoSettings:
        return MongoSettings(
            home=self.home,
            mongo_user=mongo_name(role),
            mongo_password_file=self.home / "secrets" / f"{role}.password",
            **changes,
        )

    def connection(self, role: Role) -> Connection:
        if role not in self.opened:
            self.opened[role] = connect(self.settings(role), app=f"test-{role}", timeout_seconds=20)
        return self.opened[role]

    def client(self, role: Role) -> "MongoClient[dict[str, Any]]":
        return self.connection(role).client

    def environment(self, role: Role) -> dict[str, str]:
        return {
            "QUANTBUS_HOME": str(self.home),
            "QUANTBUS_MONGO_USER": mongo_name(role),
            "QUANTBUS_MONGO_PASSWORD_FILE": str(self.home / "secrets" / f"{role}.password"),
        }


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    home = tmp_path_factory.mktemp("guarded")
    start_server(home, auth=True)
    try:
        settings = MongoSettings(
            home=home, mongo_user=ADMIN_USER, mongo_password_file=admin_password_file(home)
        )
        with closing(connect(settings, app="test-admin", timeout_seconds=60)) as admin:
            initialise(admin)
            apply_roles(admin)
            assert {user.state for user in apply_users(admin, home, given={})} == {"created"}
            server = Guarded(home, admin)
            yield server
            for connection in server.opened.values():
                connection.close()
    finally:
        stop_server(home)
