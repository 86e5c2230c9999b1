"""A real Freqtrade process, asked through its own API and its own database."""

import contextlib
import os
import signal
import sqlite3
import subprocess
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.waiting import eventually

_BOOT_SECONDS = 180.0  # about 20 CPU seconds, on a machine that does other things as well


class Bot:
    """``freqtrade trade`` in dry run; may be killed and started again on the same database."""

    def __init__(
        self, config: Path, userdir: Path, database: Path, log: Path, environment: dict[str, str], api: str
    ) -> None:
        self._command = ["freqtrade", "trade", "--userdir", str(userdir), "--config", str(config)]
        self._environment = environment
        self._database = database
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.url = api
        self.login = ("quantbus", "e2e-password")
        self._api = httpx.Client(base_url=f"{api}/api/v1", auth=self.login, timeout=10, trust_env=False)

    def start(self) -> None:
        """Start, and return once the bot runs its loop."""
        from tests.e2e.stack import beside_python

        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(beside_python(self._command[0])), *self._command[1:]],
                env={**self._environment, "COLUMNS": "1000"},  # or its log breaks lines that tests look for
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(self._is_running, within=_BOOT_SECONDS, what=f"a running bot; read {self.log}")

    def kill(self) -> None:
        """End it without any chance to tidy up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator does."""
        self._end(signal.SIGTERM)
        self._api.close()

    def ask(self, path: str) -> Any:
        """Return what the bot's own REST API says."""
        reply = self._api.get(path)
        reply.raise_for_status()
        return reply.json()

    def tell(self, path: str, body: object = None) -> Any:
        """Post to the bot's own REST API."""
        reply = self._api.post(path, json=body)
        reply.raise_for_status()
        return reply.json()

    def last_loop(self) -> float:
        """Return when the bot last finished its loop, in seconds since the epoch; 0 before the first."""
        moment = self.ask("/health")["last_process"]
        return datetime.fromisoformat(moment).timestamp() if moment else 0.0

    def trades(self, pair: str) -> list[dict[str, Any]]:
        """Return the trades of a pair, oldest first, as they stand in Freqtrade's own database."""
        with contextlib.closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT * FROM trades WHERE pair = ? ORDER BY id", (pair,)).fetchall()
        return [dict(row) for row in rows]

    def trade_of(self, pair: str, tag: str, *, within: float = 30.0) -> dict[str, object]:
        """Return the trade of a pair that carries a tag, once it is there."""

        def tagged() -> dict[str, object] | None:
            trades = self.trades(pair)
            return next((trade for trade in trades if trade["enter_tag"] == tag), None)

        return eventually(
            tagged,
            within=within,
            what=f"a trade of {pair} by {tag}; read {self.log}",
        )

    def orders(self, trade_id: object) -> list[dict[str, Any]]:
        """Return the orders of a trade, oldest first, as they stand in Freqtrade's own database."""
        with contextlib.closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT * FROM orders WHERE ft_trade_id = ? ORDER BY id", (trade_id,))
            return [dict(row) for row in rows.fetchall()]

    def connections_to(self, port: int) -> int:
        """Return how many TCP connections to a port of this machine the bot holds."""
        assert self._process is not None
        folder = Path(f"/proc/{self._process.pid}")
        inodes = set()
        for descriptor in (folder / "fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(descriptor.readlink().name.removeprefix("socket:[").removesuffix("]"))
        rows = (folder / "net/tcp").read_text(encoding="utf-8").splitlines()[1:]
        fields = [row.split() for row in rows]
        established = "01"
        return sum(
            row[9] in inodes and row[3] == established and row[2].endswith(f":{port:04X}") for row in fields
        )

    def await_closed(self, pair: str, *, within: float = 30.0) -> dict[str, object]:
        """Return the last trade of a pair, once it is closed."""

        def closed() -> dict[str, object] | None:
            trades = self.trades(pair)
            return trades[-1] if trades and not trades[-1]["is_open"] else None

        return eventually(closed, within=within, what=f"{pair} to be closed; read {self.log}")

    def await_loops(self, count: int, *, within: float = 30.0) -> float:
        """Wait for further loops of the bot; return the longest time between two of them, in seconds."""
        seen = [self.last_loop()]

        def enough() -> bool:
            moment = self.last_loop()
            if moment != seen[-1]:
                seen.append(moment)
            return len(seen) > count

        eventually(enough, within=within, what=f"{count} loops of the bot; read {self.log}")
        return max(later - earlier for earlier, later in pairwise(seen))

    def _is_running(self) -> bool:
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"the bot ended with code {code}; read {self.log}"
        with contextlib.suppress(httpx.HTTPError):
            return self.last_loop() > 0
        return False

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        # Freqtrade makes an exception of SIGTERM wherever it happens to be; raised in a destructor it is lost.
        for _ in range(4):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=15)
                break
        else:
            raise AssertionError(f"the bot did not end within a minute; read {self.log}")
        self._process = None
