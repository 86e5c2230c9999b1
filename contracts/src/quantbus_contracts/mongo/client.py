"""Connections: build a client the one right way, carry steps to it, translate what the driver raises."""

import asyncio
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import bson
import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient, MongoClient, ReadPreference
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import (
    BulkWriteError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from quantbus_contracts.collections import Database, spec_of
from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.mongo.address import address_errors, credentials, resolve_uri
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.schema_guard import refuse_strange_versions
from quantbus_contracts.mongo.steps import Call, Row, Steps, find_command, server_time
from quantbus_contracts.runtime.settings import MongoSettings

__all__ = [
    "AsyncConnection",
    "Connection",
    "connect",
    "connect_async",
    "resolve_uri",
    "row_of",
]

Result = TypeVar("Result")
Session = TypeVar("Session", ClientSession, AsyncClientSession)
# A date past the year 9999 is legal in BSON and no datetime: it comes as another type, which the model of its row
# refuses, instead of failing everything that is read with it.
_CODEC: CodecOptions[Row] = CodecOptions(
    tz_aware=True, tzinfo=UTC, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_UNDECODED: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_WRITE = WriteConcern(w="majority", j=True)
_WRITE_HINT = WriteConcern(w=1, j=False)
_READ = ReadConcern("majority")
_SNAPSHOT = ReadConcern("snapshot")
_BETWEEN_DEADLINES = ("abort", "pause", "new_deadline")
_ABORT_SECONDS = 2.0


def _client_options(app: str, timeout_seconds: float) -> dict[str, Any]:
    return {
        "appname": f"quantbus-{app}",
        "tz_aware": True,
        "tzinfo": UTC,
        "timeoutMS": int(timeout_seconds * 1000),
        "serverSelectionTimeoutMS": int(timeout_seconds * 1000),
        "connectTimeoutMS": int(min(timeout_seconds, 5.0) * 1000),
        "retryWrites": True,
        "retryReads": True,
    }


class _Course(Generic[Result, Session]):
    """The way of one store method: its next call, the reply or failure to send back, its result at the end.

    One session serves all its transactions: beginning the next ends whatever an earlier one left open.
    """

    def __init__(self, steps: Steps[Result]) -> None:
        self._steps = steps
        self._failure: Exception | None = None
        self.reply: Any = None
        self.result: Result
        self.done = False
        self.session: Session | None = None

    @property
    def inside(self) -> bool:
        return self.session is not None and self.session.in_transaction

    def with_session(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a call with the session of the transaction under way, if one is."""
        return options | {"session": self.session} if self.inside else options

    def next_call(self) -> Call | None:
        try:
            with translated_errors(bulk_errors=True):
                if self._failure is None:
                    return self._steps.send(self.reply)
                failure, self._failure = self._failure, None
                return self._steps.throw(failure)
        except StopIteration as end:
            self.result, self.done = end.value, True
            return None

    @contextmanager
    def outcome(self) -> Generator[None]:
        """Keep a failure of the call for the steps, which may know better than to give up."""
        try:
            with translated_errors():
                yield
        except (BusError, ConfigError, BulkWriteError) as error:
            self._failure = error


class _Guard:
    """Asks once, before the first steps of a connection, whether the bus has a schema that this code knows."""

    def __init__(self) -> None:
        self._passed = False

    def before(self, steps: Steps[Result]) -> Steps[Result]:
        return steps if self._passed else self._asking(steps)

    def _asking(self, steps: Steps[Result]) -> Steps[Result]:
        yield from refuse_strange_versions()
        self._passed = True
        return (yield from steps)


class _Names:
    """Which database a collection lives in, and what it is called there."""

    def __init__(self, settings: MongoSettings, renamed: Mapping[str, str] | None = None) -> None:
        self._renamed = dict(renamed or {})
        self._databases: dict[Database, str] = {
            "market": settings.market_db,
            "signals": settings.signals_db,
            "trading": settings.trading_db,
        }

    def of(self, collection: str) -> str:
        return self._databases[spec_of(collection).database]

    def called(self, collection: str) -> str:
        return self._renamed.get(collection, collection)

    def concern(self, collection: str) -> WriteConcern:
        return _WRITE_HINT if spec_of(collection).is_hint else _WRITE

    def all(self) -> dict[Database, str]:
        return dict(self._databases)


class Connection:
    """A synchronous connection to the bus; safe to share between threads, not across a fork."""

    def __init__(
        self,
        client: MongoClient[Row],
        settings: MongoSettings,
        timeout_seconds: float,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        """Wrap a client; use `connect`."""
        self.client = client
        self.settings = settings
        self.names = _Names(settings, renamed)
        self.timeout_seconds = timeout_seconds
        self._guard = _Guard()

    def run(self, steps: Steps[Result], *, timeout_seconds: float | None = None) -> Result:
        """Carry every call of ``steps`` to the server.

        Calls that follow one another share one time-out; the next begins after a pause and wherever the steps ask for
        a new one (each of many batches, each new try). A question is one of these stretches. How many there are at
        most is said by who writes the steps: see `signal_writer` for publishing.

        Raises
        ------
        BusUnavailable
            If the server could not be reached or did not answer in time.
        BusError
            If the server refused.
        """
        course: _Course[Result, ClientSession] = _Course(self._guard.before(steps))
        try:
            while not course.done:
                with pymongo.timeout(timeout_seconds or self.timeout_seconds):
                    while (call := course.next_call()) is not None and call.method not in _BETWEEN_DEADLINES:
                        with course.outcome():
                            course.reply = self._perform(call, course)
                if call is not None:
                    course.reply = None
                    self._wait(call, course)
        finally:
            if course.session is not None:
                with pymongo.timeout(_ABORT_SECONDS):  # ends a transaction that was cut short
                    course.session.end_session()
        return course.result

    def _perform(self, call: Call, course: "_Course[Result, ClientSession]") -> Any:
        match call.method:
            case "server_time":
                return self.client.admin.command("hello", codec_options=_CODEC)["localTime"]
            case "server_command":
                return self.client.admin.command(call.args[0], codec_options=_CODEC)
            case "database_command":
                return self.client[self.names.of(call.collection)].command(call.args[0], codec_options=_CODEC)
            case "begin":
                course.session = course.session or self.client.start_session()
                return course.session.start_transaction(_SNAPSHOT, _WRITE, ReadPreference.PRIMARY)
            case "commit":
                return course.session.commit_transaction() if course.session else None
            case "aggregate_undecoded":
                found = self.collection(call.collection).with_options(_UNDECODED).aggregate(*call.args)
                return [document.raw for document in found]
            case "find_raw":
                database = self.client[self.names.of(call.collection)]
                command = find_command(self.names.called(call.collection), call, inside=course.inside)
                options = course.with_session({"codec_options": _UNDECODED})
                return bytes(database.command(command, **options)["cursor"].raw)
        options = course.with_session(call.options)
        reply = getattr(self.collection(call.collection), call.method)(*call.args, **options)
        return list(reply) if call.method in ("find", "aggregate") else reply

    def _wait(self, call: Call, course: "_Course[Result, ClientSession]") -> None:
        if call.method == "pause":
            time.sleep(*call.args)
        elif call.method == "abort" and course.session is not None and course.session.in_transaction:
            with pymongo.timeout(_ABORT_SECONDS):
                course.session.abort_transaction()

    @contextmanager
    def bounded(self, seconds: float) -> Generator[None]:
        """Let all questions of this thread inside share ``seconds``, however many there are.

        A question's own time-out still holds; whatever there is no time left for raises `BusUnavailable`.
        """
        with pymongo.timeout(seconds):
            yield

    def collection(self, name: str) -> Collection[Row]:
        """Return a collection as ours are read and written: from the primary, by majority, journaled (hints are not).

        For what is no question with one answer (cursors, change streams); all else is carried by `run`.
        """
        return self.client[self.names.of(name)].get_collection(
            self.names.called(name), _CODEC, ReadPreference.PRIMARY, self.names.concern(name), _READ
        )

    def server_now(self) -> datetime:
        """Return the server's clock (and so find out whether it answers)."""
        return self.run(_ask_time())

    def close(self) -> None:
        """Close the sockets."""
        with pymongo.timeout(_ABORT_SECONDS):  # it says goodbye to a server that may be gone
            self.client.close()


class AsyncConnection:
    """An asynchronous connection to the bus; belongs to the event loop that made it."""

    def __init__(
        self, client: AsyncMongoClient[Row], settings: MongoSettings, timeout_seconds: float
    ) -> None:
        """Wrap a client; use `connect_async` inside the running loop."""
        self.client = client
        self.names = _Names(settings)
        self.timeout_seconds = timeout_seconds
        self._guard = _Guard()

    async def run(self, steps: Steps[Result], *, timeout_seconds: float | None = None) -> Result:
        """Carry every call of ``steps`` to the server; see `Connection.run`."""
        course: _Course[Result, AsyncClientSession] = _Course(self._guard.before(steps))
        try:
            while not course.done:
                with pymongo.timeout(timeout_seconds or self.timeout_seconds):
                    while (call := course.next_call()) is not None and call.method not in _BETWEEN_DEADLINES:
                        with course.outcome():
                            course.reply = await self._perform(call, course)
                if call is not None:
                    course.reply = None
                    await self._wait(call, course)
        finally:
            if course.session is not None:
                with pymongo.timeout(_ABORT_SECONDS):  # ends a transaction that was cut short
                    await course.session.end_session()
        return course.result

    async def _wait(self, call: Call, course: "_Course[Result, AsyncClientSession]") -> None:
        if call.method == "pause":
            await asyncio.sleep(*call.args)
        elif call.method == "abort" and course.session is not None and course.session.in_transaction:
            with pymongo.timeout(_ABORT_SECONDS):
                await course.session.abort_transaction()

    async def _perform(self, call: Call, course: "_Course[Result, AsyncClientSession]") -> Any:
        match call.method:
            case "server_time":
                return (await self.client.admin.command("hello", codec_options=_CODEC))["localTime"]
            case "server_command":
                return await self.client.admin.command(call.args[0], codec_options=_CODEC)
            case "database_command":
                home = self.client[self.names.of(call.collection)]
                return await home.command(call.args[0], codec_options=_CODEC)
            case "begin":
                course.session = course.session or self.client.start_session()
                return await course.session.start_transaction(_SNAPSHOT, _WRITE, ReadPreference.PRIMARY)
            case "commit":
                return await course.session.commit_transaction() if course.session else None
        name = call.collection
        collection = self.client[self.names.of(name)].get_collection(
            name, _CODEC, ReadPreference.PRIMARY, self.names.concern(name), _READ
        )
        if call.method == "aggregate_undecoded":
            found = await collection.with_options(_UNDECODED).aggregate(*call.args)
            return [document.raw for document in await found.to_list()]
        if call.method == "find_raw":
            database = self.client[self.names.of(name)]
            undecoded = course.with_session({"codec_options": _UNDECODED})
            reply = await database.command(find_command(name, call, inside=course.inside), **undecoded)
            return bytes(reply["cursor"].raw)
        method = getattr(collection, call.method)
        options = course.with_session(call.options)
        if call.method == "find":
            return await method(*call.args, **options).to_list()
        reply = await method(*call.args, **options)
        return await reply.to_list() if call.method == "aggregate" else reply

    async def server_now(self) -> datetime:
        """Return the server's clock (and so find out whether it answers)."""
        return await self.run(_ask_time())

    async def close(self) -> None:
        """Close the sockets."""
        with pymongo.timeout(_ABORT_SECONDS):  # it says goodbye to a server that may be gone
            await self.client.close()


def row_of(document: bytes) -> Row:
    """Decode a document that came as bytes, the way all others are."""
    return bson.decode(document, _CODEC)


def _ask_time() -> Steps[datetime]:
    moment: datetime = yield server_time()
    return moment


def connect(
    settings: MongoSettings,
    *,
    app: str,
    timeout_seconds: float = 5.0,
    renamed: Mapping[str, str] | None = None,
) -> Connection:
    """Connect synchronously; the first question, not this call, finds out whether the server answers.

    ``renamed`` maps our names of collections to what they are called on this server, where that differs.
    """
    uri = resolve_uri(settings)
    options = _client_options(app, timeout_seconds) | credentials(settings)
    with address_errors(uri):
        client: MongoClient[Row] = MongoClient(uri, **options)
    return Connection(client, settings, timeout_seconds, renamed)


def connect_async(settings: MongoSettings, *, app: str, timeout_seconds: float = 5.0) -> AsyncConnection:
    """Connect asynchronously, inside the running event loop."""
    uri = resolve_uri(settings)
    options = _client_options(app, timeout_seconds) | credentials(settings)
    with address_errors(uri):
        client: AsyncMongoClient[Row] = AsyncMongoClient(uri, **options)
    return AsyncConnection(client, settings, timeout_seconds)
