"""What every part stands on: a server of its own, fresh databases, made-up signals, medians with their spread."""

import itertools
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from quantbus_contracts import SignalBus
from quantbus_contracts.embedded import EmbeddedServer, start_server, stop_server
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Signal, Strategy

START = datetime(2026, 1, 5, tzinfo=UTC)
STRATEGY = "bench"


@dataclass(frozen=True)
class Figure:
    """One measured quantity over several rounds."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.values)

    def as_dict(self) -> dict[str, object]:
        """Return plain values."""
        return {"name": self.name, "unit": self.unit, "median": self.median, "rounds": list(self.values)}


@dataclass
class Results:
    """All figures, and how they relate."""

    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, unit: str, values: list[float]) -> Figure:
        """Keep a figure."""
        figure = Figure(name, unit, tuple(values))
        self.figures.append(figure)
        return figure

    def ratio(self, name: str, above: Figure, below: Figure) -> Figure:
        """Keep the ratio of two figures that were measured in the same rounds, round by round."""
        pairs = zip(above.values, below.values, strict=True)
        return self.add(name, "×", [one / other for one, other in pairs])


class Ground:
    """A running server; every call of `fresh` gives databases that nobody has written to."""

    def __init__(self, server: EmbeddedServer, home: Path) -> None:
        self.uri = server.uri
        self.pid = server.pid
        self.home = home
        self._numbers = itertools.count()

    @contextmanager
    def fresh(self) -> Iterator[Connection]:
        """Connect to prepared, empty databases and drop them afterwards."""
        number = next(self._numbers)
        settings = MongoSettings(
            home=self.home,
            mongo_uri=SecretStr(self.uri),
            signals_db=f"signals{number}",
            market_db=f"market{number}",
            trading_db=f"trading{number}",
        )
        with closing(connect(settings, app="bench", timeout_seconds=120)) as connection:
            initialise(connection)
            yield connection
            for name in connection.names.all().values():
                connection.client.drop_database(name)


@contextmanager
def own_ground() -> Iterator[Ground]:
    """Run an embedded server in a folder that is removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="quantbus-bench-"))
    try:
        yield Ground(start_server(home), home)
    finally:
        stop_server(home)
        shutil.rmtree(home, ignore_errors=True)


def signals(count: int, pairs: int, *, score: float = 0.5, first_bar: int = 0) -> list[Signal]:
    """Return ``count`` signals, bar by bar over ``pairs`` pairs."""
    return [
        Signal(
            strategy_id=STRATEGY,
            symbol=f"BINANCE:C{number % pairs}USDT",
            pair=f"C{number % pairs}/USDT",
            timeframe="1m",
            ts=START + timedelta(minutes=first_bar + number // pairs),
            action="enter_long",
            score=score,
            ref_price=100.0 + number % 7,
        )
        for number in range(count)
    ]


def declare(bus: SignalBus, pairs: int) -> None:
    """Declare the strategy with its pairs."""
    names = tuple(f"C{number}/USDT" for number in range(pairs))
    bus.declare(Strategy(strategy_id=STRATEGY, venue="BINANCE", timeframe="1m", pairs=names))


@dataclass(frozen=True)
class Cost:
    """What some work took: seconds on the clock, and of processor time here and in the server."""

    wall: float
    client: float
    server: float


def cost_of(ground: Ground, work: Callable[[], object]) -> Cost:
    """Do some work; processor time says more than the clock on a machine with other work to do."""
    client, server, begun = time.process_time(), processor_seconds(ground.pid), time.perf_counter()
    work()
    return Cost(
        time.perf_counter() - begun,
        time.process_time() - client,
        processor_seconds(ground.pid) - server,
    )


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has had (Linux; 0 elsewhere)."""
    path = Path(f"/proc/{pid}/stat")
    if not path.is_file():
        return 0.0
    fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def seconds(work: Callable[[], object]) -> float:
    """Return how long it took."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def percentile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
