"""The connection of a command: patient with a long answer, quick to say that nobody is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quantbus_contracts.mongo.client import Connection
    from quantbus_contracts.mongo.steps import Steps

__all__ = ["open_connection", "opened"]

NOBODY_THERE_SECONDS, LONG_ANSWER_SECONDS = 5.0, 60.0


def open_connection(timeout_seconds: float) -> "Connection":
    """Connect as the environment says."""
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings

    return connect(load_settings(MongoSettings), app="cli", timeout_seconds=timeout_seconds)


@contextmanager
def opened() -> "Iterator[tuple[Connection, datetime]]":
    """Give a connection to a bus that answers, and its clock.

    Raises
    ------
    BusUnavailable
        Within a few seconds, if it does not.
    """
    connection = open_connection(LONG_ANSWER_SECONDS)
    try:
        yield connection, connection.run(_ask_time(), timeout_seconds=NOBODY_THERE_SECONDS)
    finally:
        connection.close()


def _ask_time() -> "Steps[datetime]":
    from quantbus_contracts.mongo.steps import server_time

    moment: datetime = yield server_time()
    return moment
