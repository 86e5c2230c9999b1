"""A worker in a process of its own, on a real bus and a clock that moves when it waits, which may be made to die.

Run as ``python -m tests.integration.research.worker_victim MONGO_URI MARKET_DB SIGNALS_DB HOME``: reads orders from
standard input, one JSON object a line, runs each in a fork of itself, and answers with how that ended. So the libraries
are loaded once however often it dies.
"""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.steps import Call
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.testing import FrozenClock
from quantbus_research.metrics import WorkerMetrics
from quantbus_research.worker.loop import BarLoop
from quantbus_research.worker.pulse import Pulse
from quantbus_research.workflows import open_session
from tests.unit.research.panels import MINUTE, START, make_panel
from tests.unit.research.recipes import make_recipe
from tests.unit.research.sessions import candles_of

STORED, ALL = 205, 208


class Present:
    """A clock that moves when somebody waits, and bars that come in half a second after they close."""

    def __init__(self, connection: Connection, now: datetime, note: Path) -> None:
        self.clock = FrozenClock(now)
        self._writer = CandleWriter(connection)
        panel = make_panel(ALL)
        coming = panel.index.get_level_values(1) >= START + STORED * MINUTE.delta
        self._coming = candles_of(panel[coming])
        self._note = note

    def pause(self, seconds: float) -> bool:
        if seconds:
            self.clock.advance(timedelta(seconds=max(seconds, 0.01)))
        now = self.clock.now()
        self._note.write_text(now.isoformat())
        fresh = [bar for bar in self._coming if bar.open_time + MINUTE.delta + timedelta(seconds=0.5) <= now]
        if fresh:
            self._coming = [bar for bar in self._coming if bar not in fresh]
            self._writer.write(fresh)
        return now >= START + (ALL + 0.5) * MINUTE.delta


def die_after(connection: Connection, number: int) -> None:
    """Make the process end by SIGKILL right after the bus's answer to call ``number``."""
    perform = connection._perform
    calls = iter(range(1, 1_000_000))

    def perform_or_die(call: Call, course: Any) -> Any:
        reply = perform(call, course)
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return reply

    connection._perform = perform_or_die  # type: ignore[method-assign]


def work(settings: MongoSettings, order: dict[str, Any]) -> None:
    """Run the worker until the bars are at their end, or until it dies."""
    connection = connect(settings, app="victim", timeout_seconds=20)
    feeding = connect(settings, app="feeding", timeout_seconds=20)
    home = Path(order["home"])
    home.mkdir(parents=True, exist_ok=True)
    present = Present(feeding, datetime.fromisoformat(order["now"]), Path(order["note"]))
    recipe = make_recipe(*order["overrides"])
    session = replace(open_session(recipe, connection, home, present.clock), speaks_as=order["speaks_as"])
    loop = BarLoop(
        session,
        metrics=WorkerMetrics(CollectorRegistry()),
        pulse=Pulse(HeartbeatStore(connection), present.clock, instance=order["speaks_as"]),
        pause=present.pause,
    )
    if order["dies_after"]:
        die_after(connection, order["dies_after"])
    loop.run()


def forked(settings: MongoSettings, order: dict[str, Any]) -> int:
    """Return how a fork that does the work ended: 0, or the negative number of the signal that killed it."""
    child = os.fork()
    if child == 0:
        os.dup2(
            sys.stderr.fileno(), sys.stdout.fileno()
        )  # answers are the parent's, log lines are not answers
        ended = 1
        try:
            work(settings, order)
            ended = 0
        finally:
            os._exit(ended)
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 99


if __name__ == "__main__":
    uri, market, signals = sys.argv[1:4]
    named = MongoSettings(
        home=Path("/nonexistent"), mongo_uri=SecretStr(uri), market_db=market, signals_db=signals
    )
    named = named.model_copy(update={"trading_db": sys.argv[4]})
    for line in sys.stdin:
        sys.stdout.write(f"{forked(named, json.loads(line))}\n")
        sys.stdout.flush()
