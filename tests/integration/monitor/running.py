"""A monitor as its own process, and a stand-in for Freqtrade's REST API."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.monitor.status import Status

QUANTBUS = str(Path(sys.executable).parent / "quantbus")


def environment(mongo: MongoSettings, folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a child: the databases of this test and nothing of the machine's."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "QUANTBUS_HOME": str(folder / "quantbus"),
        "QUANTBUS_MONGO_URI": (mongo.mongo_uri or SecretStr("")).get_secret_value(),
        "QUANTBUS_MARKET_DB": mongo.market_db,
        "QUANTBUS_SIGNALS_DB": mongo.signals_db,
        "QUANTBUS_TRADING_DB": mongo.trading_db,
        "QUANTBUS_MONITOR_DISK_FREE_RATIO": "0",  # the disk of the machine that runs the tests may be full
        **more,
    }


def wait_for(condition: Callable[[], bool], *, what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.05)


class RunningMonitor:
    """A monitor that serves; its address comes from its ready-file."""

    def __init__(self, process: "subprocess.Popen[bytes]", ready_file: Path, log: Path) -> None:
        self.process = process
        self.ready_file = ready_file
        self.log = log
        self.http = httpx.Client(timeout=5, trust_env=False)

    @property
    def url(self) -> str:
        return str(json.loads(self.ready_file.read_text())["url"])

    def code(self, path: str) -> int:
        return self.http.get(self.url + path).status_code

    def status(self) -> Status:
        return Status.model_validate_json(self.http.get(f"{self.url}/status").content)

    def metrics(self) -> dict[str, float]:
        """Return every sample by its name with labels, as Prometheus writes it."""
        lines = self.http.get(f"{self.url}/metrics").text.splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
        }

    def stop(self) -> float:
        """Send SIGTERM; return the seconds until the end."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        return time.monotonic() - started


@contextmanager
def running_monitor(folder: Path, environment: dict[str, str], *arguments: str) -> Iterator[RunningMonitor]:
    ready_file, log = folder / "ready.json", folder / "monitor.log"
    command = [QUANTBUS, "monitor", "serve", "--port", "0", "--interval", "0.2"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--ready-file", str(ready_file), *arguments],
            env=environment,
            cwd=folder,
            stdout=output,
            stderr=output,
        )
        monitor = RunningMonitor(process, ready_file, log)
        try:
            wait_for(
                lambda: ready_file.exists() or process.poll() is not None,
                what=f"the monitor's ready-file (its log: {log.read_text()[-500:]!r})",
                seconds=90,
            )
            assert process.poll() is None, log.read_text()
            yield monitor
        finally:
            monitor.http.close()
            if process.poll() is None:
                process.kill()
                process.wait(timeout=10)


class FreqtradeStandIn:
    """Answers as Freqtrade does, with the trades it is given, to the right user and password only."""

    user = "quantbus"
    password = "made-up"

    def __init__(self) -> None:
        self.open: list[dict[str, object]] = []
        self.closed: dict[int, dict[str, object]] = {}
        self.config: dict[str, object] = {
            "dry_run": True,
            "trading_mode": "spot",
            "stake_currency": "USDT",
            "stoploss_on_exchange": False,
        }
        self.whitelist = ["BTC/USDT"]
        self.pause_seconds = 0.0
        """Before each answer."""
        self.url = ""

    def answer(self, path: str) -> tuple[int, object]:
        time.sleep(self.pause_seconds)
        name = urlsplit(path).path.removeprefix("/api/v1/")
        if name in (answers := self._answers()):
            return 200, answers[name]
        trade_id = int(name.rpartition("/")[2])
        found = self.closed.get(trade_id)
        return (200, found) if found else (404, {"detail": "Trade not found."})

    def _answers(self) -> dict[str, object]:
        currency = {"currency": "USDT", "free": 1_000.0, "is_position": False}
        nothing = dict.fromkeys(
            (
                "profit_all_coin",
                "profit_closed_coin",
                "current_drawdown_high",
                "trade_count",
                "closed_trade_count",
            ),
            0,
        )
        return {
            "status": self.open,
            "trades": {"trades": list(self.closed.values())},
            "show_config": self.config,
            "health": {"last_process_ts": int(time.time()), "bot_start_ts": int(time.time()) - 60},
            "whitelist": {"whitelist": self.whitelist},
            "balance": {
                "currencies": [currency],
                "stake": "USDT",
                "total_bot": 1_000.0,
                "starting_capital": 1_000.0,
            },
            "profit": nothing,
            "daily": {"data": [{"abs_profit": 0.0, "starting_balance": 1_000.0}]},
        }


@contextmanager
def freqtrade_stand_in() -> Iterator[FreqtradeStandIn]:
    bot = FreqtradeStandIn()
    expected = "Basic " + base64.b64encode(f"{bot.user}:{bot.password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers.get("Authorization") == expected
            code, content = bot.answer(self.path) if allowed else (401, {"detail": "Unauthorized"})
            body = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    bot.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield bot
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
