"""What bots and signals stand on, as processes of their own, each of which may be hurt by itself.

A bus of three members on a disk of its own, two exchanges that tell different bars, live ingestion from both, an
account, the monitor, Prometheus and Alertmanager. Freqtrade is a real HTTP server that speaks its API.
"""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from quantbus_contracts import SignalBus
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.schema import Strategy
from tests.e2e.stack import PAIRS, beside_python, environment_of, start_exchange
from tests.e2e.waiting import eventually
from tests.fixtures.own_mongod import TEST_COMMANDS, Mongod, ReplicaSet
from tests.fixtures.tcp_proxy import TcpProxy, running_proxy
from tests.integration.monitor.alerting.bot_on_paper import BotOnPaper
from tests.integration.monitor.alerting.conditions import Condition, Sampler
from tests.integration.monitor.alerting.receivers import Inbox, Messenger, mail_server
from tests.integration.monitor.alerting.small_disk import SmallDisk, small_disk
from tests.integration.monitor.alerting.stopwatch import waits_of
from tests.integration.monitor.alerting.towers import free_port, running_alertmanager, running_prometheus
from tests.integration.monitor.running import FreqtradeStandIn, freqtrade_stand_in, running_monitor

MONITOR, INGESTION = "quantbus-monitor", "quantbus-ingestion"
ACCOUNT, BOT = "live", "paper-bot"


@dataclass
class Footing:
    """Everything that a fault is done to, and who is told."""

    folder: Path
    disk: SmallDisk
    members: ReplicaSet
    connection: Connection
    exchange: str
    bus_line: TcpProxy
    account_line: TcpProxy
    bot: BotOnPaper
    api: FreqtradeStandIn
    alertmanager: str
    monitors: "Monitors"
    sampler: Sampler
    messenger: Inbox
    waits: dict[str, float]
    silence: str = ""

    def secondaries(self) -> list[Mongod]:
        primary = self.members.primary()
        return [node for node in self.members.nodes if node is not primary]


class Monitors:
    """One monitor after the other at one address."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self.environment = environment
        self._running = ExitStack()
        self._count = 0
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self, **settings: str) -> None:
        """End the one that runs, and start another."""
        self.close()
        self._count += 1
        folder = self._folder / f"monitor{self._count}"
        folder.mkdir()
        environment = {**self.environment, **settings}
        more = ("--interval", "3", "--port", str(self._port))
        self._running.enter_context(running_monitor(folder, environment, *more))

    def close(self) -> None:
        self._running.close()


def run_process(folder: Path, name: str, words: list[str], environment: dict[str, str]) -> ExitStack:
    """Run a command of ours until the stack that is returned is closed."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(beside_python("quantbus")), *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    ending = ExitStack()
    ending.callback(process.wait, 30)
    ending.callback(process.kill)
    return ending


def start_ingestion(
    folder: Path, environment: dict[str, str], first: str, second: str
) -> tuple[ExitStack, str]:
    port = free_port()
    words = ["ingest", "live", "--symbols", ",".join(PAIRS), "--timeframes", "1m", "--venue-url", first]
    words += ["--fallback", "BINANCEUS:BTCUSDT", "--fallback-url", second, "--metrics-port", str(port)]
    settings = {
        "QUANTBUS_INGESTION_STREAM": "false",
        "QUANTBUS_INGESTION_HISTORY_DAYS": "0.02",
        "QUANTBUS_INGESTION_FALLBACK_AFTER_SECONDS": "5",
        "QUANTBUS_INGESTION_GAP_CHECK_SECONDS": "5",
    }
    return run_process(folder, "ingestion", words, {**environment, **settings}), f"http://127.0.0.1:{port}"


def start_account(folder: Path, environment: dict[str, str], exchange: str, line: TcpProxy) -> ExitStack:
    asked = {"name": ACCOUNT, "spot": {"USDT": "1000"}, "keys": [{"can_trade": False}]}
    reply = httpx.post(f"{exchange}/paper/accounts", json=asked, trust_env=False).raise_for_status()
    (key,) = reply.json()["keys"]
    settings = {
        "QUANTBUS_ACCOUNT_NAME": ACCOUNT,
        "QUANTBUS_ACCOUNT_VENUE_URL": f"http://127.0.0.1:{line.port}",
        "QUANTBUS_ACCOUNT_KEY": key["api_key"],
        "QUANTBUS_ACCOUNT_SECRET": key["secret"],
        "QUANTBUS_ACCOUNT_TIMEOUT_SECONDS": "3",
        "QUANTBUS_ACCOUNT_ATTEMPTS": "1",
    }
    return run_process(
        folder, "account", ["account", "watch", "--interval", "3"], {**environment, **settings}
    )


def monitor_settings(
    bus_line: TcpProxy, api: FreqtradeStandIn, messengers: Path, disk: SmallDisk
) -> dict[str, str]:
    return {
        "QUANTBUS_MONGO_URI": f"mongodb://127.0.0.1:{bus_line.port}/?directConnection=true",
        "QUANTBUS_MONITOR_ALERT_URLS_FILE": str(messengers),
        "QUANTBUS_MONITOR_FREQTRADE_URL": api.url,
        "QUANTBUS_MONITOR_FREQTRADE_USER": api.user,
        "QUANTBUS_MONITOR_FREQTRADE_PASSWORD": api.password,
        "QUANTBUS_MONITOR_FREQTRADE_ACCOUNT": ACCOUNT,
        "QUANTBUS_MONITOR_ACCOUNT_STALE_SECONDS": "15",
        "QUANTBUS_MONITOR_SETTLE_SECONDS": "10",
        "QUANTBUS_MONITOR_BLOCK_ENTRIES": "never",
        "QUANTBUS_MONITOR_DISK_FREE_RATIO": "0" if disk.why_not else "0.1",
    }


def running_members(disk: SmallDisk, ending: ExitStack) -> ReplicaSet:
    extra = ("--wiredTigerCacheSizeGB=0.25", TEST_COMMANDS)
    members = ReplicaSet([Mongod(disk.folder / f"node{number}", extra) for number in range(3)])
    ending.callback(members.kill)
    members.initiate(electionTimeoutMillis=30_000, heartbeatIntervalMillis=500)  # the primary stays
    return members


@contextmanager
def running_footing(folder: Path, watched: dict[str, tuple[str, Condition]]) -> Iterator[Footing]:
    with ExitStack() as ending:
        disk = ending.enter_context(small_disk(folder / "disk"))
        members = running_members(disk, ending)
        environment = environment_of(folder / "home") | {"QUANTBUS_MONGO_URI": members.uri}
        mongo = members.settings(folder / "home")
        connection = ending.enter_context(closing(connect(mongo, app="test", timeout_seconds=60)))
        initialise(connection)
        declaration = Strategy(
            strategy_id="demo", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT",), cadence_bars=1_000
        )
        SignalBus(connection, publisher="test").declare(declaration)
        urls = []
        for number, more in enumerate((("--accounts",), ("--seed", "2"))):
            place = folder / f"exchange{number}"
            place.mkdir()
            urls.append(start_exchange(place, environment, ending, *more))
        first, second = urls
        lacking = {"symbol": "ETHUSDT", "share": 0.3}
        httpx.put(
            f"{first}/paper/faults/missing_candle", json=lacking, timeout=10, trust_env=False
        ).raise_for_status()
        process, ingestion = start_ingestion(folder, environment, first, second)
        ending.enter_context(process)
        account_line = ending.enter_context(running_proxy(int(first.rpartition(":")[2])))
        ending.enter_context(start_account(folder, environment, first, account_line))
        api = ending.enter_context(freqtrade_stand_in())
        api.config["dry_run"] = False
        bot = BotOnPaper(connection, folder, account=ACCOUNT, consumer=BOT)
        bot.start()
        ending.callback(bot.close)
        bus_line = ending.enter_context(running_proxy(members.await_primary().port))
        messenger = ending.enter_context(Messenger())
        mail = ending.enter_context(mail_server())
        messengers = folder / "messengers"
        messengers.write_text(messenger.address)
        settings = monitor_settings(bus_line, api, messengers, disk)
        monitors = Monitors(folder, {**environment, **settings})
        ending.callback(monitors.close)
        monitors.start()
        alertmanager = ending.enter_context(running_alertmanager(folder, monitors.url, messenger, mail))
        targets = {MONITOR: monitors.url, INGESTION: ingestion}
        prometheus = ending.enter_context(running_prometheus(folder, targets, alertmanager, resend_seconds=5))
        sampler = ending.enter_context(Sampler(targets, watched))
        stage = Footing(
            folder,
            disk,
            members,
            connection,
            first,
            bus_line,
            account_line,
            bot,
            api,
            alertmanager.url,
            monitors,
            sampler,
            messenger.inbox,
            eventually(lambda: waits_of(prometheus.url), within=30, what="Prometheus's rules"),
        )
        yield stage
