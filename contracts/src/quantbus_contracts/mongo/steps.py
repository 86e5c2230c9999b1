"""Store methods as steps: written once, run by the synchronous and the asynchronous client alike.

A store method is a generator. It yields `Call` values (what to ask the database) and is sent the replies;
what it returns is the method's result. Everything worth testing (filters, updates, order, retries) is in the
generator; `quantbus_contracts.mongo.client` only carries calls to a driver.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

__all__ = [
    "Call",
    "Row",
    "Steps",
    "aggregate",
    "aggregate_undecoded",
    "bulk_write",
    "database_command",
    "find",
    "find_command",
    "find_raw",
    "in_transaction",
    "insert_many",
    "new_deadline",
    "pause",
    "server_command",
    "server_time",
]

Row = dict[str, Any]
"""A document as the driver gives and takes it; never leaves `quantbus_contracts.mongo`."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Call:
    """One question to the database. ``collection`` empty means a command to the server itself."""

    collection: str
    method: str
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


Steps = Generator[Call, Any, Result]


def find(collection: str, query: Row, projection: Row | None = None, **options: Any) -> Call:
    """Ask for the documents that match; the reply is a list."""
    return Call(collection, "find", (query, projection), options)


def find_raw(collection: str, query: Row, *, sort: Row, limit: int) -> Call:
    """Ask for the first ``limit`` documents that match, in one answer; the reply is the server's, undecoded bytes.

    The driver makes an object of each document, also where it is asked for raw batches; this does not. So whoever
    asks sees to it that ``limit`` documents fit into one answer (16 MB), and reads them out of it.
    """
    return Call(collection, "find_raw", (query, sort, limit))


def find_command(name: str, call: Call, *, inside: bool) -> Row:
    """Return `find_raw` as the command it is; ``inside`` a transaction it has a read concern already."""
    query, sort, limit = call.args
    size = {"limit": limit, "batchSize": limit, "singleBatch": True}
    concern = {} if inside else {"readConcern": {"level": "majority"}}
    return {"find": name, "filter": query, "sort": sort, **size, **concern}


def aggregate(collection: str, pipeline: list[Row]) -> Call:
    """Ask for the result of a pipeline; the reply is a list."""
    return Call(collection, "aggregate", (pipeline,))


def aggregate_undecoded(collection: str, pipeline: list[Row]) -> Call:
    """Ask for the result of a pipeline; the reply is a list of documents as bytes, for who may know them already."""
    return Call(collection, "aggregate_undecoded", (pipeline,))


def insert_many(collection: str, rows: list[Row]) -> Call:
    """Insert rows, each on its own; may raise the driver's ``BulkWriteError``."""
    return Call(collection, "insert_many", (rows,), {"ordered": False})


def bulk_write(collection: str, requests: list[Any]) -> Call:
    """Send write requests, each on its own; the reply is the driver's result."""
    return Call(collection, "bulk_write", (requests,), {"ordered": False})


def server_time() -> Call:
    """Ask for the server's clock; the reply is an aware datetime."""
    return Call("", "server_time")


def server_command(command: Row) -> Call:
    """Send a command to the server itself; the reply is its document."""
    return Call("", "server_command", (command,))


def database_command(collection: str, command: Row) -> Call:
    """Send a command to the database that ``collection`` lives in; the reply is its document."""
    return Call(collection, "database_command", (command,))


def new_deadline() -> Call:
    """Let what follows have a time-out of its own: the next of many batches, or another try."""
    return Call("", "new_deadline")


def pause(seconds: float) -> Call:
    """Wait, and then go on with a new deadline."""
    return Call("", "pause", (seconds,))


def in_transaction(body: Steps[Result]) -> Steps[Result]:
    """Run ``body`` so that all it writes stands, or nothing does.

    Raises
    ------
    BusContended
        If another writer was at the same documents: nothing was written, try again.
    BusUnavailable
        If the connection broke: at the commit it is not known whether it stands; read again.
    """
    try:
        yield Call("", "begin")
        result = yield from body
        yield Call("", "commit")
    except Exception:
        yield Call("", "abort")  # nothing to do for it where the commit was sent
        raise
    return result
