"""Who listens to which stream: one reading of each stream for all clients, a bounded queue for each."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from quantbus_services.paper_exchange.listings.listings import Kind

__all__ = ["Client", "Feed", "Stream", "StreamHub"]

_log = structlog.get_logger(__name__)
_EVERY_SECONDS = 0.25  # of the wall clock, whatever the exchange's runs at
_QUEUE = 1_000
_REASON_BYTES = 123
_POLICY_VIOLATION = 1008
_GOING_AWAY = 1001
_INTERNAL_ERROR = 1011


@dataclass(frozen=True, slots=True)
class Stream:
    """The klines of one market in one interval."""

    kind: Kind
    name: str
    interval: str

    @property
    def label(self) -> str:
        """What clients call it: ``btcusdt@kline_1m``."""
        return f"{self.name.lower()}@kline_{self.interval}"


Feed = Callable[[Stream, int | None], tuple[Sequence[dict[str, Any]], int | None]]
"""Gives what is new in a stream since the mark of the last reading (None at first), and the next mark."""


class Client:
    """One connection: what it listens to, and what waits to be sent to it."""

    def __init__(self, kind: Kind, *, combined: bool, most_waiting: int = _QUEUE) -> None:
        """Wrap every event with its stream's name if ``combined``."""
        self.kind: Kind = kind
        self.combined = combined
        self.streams: dict[str, Stream] = {}
        self.closing: tuple[int, str] | None = None
        self._waiting: asyncio.Queue[str] = asyncio.Queue(most_waiting)
        self._end = asyncio.Event()

    def offer(self, text: str) -> None:
        """Queue a message; a client that has let too many pile up is dropped instead."""
        try:
            self._waiting.put_nowait(text)
        except asyncio.QueueFull:
            waiting = self._waiting.qsize()
            self.drop(_POLICY_VIOLATION, f"slow client: {waiting} messages were waiting to be read")

    def drop(self, code: int, reason: str) -> None:
        """End the connection with a reason; the first one counts. A close frame has room for 123 bytes of it."""
        if self.closing is None:
            self.closing = code, reason.encode()[:_REASON_BYTES].decode(errors="ignore")
            self._end.set()

    async def next(self) -> str:
        """Return the message that waits longest."""
        return await self._waiting.get()

    async def ended(self) -> None:
        """Wait until the client is dropped."""
        await self._end.wait()


class StreamHub:
    """Reads every stream that someone listens to, and offers what is new to its listeners."""

    def __init__(self, feed: Feed) -> None:
        """Read streams from ``feed``."""
        self._feed = feed
        self._clients: set[Client] = set()
        self._marks: dict[Stream, int | None] = {}
        self._task: asyncio.Task[None] | None = None
        self.dropped: Counter[str] = Counter()

    @property
    def clients(self) -> int:
        """Return how many are connected."""
        return len(self._clients)

    def join(self, client: Client) -> None:
        """Take a client in; the reading begins with the first."""
        self._clients.add(client)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def leave(self, client: Client) -> None:
        """Forget a client; why it was dropped is counted by the first words of its reason."""
        self._clients.discard(client)
        if client.closing is not None:
            self.dropped[client.closing[1].partition(":")[0]] += 1
            _log.info("stream_client_dropped", code=client.closing[0], reason=client.closing[1])

    def drop_all(self, reason: str) -> None:
        """End every connection."""
        for client in tuple(self._clients):
            client.drop(_GOING_AWAY, reason)

    async def _run(self) -> None:
        try:
            while self._clients:
                self.read_once()
                await asyncio.sleep(_EVERY_SECONDS)
        except Exception as error:
            _log.exception("stream_reading_failed")
            for client in tuple(self._clients):
                client.drop(_INTERNAL_ERROR, f"internal error: {error!r}")
            raise
        finally:
            self._marks.clear()

    def read_once(self) -> None:
        """Read every stream once and offer what is new."""
        listeners: dict[Stream, list[Client]] = {}
        for client in self._clients:
            for stream in client.streams.values():
                listeners.setdefault(stream, []).append(client)
        for stream in self._marks.keys() - listeners.keys():
            del self._marks[stream]
        for stream, clients in listeners.items():
            events, self._marks[stream] = self._feed(stream, self._marks.get(stream))
            for event in events:
                plain = json.dumps(event, separators=(",", ":"))
                wrapped = f'{{"stream":"{stream.label}","data":{plain}}}'
                for client in clients:
                    client.offer(wrapped if client.combined else plain)
