"""Other ways from a publisher to a consumer on one machine: SQLite that is polled, Redis streams."""

import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bus_parts.delay import PAUSE_SECONDS, Delays, add
from bus_parts.ground import Results

POLL_SECONDS = 0.05
PAYLOAD = b'{"strategy_id":"bench","pair":"C0/USDT","timeframe":"1m","action":"enter_long","score":0.5}'


def run(count: int, send: Callable[[int], None], receive: Callable[[int], float]) -> Delays:
    """Send numbers one after the other; ``receive`` returns when the number was seen."""
    found = Delays()
    for number in range(1, count + 1):
        begun = time.perf_counter()
        send(number)
        found.acknowledged.append(time.perf_counter() - begun)
        found.consumed.append(receive(number) - begun)
        time.sleep(PAUSE_SECONDS)
    return found


class Reader(threading.Thread):
    """Calls ``next_number`` again and again and notes when each number came."""

    def __init__(self, next_number: Callable[[], int]) -> None:
        super().__init__(daemon=True)
        self._next_number = next_number
        self._seen: dict[int, float] = {}
        self._came = threading.Condition()
        self._halt = False

    def run(self) -> None:
        """Read until stopped."""
        while not self._halt:
            number = self._next_number()
            with self._came:
                self._seen.setdefault(number, time.perf_counter())
                self._came.notify_all()

    def seen(self, number: int) -> float:
        """Return when a number was seen; wait for it."""
        with self._came:
            assert self._came.wait_for(lambda: number in self._seen, 30), "it never came"
            return self._seen[number]

    def stop(self) -> None:
        """End with the next answer."""
        self._halt = True
        self.join(10)


def sqlite_polled(count: int) -> Delays:
    """Commit rows with full synchronisation; a reader asks every 50 ms."""
    with tempfile.TemporaryDirectory(prefix="quantbus-bench-") as folder:
        path = Path(folder) / "bus.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("PRAGMA journal_mode=WAL")
            writer.execute("PRAGMA synchronous=FULL")
            writer.execute("CREATE TABLE signals (number INTEGER PRIMARY KEY, body BLOB)")

            def poll() -> int:
                time.sleep(POLL_SECONDS)
                with closing(sqlite3.connect(path)) as reader:
                    return int(reader.execute("SELECT coalesce(max(number), 0) FROM signals").fetchone()[0])

            thread = Reader(poll)
            thread.start()
            found = run(
                count,
                lambda number: (
                    writer.execute("INSERT INTO signals VALUES (?, ?)", (number, PAYLOAD)) and None
                ),
                thread.seen,
            )
            thread.stop()
    return found


class RedisClient:
    """As much of Redis's protocol as one command and its answer need."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._file = self._socket.makefile("rb")

    def ask(self, *parts: bytes) -> object:
        """Send one command; return its answer."""
        body = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n%b" % (len(parts), body))
        return self._answer()

    def _answer(self) -> object:
        line = self._file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._answer() for _ in range(int(rest))]
        return rest

    def close(self) -> None:
        """Close the socket."""
        self._file.close()
        self._socket.close()


@contextmanager
def redis_server(binary: str, fsync: str) -> Iterator[int]:
    """Run Redis with an append-only file in a folder of its own; yield its port."""
    with tempfile.TemporaryDirectory(prefix="quantbus-bench-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        always = ["--appendfsync", fsync, "--save", ""]
        process = subprocess.Popen(  # noqa: S603  # a local server on a port of our own
            [binary, *f"--port {port} --bind 127.0.0.1 --dir {folder} --appendonly yes".split(), *always],
            stdout=subprocess.DEVNULL,
        )
        try:
            for _ in range(200):
                try:
                    RedisClient(port).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def redis_streams(count: int, binary: str, fsync: str) -> Delays:
    """Add to a stream; a reader blocks on it."""
    with redis_server(binary, fsync) as port:
        writer, reader = RedisClient(port), RedisClient(port)
        last = [b"0-0"]

        def read() -> int:
            answer = reader.ask(b"XREAD", b"BLOCK", b"1000", b"STREAMS", b"signals", last[0])
            if not isinstance(answer, list):
                return 0
            entry = answer[0][1][-1]
            last[0] = entry[0]
            return int(entry[1][1])

        thread = Reader(read)
        thread.start()
        found = run(
            count,
            lambda number: (
                writer.ask(b"XADD", b"signals", b"*", b"n", b"%d" % number, b"b", PAYLOAD) and None
            ),
            thread.seen,
        )
        thread.stop()
        writer.close()
        reader.close()
    return found


def measure(results: Results, *, rounds: int, count: int, tick: Callable[[str], None]) -> None:
    """Measure the peers that this machine has."""
    tick("peers: SQLite")
    add(
        results,
        f"SQLite polled every {POLL_SECONDS * 1e3:.0f} ms",
        [sqlite_polled(count) for _ in range(rounds)],
    )
    binary = shutil.which("redis-server")
    if binary is None:
        results.notes.append("Redis: no redis-server on PATH, left out")
        return
    for fsync in ("always", "everysec"):
        tick(f"peers: Redis streams, appendfsync {fsync}")
        add(
            results,
            f"Redis stream, appendfsync {fsync}",
            [redis_streams(count, binary, fsync) for _ in range(rounds)],
        )
