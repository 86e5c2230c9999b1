"""Every revision of every signal as it reaches the bus, once each, also across broken connections.

A change stream follows the writes. After a break it is opened again behind the last event that was handed out
(its resume token). Where the server no longer keeps the changes since then, and where a start in the past is
asked for, what stands is read instead, in the same causal session, so that nothing falls between the reading
and the stream; what both show is shown once.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from quantbus_contracts.errors import BusError, BusUnavailable, ConfigError, ContractError
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.signal_search import SignalFilter, readable_signal
from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.schema import PublishedSignal, Revision

__all__ = ["SignalEvent", "SignalStream"]

COLLECTION = "crypto_signals"
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
_AWAIT_MS = 500
_CATCH_UP_SECONDS = 120.0
# Publishers' rows carry a clock that was read before their write, by seconds at most; and the pairs of id and
# version that are remembered to tell twins must reach back as far as two readings can overlap.
_OVERLAP = timedelta(minutes=5)
_LOST = (280, 286)  # the token is not in the oplog, or lies before its beginning
_GONE = ("drop", "rename", "dropDatabase", "invalidate")


@dataclass(frozen=True, slots=True)
class SignalEvent:
    """One revision that reached the bus. ``token`` continues behind it; None where none is known yet."""

    published: PublishedSignal
    token: str | None


@dataclass(slots=True)
class _Open:
    """An open change stream with what belongs to it."""

    connection: Connection
    session: Any
    changes: Any

    @property
    def token(self) -> str:
        return str(self.changes.resume_token["_data"])

    def close(self) -> None:
        try:
            self.changes.close()
            self.session.end_session()
        except PyMongoError:  # the connection is broken: there is nothing left to close properly
            pass
        finally:
            self.connection.close()


_Mark = tuple[datetime, str, int]


class SignalStream:
    """Follows the bus: ``with SignalStream(...) as stream``, then ask `next_event` again and again."""

    def __init__(
        self,
        open_connection: Callable[[], Connection],
        chosen: SignalFilter | None = None,
        *,
        since: datetime | None = None,
        after: str | None = None,
        on_break: Callable[[BusUnavailable], None] | None = None,
    ) -> None:
        """Follow the signals of ``chosen`` from now on, from ``since`` (``available_at``), or behind a token.

        ``open_connection`` is called anew after each break, since an embedded server may come back at another port;
        its time-out is how long a dead server is waited for before the next try.
        """
        if since is not None and after is not None:
            raise ContractError("expected a time to start from or a token to continue after, found both")
        self._open_connection = open_connection
        self._chosen = chosen or SignalFilter()
        self._since = since
        self._token = after
        self._on_break = on_break
        self._open: _Open | None = None
        self._was_open = False
        self._waiting: deque[SignalEvent] = deque()
        self._shown: set[_Mark] = set()
        self._newest: datetime | None = None
        self._pause = SHORTEST_PAUSE
        self._broken_at: float | None = None

    @property
    def token(self) -> str | None:
        """Where the stream stands; None before it is open, and while what stood before is handed out."""
        return None if self._waiting else self._token

    @property
    def broken_for_seconds(self) -> float:
        """How long the bus has not answered; 0 while it does."""
        return 0.0 if self._broken_at is None else time.monotonic() - self._broken_at

    def open(self) -> None:
        """Open the stream: what is written from now on will be handed out.

        Raises
        ------
        BusUnavailable
            If the bus does not answer. Once it did, `next_event` is patient instead.
        """
        if self._open is None:
            self._start()

    def next_event(self, *, wait_seconds: float) -> SignalEvent | None:
        """Return the next revision; None if none came within about ``wait_seconds``.

        A broken connection is no error: it is opened again here, with growing pauses of at most
        `LONGEST_PAUSE` seconds. Watch `broken_for_seconds` to give up.

        Raises
        ------
        BusError
            If the stream cannot go on: the collection was dropped, or the token is not one of this bus.
        """
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                event = self._next()
            except BusUnavailable as error:
                self._break(error)
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                time.sleep(min(self._pause, left))
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
                continue
            if event is not None or time.monotonic() >= deadline:
                return event

    def close(self) -> None:
        """Close the stream and its connection."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _break(self, error: BusUnavailable) -> None:
        self.close()
        if self._broken_at is None:
            self._broken_at = time.monotonic()
            if self._on_break is not None:
                self._on_break(error)

    def _next(self) -> SignalEvent | None:
        opened = self._open or self._start()
        if self._waiting:
            return self._waiting.popleft()
        with translated_errors():
            change = opened.changes.try_next()
        token = opened.token
        event = None if change is None else self._event_of(change, token)
        self._token = token  # only now: should the change be unreadable, it is asked for again
        self._broken_at, self._pause = None, SHORTEST_PAUSE
        return event

    def _start(self) -> _Open:
        """Open the stream behind the token; without one, or where it is lost, read what stands besides."""
        try:
            opened = self._open_changes(self._token)
            catch_up_from = self._since if self._token is None else None
        except _Lost:
            if self._since is None:  # only a token was given, and nothing was shown yet
                raise
            opened = self._open_changes(None)
            catch_up_from = max(self._since, (self._newest or self._since) - _OVERLAP)
        try:
            if self._since is None and self._token is None:
                self._since = opened.connection.server_now()
            if catch_up_from is not None:
                self._catch_up(opened, catch_up_from)
        except BusError:
            opened.close()
            raise
        self._token = opened.token
        self._open, self._was_open = opened, True
        return opened

    def _open_changes(self, token: str | None) -> _Open:
        try:
            connection = self._open_connection()
        except ConfigError as error:
            if self._was_open:  # an embedded server that is down leaves no address
                raise BusUnavailable(str(error)) from error
            raise
        try:
            with translated_errors():
                session = connection.client.start_session(causal_consistency=True)
                changes = connection.collection(COLLECTION).watch(
                    _pipeline(self._chosen),
                    full_document="updateLookup",
                    resume_after={"_data": token} if token else None,
                    max_await_time_ms=_AWAIT_MS,
                    session=session,
                )
        except BusError as error:
            connection.close()
            raise _explained(error, token) from error
        return _Open(connection, session, changes)

    def _catch_up(self, opened: _Open, since: datetime) -> None:
        """Queue what became available since, oldest first, but for what was shown."""
        query = self._chosen.conditions() | {"available_at": {"$gte": since}}
        found: list[PublishedSignal] = []
        with translated_errors(), pymongo.timeout(_CATCH_UP_SECONDS):
            for row in opened.connection.collection(COLLECTION).find(query, session=opened.session):
                standing = readable_signal(row)
                if standing is not None:
                    found += [item for item in _revisions(standing) if item.available_at >= since]
        found.sort(key=lambda item: (item.available_at, item.signal_id, item.version))
        self._waiting.extend(SignalEvent(item, None) for item in found if self._is_new(item))

    def _event_of(self, change: Row, token: str) -> SignalEvent | None:
        if change["operationType"] in _GONE:
            raise BusError(f"expected {COLLECTION} to stay, found it dropped or renamed; begin anew")
        row = change.get("fullDocument")
        standing = readable_signal(row) if row else None
        if standing is None:
            return None  # removed since, or written past the validators
        updated = change.get("updateDescription", {}).get("updatedFields", {})
        version = updated.get("version", standing.version)  # what is looked up may be newer than the change
        for item in _revisions(standing):
            if item.version == version and self._is_new(item):
                return SignalEvent(item, token)
        return None

    def _is_new(self, item: PublishedSignal) -> bool:
        """Tell whether a revision was not shown yet, and note that it is now."""
        mark = (item.available_at, item.signal_id, item.version)
        if mark in self._shown:
            return False
        self._shown.add(mark)
        self._newest = max(item.available_at, self._newest or item.available_at)
        if len(self._shown) % 5_000 == 0:
            oldest = self._newest - 2 * _OVERLAP
            self._shown = {kept for kept in self._shown if kept[0] >= oldest}
        return True


class _Lost(BusError):
    """The server no longer keeps the changes behind the token."""


def _explained(error: BusError, token: str | None) -> BusError:
    cause = error.__cause__
    if token is None or not isinstance(cause, OperationFailure) or isinstance(error, BusUnavailable):
        return error
    if cause.code in _LOST:
        return _Lost(
            "expected a token that the server can still continue after, found one whose changes it no longer "
            "keeps; begin at a time instead"
        )
    said = (cause.details or {}).get("errmsg", "")
    return BusError(f"expected a token of this bus to continue after, found {token[:80]!r}: {said}")


def _pipeline(chosen: SignalFilter) -> list[Row]:
    """Let through what concerns the chosen signals: new ones, revisions, and the end of the collection."""
    revised = {"operationType": "update", "updateDescription.updatedFields.version": {"$exists": True}}
    written = {"$or": [{"operationType": {"$in": ["insert", "replace"]}}, revised]}
    wanted = {"$and": [written, chosen.conditions("fullDocument.")]}
    return [{"$match": {"$or": [wanted, {"operationType": {"$in": list(_GONE)}}]}}]


def _revisions(standing: PublishedSignal) -> Iterator[PublishedSignal]:
    """Yield every state that a signal has had, oldest first, each with the history of its time."""
    for index, former in enumerate(standing.history):
        yield _as_published(former, standing.history[:index])
    yield standing


def _as_published(revision: Revision, history: tuple[Revision, ...]) -> PublishedSignal:
    return PublishedSignal(
        signal=revision.signal,
        version=revision.version,
        available_at=revision.available_at,
        valid_until=revision.valid_until,
        published_by=revision.published_by,
        history=history,
    )
