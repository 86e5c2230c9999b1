"""The processes around a real bot: a real mongod, the paper exchange, and signals published by hand."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from pydantic import SecretStr

from quantbus_contracts import SignalBus
from quantbus_contracts.embedded import EmbeddedServer, start_server
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Execution, Heartbeat, Signal, Strategy
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from tests.e2e.bot import Bot
from tests.e2e.venue_proxy import VenueProxy
from tests.e2e.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
STRATEGY, CONSUMER = "e2e", "e2e-bot"
PAIRS = tuple(f"{name}/USDT" for name in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "BNB"))
ONE_MINUTE = Timeframe.parse("1m")
_END_STATES = ("refused", "filled", "rejected", "superseded")


def beside_python(name: str) -> Path:
    """Return the command of the environment that runs the tests."""
    return Path(sys.executable).parent / name


class Bus:
    """The bus as a publisher and a reader see it; may be hung, killed and brought back."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._pid = server.pid
        self._command = Path(f"/proc/{server.pid}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]
        self._revived: subprocess.Popen[bytes] | None = None
        settings = MongoSettings(mongo_uri=SecretStr(server.uri))
        self.connection: Connection = connect(settings, app="e2e", timeout_seconds=20)
        self._signals = SignalBus(self.connection, publisher="e2e")

    def declare(self) -> None:
        """Declare the strategy that signals are published for."""
        self._signals.declare(
            Strategy(strategy_id=STRATEGY, venue="BINANCE", timeframe="1m", pairs=PAIRS, cadence_bars=None)
        )

    def publish(
        self, pair: str, action: str, *, ts: datetime | None = None, valid_until: datetime | None = None
    ) -> Signal:
        """Publish a signal about the bar that closed last, or the one that opens at ``ts``."""
        bar = ts or last_closed()
        fields = {"valid_until": valid_until} if valid_until else {}
        signal_ = make_signal(strategy_id=STRATEGY, pair=pair, action=action, ts=bar, **fields)
        report = self._signals.publish([signal_])
        assert report.ok, report.as_dict()
        return signal_

    def row(self, signal_: Signal) -> Execution | None:
        """Return the ledger's row of a signal."""
        rows = ExecutionReader(self.connection).of_signal(signal_.signal_id)
        return rows[0] if rows else None

    def end_of(self, signal_: Signal, *, within: float = 30.0, version: int = 1) -> Execution:
        """Return the final row of a signal, once there is one."""

        def final() -> Execution | None:
            row = self.row(signal_)
            return row if row and row.version >= version and row.state.value in _END_STATES else None

        return eventually(final, within=within, what=f"a final state of {signal_.pair} {signal_.action}")

    def heartbeats(self) -> list[Heartbeat]:
        """Return the signs of life on the bus."""
        return HeartbeatStore(self.connection).all()

    def await_seen(self, signal_: Signal, *, version: int = 1) -> None:
        """Wait until the bot has read a revision of a signal, without having come to an end with it."""

        def seen() -> bool:
            row = self.row(signal_)
            return row is not None and (row.version, row.state.value) == (version, "seen")

        eventually(seen, within=30, what=f"{signal_.pair} {signal_.action} to be seen")

    def hang(self) -> None:
        """Make mongod neither answer nor refuse."""
        os.kill(self._pid, signal.SIGSTOP)

    def kill(self) -> None:
        """Kill mongod."""
        os.kill(self._pid, signal.SIGKILL)
        eventually(self._is_dead, within=30, what="mongod to be dead")

    def revive(self) -> None:
        """Start the killed mongod again, on its own port and files."""
        if not self._is_dead():
            self.kill()
        self._revived = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._pid = self._revived.pid
        eventually(self._answers, within=60, what="mongod to answer again")

    def close(self) -> None:
        """End mongod for good."""
        self.connection.close()
        os.kill(self._pid, signal.SIGTERM)
        if self._revived is not None:
            self._revived.wait(timeout=30)
        else:
            eventually(self._is_dead, within=30, what="mongod to end")

    def _is_dead(self) -> bool:
        state = Path(f"/proc/{self._pid}/stat")
        return not state.exists() or state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"

    def _answers(self) -> bool:
        from quantbus_contracts.errors import BusError

        try:
            self.connection.server_now()
        except BusError:
            return False
        return True


class Stack:
    """Everything that a test asks of the running system."""

    def __init__(self, bus: Bus, bot: Bot, venue: VenueProxy) -> None:
        self.bus = bus
        self.bot = bot
        self.venue = venue

    def trade_of(self, signal_: Signal, *, within: float = 30.0) -> dict[str, object]:
        """Return Freqtrade's trade that carries a signal's id, once it is there."""

        def tagged() -> dict[str, object] | None:
            trades = self.bot.trades(signal_.pair)
            return next((trade for trade in trades if trade["enter_tag"] == signal_.signal_id), None)

        return eventually(
            tagged,
            within=within,
            what=f"a trade of {signal_.pair} by {signal_.signal_id}; read {self.bot.log}",
        )

    def await_closed(self, pair: str, *, within: float = 30.0) -> dict[str, object]:
        """Return the last trade of a pair, once Freqtrade has closed it."""

        def closed() -> dict[str, object] | None:
            trades = self.bot.trades(pair)
            return trades[-1] if trades and not trades[-1]["is_open"] else None

        return eventually(closed, within=within, what=f"{pair} to be closed; read {self.bot.log}")

    def await_loops(self, count: int, *, within: float = 30.0) -> float:
        """Wait for further loops of the bot; return the longest time between two of them, in seconds."""
        seen = [self.bot.last_loop()]

        def enough() -> bool:
            moment = self.bot.last_loop()
            if moment != seen[-1]:
                seen.append(moment)
            return len(seen) > count

        eventually(enough, within=within, what=f"{count} loops of the bot; read {self.bot.log}")
        return max(later - earlier for earlier, later in pairwise(seen))


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Start everything in ``folder``; end everything on the way out."""
    home = folder / "home"
    environment = _environment(home)
    with ExitStack() as ending:
        bus = Bus(start_server(home))
        ending.callback(bus.close)
        _run(["bus", "init"], environment)
        bus.declare()
        venue = ending.enter_context(VenueProxy(_start_exchange(folder, environment, ending)))
        bot = _make_bot(folder, venue.url, environment)
        bot.start()
        ending.callback(bot.stop)
        yield Stack(bus, bot, venue)


def _environment(home: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("QUANTBUS_", "EXT_SIG_", "FREQTRADE"))
    }
    return {**kept, "QUANTBUS_HOME": str(home), "NO_PROXY": "127.0.0.1"}


def _run(arguments: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        [str(beside_python("quantbus")), *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"quantbus {' '.join(arguments)}: {done.stdout}{done.stderr}"


def _start_exchange(folder: Path, environment: dict[str, str], ending: ExitStack) -> str:
    ready, log = folder / "exchange.json", folder / "exchange.log"
    arguments = [
        "paper-exchange",
        "serve",
        "--port",
        "0",
        "--ready-file",
        str(ready),
        "--symbols",
        ",".join(PAIRS),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(beside_python("quantbus")), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    ending.callback(process.wait, 30)
    ending.callback(process.terminate)
    eventually(ready.is_file, within=90, what=f"a paper exchange; read {log}")
    return str(json.loads(ready.read_text(encoding="utf-8"))["url"])


def _make_bot(folder: Path, venue_url: str, environment: dict[str, str]) -> Bot:
    config, database, userdir = folder / "bot.json", folder / "trades.sqlite", folder / "user_data"
    shutil.copytree(ROOT / "executor/user_data/strategies", userdir / "strategies")
    password = folder / "password"
    password.write_text("e2e-password", encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _run(
        [
            *("executor", "config", "--venue-url", venue_url, "--pairs", ",".join(PAIRS)),
            *("--strategy-id", STRATEGY, "--consumer-id", CONSUMER, "--throttle-seconds", "1"),
            *("--stake", "20", "--db", str(database), "--api-port", str(port)),
            *("--api-password-file", str(password), "--out", str(config)),
        ],
        environment,
    )
    return Bot(config, userdir, database, folder / "freqtrade.log", environment, f"http://127.0.0.1:{port}")


def last_closed() -> datetime:
    """Return the open time of the bar that closed last."""
    return ONE_MINUTE.last_closed(datetime.now(UTC))


def next_closed(after: datetime) -> datetime:
    """Return the open time of a later bar than ``after``, once it is closed."""
    return eventually(
        lambda: last_closed() if last_closed() > after else None, within=62, what="a bar to close"
    )


def early_in_a_bar(*, seconds_left: float) -> datetime:
    """Return now, once the bar that is open stays open for at least that long."""

    def now_if_early() -> datetime | None:
        now = datetime.now(UTC)
        left = ONE_MINUTE.close_of(ONE_MINUTE.floor(now)) - now
        return now if left >= timedelta(seconds=seconds_left) else None

    return eventually(now_if_early, within=61, what="the next bar to open")
