"""The processes around a real bot: a real mongod, the paper exchange, and signals published by hand."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from quantbus_contracts.embedded import EmbeddedServer, start_server
from quantbus_contracts.schema import Signal
from tests.e2e.bot import Bot
from tests.e2e.bus_view import CONSUMER, ONE_MINUTE, PAIRS, STRATEGY, BusView, last_closed
from tests.e2e.venue_proxy import VenueProxy
from tests.e2e.waiting import eventually

__all__ = [
    "CONSUMER",
    "ONE_MINUTE",
    "PAIRS",
    "ROOT",
    "STRATEGY",
    "Bus",
    "Stack",
    "beside_python",
    "early_in_a_bar",
    "environment_of",
    "last_closed",
    "make_bot",
    "next_closed",
    "run_quantbus",
    "running_stack",
    "start_exchange",
]

ROOT = Path(__file__).resolve().parents[2]


def beside_python(name: str) -> Path:
    """Return the command of the environment that runs the tests."""
    return Path(sys.executable).parent / name


class Bus(BusView):
    """The bus of a stack; may be hung, killed and brought back."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._pid = server.pid
        self._command = Path(f"/proc/{server.pid}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]
        self._revived: subprocess.Popen[bytes] | None = None
        super().__init__(server.uri)

    @property
    def port(self) -> int:
        """The port of mongod."""
        return self._server.port

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
        return self.bot.trade_of(signal_.pair, signal_.signal_id, within=within)

    def await_closed(self, pair: str, *, within: float = 30.0) -> dict[str, object]:
        """Return the last trade of a pair, once Freqtrade has closed it."""
        return self.bot.await_closed(pair, within=within)

    def await_loops(self, count: int, *, within: float = 30.0) -> float:
        """Wait for further loops of the bot; return the longest time between two of them, in seconds."""
        return self.bot.await_loops(count, within=within)


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Start everything in ``folder``; end everything on the way out."""
    home = folder / "home"
    environment = environment_of(home)
    with ExitStack() as ending:
        bus = Bus(start_server(home))
        ending.callback(bus.close)
        run_quantbus(["bus", "init"], environment)
        bus.declare()
        venue = ending.enter_context(VenueProxy(start_exchange(folder, environment, ending)))
        bot = make_bot(folder, venue.url, environment)
        bot.start()
        ending.callback(bot.stop)
        yield Stack(bus, bot, venue)


def environment_of(home: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("QUANTBUS_", "EXT_SIG_", "FREQTRADE"))
    }
    return {**kept, "QUANTBUS_HOME": str(home), "NO_PROXY": "127.0.0.1"}


def run_quantbus(arguments: list[str], environment: dict[str, str]) -> None:
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


def start_exchange(folder: Path, environment: dict[str, str], ending: ExitStack, *options: str) -> str:
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
        *options,
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


def make_bot(
    folder: Path,
    venue_url: str,
    environment: dict[str, str],
    *options: str,
    pairs: Sequence[str] = PAIRS,
) -> Bot:
    config, database, userdir = folder / "bot.json", folder / "trades.sqlite", folder / "user_data"
    shutil.copytree(ROOT / "executor/user_data/strategies", userdir / "strategies")
    password = folder / "password"
    password.write_text("e2e-password", encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run_quantbus(
        [
            *("executor", "config", *options, "--venue-url", venue_url, "--pairs", ",".join(pairs)),
            *("--strategy-id", STRATEGY, "--consumer-id", CONSUMER, "--throttle-seconds", "1"),
            *("--stake", "20", "--db", str(database), "--api-port", str(port)),
            *("--api-password-file", str(password), "--out", str(config)),
        ],
        environment,
    )
    return Bot(config, userdir, database, folder / "freqtrade.log", environment, f"http://127.0.0.1:{port}")


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
