"""Hours of market time in minutes: a fast paper exchange that misbehaves at random, and two live ingestions.

One of them runs through; the other is killed again and again. At the end both must hold what an exchange in good order
gives to a single undisturbed fetch.
"""

import json
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.candle_revisions import RevisionReader
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import Timeframe
from tests.integration.ingestion.running import Running, await_true, environment, ingest, start_paper

SPEED = 60
SYMBOLS = ("BINANCE:BTCUSDT", "BINANCE:ETHUSDT")
PAIRS = "BTC/USDT,ETH/USDT"
TIMEFRAMES = ("1m", "5m")
# Pauses that the exchange asks for are seconds of our clock, and a second is a minute of the market's.
FAULTS: dict[str, dict[str, float]] = {
    "slow_answer": {"seconds": 1, "share": 0.3},
    "connection_dropped": {"share": 0.4},
    "reset_mid_body": {"share": 0.4},
    "truncated_body": {"share": 0.4},
    "rate_limited": {"retry_after": 1, "share": 0.1},
    "rate_limited_without_a_time": {"share": 0.05},
    "banned": {"seconds": 2, "share": 0.05},
    "server_error": {"share": 0.5},
    "bad_gateway": {"share": 0.5},
    "unavailable": {"share": 0.5},
    "gateway_timeout": {"share": 0.3},
    "maintenance": {"share": 1.0},
    "page_with_200": {"share": 0.5},
    "empty_with_200": {"share": 0.5},
    "cut_json": {"share": 0.5},
    "clock_error": {"share": 0.3},
    "partial_last_candle": {"share": 1.0},
    "late_candle": {"heals": 20, "share": 0.3},
    "revised_candle": {"heals": 90, "share": 0.3},
    "missing_candle": {"share": 0.2},
    "duplicate_candle": {"share": 0.3},
    "unordered_candle": {"share": 0.5},
    "high_below_low": {"share": 0.2},
    "nan_candle": {"share": 0.2},
    "null_candle": {"share": 0.2},
    "misaligned_candle": {"share": 0.2},
}
LIVE = {
    "QUANTBUS_INGESTION_HISTORY_DAYS": "0.2",
    "QUANTBUS_INGESTION_GRACE_SECONDS": "3",
    "QUANTBUS_INGESTION_PATIENCE_SECONDS": "40",
    "QUANTBUS_INGESTION_CLOCK_CHECK_SECONDS": "600",
    "QUANTBUS_INGESTION_VENUE_TIMEOUT_SECONDS": "4",
    "QUANTBUS_INGESTION_MAX_FAILURES": "10000",
}


@dataclass
class Exchange:
    """A fast paper exchange whose faults are switched."""

    url: str
    dice: random.Random

    def now(self) -> datetime:
        return datetime.fromisoformat(self._ask("GET", "/health")["now"])

    def misbehave(self) -> list[str]:
        """Clear all faults and switch on two others, or none."""
        self.behave()
        names = self.dice.sample(sorted(FAULTS), k=self.dice.choice([0, 1, 2, 2]))
        for name in names:
            self._ask("PUT", f"/paper/faults/{name}", FAULTS[name] | {"seed": self.dice.randrange(1_000_000)})
        return names

    def behave(self) -> None:
        self._ask("DELETE", "/paper/faults")

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, str]:
        request = urllib.request.Request(  # noqa: S310  # an address of our own
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode()
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            told: dict[str, str] = json.loads(answer.read())
            return told


@dataclass
class Live:
    """A live ingestion with a database of its own, started again after every kill."""

    settings: MongoSettings
    folder: Path
    name: str
    exchange: Exchange
    kills: int = 0
    metrics_port: int = 0
    running: Running | None = None
    logs: list[Path] = field(default_factory=list)

    def start(self) -> None:
        log = self.folder / f"{self.name}-{len(self.logs)}.log"
        self.logs.append(log)
        command = [sys.executable, "-m", "tests.fixtures.fast_live", str(SPEED), self.exchange.url]
        variables = LIVE | {
            "QUANTBUS_INGESTION_INSTANCE": self.name,
            "QUANTBUS_INGESTION_METRICS_PORT": str(self.metrics_port),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, PAIRS, ",".join(TIMEFRAMES)],
                env=environment(self.settings, **variables),
                stdout=output,
                stderr=output,
            )
        self.running = Running(process, log)

    @property
    def is_following(self) -> bool:
        """Whether the process that runs now has stored a bar as it closed."""
        return "bar_stored" in self.logs[-1].read_text()

    def kill(self) -> None:
        assert self.running is not None
        assert self.running.process.poll() is None, self.logs[-1].read_text()[-3000:]
        self.running.kill()
        self.kills += 1

    def megabytes(self) -> float:
        assert self.running is not None
        status = Path(f"/proc/{self.running.process.pid}/status").read_text()
        return float(status.partition("VmRSS:")[2].split()[0]) / 1024

    def figures(self) -> dict[str, float]:
        """Return what its metrics say."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=20) as reply:
            lines = reply.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}

    def told(self) -> str:
        return "".join(log.read_text() for log in self.logs)


@dataclass
class Outcome:
    """What hours of trouble left behind."""

    start: datetime
    end: datetime
    kills: int
    switched: int
    megabytes: list[float]
    """Of the process that ran through, every few minutes of the market."""
    figures: dict[str, float]
    told: str
    steady: dict[str, list[tuple[object, ...]]]
    killed: dict[str, list[tuple[object, ...]]]
    truth: dict[str, list[tuple[object, ...]]]
    revisions: int


@contextmanager
def prepared(settings: MongoSettings, name: str) -> Iterator[tuple[MongoSettings, Connection]]:
    """Make databases of their own on the same server, and remove them afterwards."""
    own = settings.model_copy(
        update={key: f"{getattr(settings, key)}_{name}" for key in ("market_db", "signals_db", "trading_db")}
    )
    connection = connect(own, app="test", timeout_seconds=60)
    try:
        initialise(connection)
        yield own, connection
    finally:
        for key in ("market_db", "signals_db", "trading_db"):
            connection.client.drop_database(getattr(own, key))
        connection.close()


def bars(connection: Connection, start: datetime, end: datetime) -> dict[str, list[tuple[object, ...]]]:
    """Return every stored bar of the range by series, as plain values."""
    reader = CandleReader(connection)
    return {
        f"{symbol} {name}": [
            (bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume)
            for bar in reader.candles(symbol, Timeframe.parse(name), start, end)
        ]
        for symbol in SYMBOLS
        for name in TIMEFRAMES
    }


def live_through(
    settings: MongoSettings, folder: Path, *, hours: float, kills: int, seed: int, port: int
) -> Outcome:
    """Let hours of the market pass over both ingestions, then compare."""
    dice = random.Random(seed)  # noqa: S311  # trouble, not secrets
    paper, url = start_paper(settings, folder, f"--speed={SPEED}", f"--symbols={PAIRS}", "--history=2d")
    exchange = Exchange(url, dice)
    with (
        prepared(settings, "steady") as (steady_settings, steady),
        prepared(settings, "killed") as (killed_settings, killed),
        prepared(settings, "truth") as (truth_settings, truth),
    ):
        through = Live(steady_settings, folder, "steady", exchange, metrics_port=port)
        victim = Live(killed_settings, folder, "killed", exchange)
        try:
            through.start()
            victim.start()
            await_true(lambda: through.is_following and victim.is_following, seconds=180, told=victim.told)
            start = exchange.now().replace(minute=0, second=0, microsecond=0)
            switched, megabytes = _trouble(exchange, through, victim, hours=hours, kills=kills)
            end = Timeframe.parse("5m").floor(exchange.now())
            exchange.behave()
            for connection, live in ((steady, through), (killed, victim)):
                await_true(lambda: _is_whole(connection, start, end), seconds=180, told=live.told)  # noqa: B023
            figures = through.figures()
            for live in (through, victim):
                assert live.running is not None
                assert live.running.stop(seconds=30) < 30
                assert live.running.process.returncode == 0
            _fetch_undisturbed(truth_settings, folder, url, start, end)
            return Outcome(
                start,
                end,
                victim.kills,
                switched,
                megabytes,
                figures,
                through.told() + victim.told(),
                bars(steady, start, end),
                bars(killed, start, end),
                bars(truth, start, end),
                sum(
                    len(RevisionReader(steady).revisions(symbol, Timeframe.parse(name), start, end))
                    for symbol in SYMBOLS
                    for name in TIMEFRAMES
                ),
            )
        finally:
            for live in (through, victim):
                if live.running is not None:
                    live.running.kill()
            paper.kill()


def _trouble(
    exchange: Exchange, through: Live, victim: Live, *, hours: float, kills: int
) -> tuple[int, list[float]]:
    """Switch faults every few seconds and kill the victim whenever it follows, until time and kills are reached."""
    until = time.monotonic() + hours * 3600 / SPEED
    switched, megabytes, next_kill, next_sample = 0, [through.megabytes()], 0.0, 0.0
    while time.monotonic() < until or victim.kills < kills:
        switched += len(exchange.misbehave())
        rests = time.monotonic() + exchange.dice.uniform(1.0, 4.0)
        while time.monotonic() < rests:
            if victim.is_following and time.monotonic() > next_kill:
                victim.kill()
                victim.start()
                next_kill = time.monotonic() + exchange.dice.uniform(0.0, 6.0)
            if time.monotonic() > next_sample:
                megabytes.append(through.megabytes())
                next_sample = time.monotonic() + 5.0
            time.sleep(0.05)
        if victim.kills < kills and time.monotonic() > until:
            exchange.behave()  # the hours are over; it only has to come up often enough
    return switched, megabytes


def _is_whole(connection: Connection, start: datetime, end: datetime) -> bool:
    reader = CandleReader(connection)
    return all(
        len(reader.open_times(symbol, Timeframe.parse(name), start, end))
        == Timeframe.parse(name).count(start, end)
        for symbol in SYMBOLS
        for name in TIMEFRAMES
    )


def _fetch_undisturbed(
    settings: MongoSettings, folder: Path, url: str, start: datetime, end: datetime
) -> None:
    done = ingest(
        settings,
        folder,
        "backfill",
        f"--symbols={PAIRS}",
        f"--timeframes={','.join(TIMEFRAMES)}",
        f"--since={start.isoformat()}",
        f"--until={end.isoformat()}",
        f"--venue-url={url}",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    assert end - start > timedelta(0)
