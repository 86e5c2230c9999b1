"""Two real Freqtrade processes in dry run on one paper exchange: ours on a bus, one alone with files for signals."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from quantbus_contracts import SignalBus
from quantbus_contracts.embedded import start_server, stop_server
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Strategy

ROOT = Path(__file__).resolve().parents[2]
STRATEGY = "bench"
PASSWORD = "bench-password"  # noqa: S105  # of a bot that listens on this machine for some minutes
BOOT_SECONDS = 240.0


def await_true(look: Callable[[], bool], *, within: float, what: str) -> None:
    """Wait until ``look`` says so."""
    deadline = time.monotonic() + within
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected {what} within {within:.0f} s")
        time.sleep(0.1)


@dataclass
class Bot:
    """``freqtrade trade`` in a folder of its own."""

    folder: Path
    environment: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def config(self) -> dict[str, Any]:
        """What the bot is started with."""
        read: dict[str, Any] = json.loads((self.folder / "bot.json").read_text(encoding="utf-8"))
        return read

    def change(self, changes: dict[str, Any]) -> None:
        """Write other values into the config."""
        (self.folder / "bot.json").write_text(json.dumps(self.config | changes), encoding="utf-8")

    def start(self) -> None:
        """Start, without waiting."""
        command = [beside_python("freqtrade"), "trade", "--userdir", self.folder / "user_data"]
        with (self.folder / "freqtrade.log").open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own environment's command
                [*map(str, command), "--config", str(self.folder / "bot.json")],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def await_running(self) -> None:
        """Wait for the end of a loop that began after now."""
        since = time.time()
        await_true(lambda: self._last_loop() > since, within=BOOT_SECONDS, what=f"a loop of {self.folder}")

    def throttle(self, seconds: int) -> None:
        """Let the bot pause so long between loops, from now on."""
        self.change({"internals": self.config["internals"] | {"process_throttle_secs": seconds}})
        self._api("POST", "/reload_config")

    def orders(self) -> list[tuple[str, str, float]]:
        """Return pair, side and time (seconds since the epoch) of every order, oldest first."""
        database = f"file:{self.folder / 'trades.sqlite'}?mode=ro"
        with closing(sqlite3.connect(database, uri=True)) as connection:
            rows = connection.execute(
                "SELECT ft_pair, ft_order_side, order_date FROM orders ORDER BY id"
            ).fetchall()
        return [(pair, side, _seconds(moment)) for pair, side, moment in rows]

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
            self.process.kill()
            self.process.wait()

    def _last_loop(self) -> float:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"the bot has ended; read {self.folder / 'freqtrade.log'}")
        with suppress(httpx.HTTPError):
            moment = self._api("GET", "/health")["last_process"]
            return datetime.fromisoformat(moment).timestamp() if moment else 0.0
        return 0.0

    def _api(self, method: str, path: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.config['api_server']['listen_port']}/api/v1{path}"
        with httpx.Client(auth=("quantbus", PASSWORD), timeout=10, trust_env=False) as client:
            answer: dict[str, Any] = client.request(method, url).raise_for_status().json()
        return answer


@dataclass(frozen=True)
class Ground:
    """Everything that runs."""

    connection: Connection
    ours: Bot
    alone: Bot
    pairs: tuple[str, ...]

    @property
    def flags(self) -> Path:
        """Where the bot without a bus looks for signals."""
        return self.alone.folder


@contextmanager
def running(pairs: tuple[str, ...], *, throttle: int, tick: Callable[[str], None]) -> Iterator[Ground]:
    """Start a bus, an exchange and both bots in a temporary folder, and end and remove them."""
    with ExitStack() as ending:
        folder = Path(tempfile.mkdtemp(prefix="quantbus-bench-"))
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        tick("starting a bus and an exchange")
        server = start_server(folder / "home")
        ending.callback(stop_server, folder / "home")
        connection = ending.enter_context(
            closing(connect(MongoSettings(mongo_uri=server.uri), app="bench", timeout_seconds=60))
        )
        initialise(connection)
        declaration = Strategy(
            strategy_id=STRATEGY, venue="BINANCE", timeframe="1m", pairs=pairs, cadence_bars=None
        )
        SignalBus(connection, publisher="bench").declare(declaration)
        environment = _environment(folder / "home")
        url = _start_exchange(folder, pairs, environment, ending)
        ours = _our_bot(folder / "ours", url, pairs, throttle, environment)
        alone = _lone_bot(folder / "alone", ours)
        for bot in (ours, alone):
            bot.start()
            ending.callback(bot.stop)
        tick("booting two bots")
        for bot in (ours, alone):
            bot.await_running()
        yield Ground(connection, ours, alone, pairs)


def beside_python(name: str) -> Path:
    """Return a command of this environment."""
    return Path(sys.executable).parent / name


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


def _environment(home: Path) -> dict[str, str]:
    strange = ("QUANTBUS_", "EXT_SIG_", "FREQTRADE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    return kept | {"QUANTBUS_HOME": str(home), "NO_PROXY": "127.0.0.1"}


def _start_exchange(
    folder: Path, pairs: tuple[str, ...], environment: dict[str, str], ending: ExitStack
) -> str:
    ready = folder / "exchange.json"
    command = [beside_python("quantbus"), "paper-exchange", "serve", "--port", "0", "--ready-file", ready]
    process = subprocess.Popen(  # noqa: S603  # our own command
        [*map(str, command), "--symbols", ",".join(pairs)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ending.callback(process.wait, 30)
    ending.callback(process.terminate)
    await_true(ready.is_file, within=90, what="a paper exchange")
    return str(json.loads(ready.read_text(encoding="utf-8"))["url"])


def _our_bot(
    folder: Path, url: str, pairs: tuple[str, ...], throttle: int, environment: dict[str, str]
) -> Bot:
    folder.mkdir()
    shutil.copytree(ROOT / "executor/user_data/strategies", folder / "user_data/strategies")
    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    options = {
        "--venue-url": url,
        "--pairs": ",".join(pairs),
        "--strategy-id": STRATEGY,
        "--consumer-id": "bench-bot",
        "--throttle-seconds": throttle,
        "--stake": 20,
        "--db": folder / "trades.sqlite",
        "--api-port": _free_port(),
        "--api-password-file": folder / "password",
        "--out": folder / "bot.json",
    }
    words = [str(word) for option in options.items() for word in option]
    command = [str(beside_python("quantbus")), "executor", "config", *words]
    subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    bot = Bot(folder, environment)
    bot.change({"dry_run_wallet": 30 * len(pairs)})
    return bot


def _lone_bot(folder: Path, like: Bot) -> Bot:
    strategies = Path(__file__).with_name("strategies")
    shutil.copytree(strategies, folder / "user_data/strategies")
    config = like.config
    del config["external_signal"]
    changes = {
        "strategy": "FreqtradeAlone",
        "flags": str(folder),
        "db_url": f"sqlite:///{folder / 'trades.sqlite'}",
        "api_server": config["api_server"] | {"listen_port": _free_port()},
    }
    (folder / "bot.json").write_text(json.dumps(config | changes), encoding="utf-8")
    return Bot(folder, like.environment)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
