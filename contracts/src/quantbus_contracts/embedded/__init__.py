"""A real MongoDB without asking the user for one: find a mongod, run it, remember where it listens."""

from quantbus_contracts.embedded.access import admin_password_file
from quantbus_contracts.embedded.binary import find_mongod
from quantbus_contracts.embedded.server import EmbeddedServer, server_status, start_server, stop_server

__all__ = [
    "EmbeddedServer",
    "admin_password_file",
    "find_mongod",
    "server_status",
    "start_server",
    "stop_server",
]
