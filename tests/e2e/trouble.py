"""A bot behind a network that misbehaves, beside a plain Freqtrade on the same exchange that knows no bus."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.bot import Bot
from tests.e2e.bus_view import BusView
from tests.e2e.stack import ROOT, environment_of, make_bot, start_exchange
from tests.e2e.venue_proxy import VenueProxy
from tests.e2e.waiting import eventually
from tests.fixtures.own_mongod import Mongod, ReplicaSet, running_set
from tests.fixtures.tcp_proxy import Fault, TcpProxy, running_proxy

PLAIN_STRATEGIES = ROOT / "benchmarks/executor_parts/strategies"


class LoopWatch:
    """Notes when each of several bots ended its loops."""

    def __init__(self, bots: Sequence[Bot]) -> None:
        self._ends: list[list[float]] = [[] for _ in bots]
        self._halt = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(bot, ends), daemon=True)
            for bot, ends in zip(bots, self._ends, strict=True)
        ]

    def silences(self, since: float) -> list[float]:
        """Return the longest time between two loops of each bot since then, in seconds; the last may go on."""
        until = time.time()
        longest = []
        for ends in self._ends:
            before = [moment for moment in ends if moment <= since][-1:]
            moments = [*before, *(moment for moment in ends if since < moment <= until), until]
            longest.append(max(later - earlier for earlier, later in pairwise(moments)))
        return longest

    def loops(self, since: float) -> list[int]:
        """Return how many loops of each bot ended since then."""
        return [sum(moment > since for moment in ends) for ends in self._ends]

    def __enter__(self) -> "LoopWatch":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.set()
        for thread in self._threads:
            thread.join(15)

    def _watch(self, bot: Bot, ends: list[float]) -> None:
        while not self._halt.wait(0.05):
            with suppress(httpx.HTTPError):
                moment = bot.last_loop()
                if moment and (not ends or moment > ends[-1]):
                    ends.append(moment)


@dataclass
class Trouble:
    """Two bots, the exchange, and everything that may fail between ours and its bus."""

    bus: BusView
    server: ReplicaSet
    network: TcpProxy
    venue: VenueProxy
    ours: Bot
    alone: Bot
    config: Path
    address: str
    loops: LoopWatch
    seen: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def node(self) -> Mongod:
        """The server of the one-node set."""
        return self.server.nodes[0]

    def quiet(self, name: str, seconds: float) -> list[float]:
        """Let time pass; return, and keep by ``name``, how long each bot's loop was silent meanwhile."""
        begun = time.time()
        time.sleep(seconds)
        return self.silence(name, begun)

    def silence(self, name: str, since: float) -> list[float]:
        """Return, and keep by ``name``, how long each bot's loop was silent since then."""
        found = self.loops.silences(since)
        self.seen[name] = found
        return found

    def lift(self) -> None:
        """Let the network be well again."""
        self.network.to_server, self.network.to_client = Fault(), Fault()

    def follow(self, uri: str) -> None:
        """Let our bot read its config again, which names another bus."""
        config: dict[str, Any] = json.loads(self.config.read_text(encoding="utf-8"))
        config["external_signal"]["mongo_uri"] = uri
        self.config.write_text(json.dumps(config), encoding="utf-8")
        self.ours.tell("/reload_config")
        since = time.time() + 1  # its API goes and comes back with the reload; ended in between it would hang

        def loops_again() -> bool:
            with suppress(httpx.HTTPError):
                return self.ours.last_loop() > since
            return False

        eventually(loops_again, within=60, what=f"loops after a reload; read {self.ours.log}")


@contextmanager
def running_trouble(folder: Path) -> Iterator[Trouble]:
    """Start everything in ``folder``; end everything on the way out."""
    with ExitStack() as ending:
        server = ending.enter_context(running_set(folder / "bus"))
        network = ending.enter_context(running_proxy(server.nodes[0].port))
        bus = BusView(server.uri)
        ending.callback(bus.connection.close)
        bus.declare()
        address = f"mongodb://127.0.0.1:{network.port}/?directConnection=true"
        environment = environment_of(folder / "home") | {"QUANTBUS_MONGO_URI": address}
        venue = ending.enter_context(VenueProxy(start_exchange(folder, environment, ending)))
        ours = make_bot(folder, venue.url, environment)
        alone = freqtrade_alone(folder, folder / "alone", environment)
        for bot in (ours, alone):
            ending.callback(bot.stop)
        with ThreadPoolExecutor(2) as pool:
            for booted in [pool.submit(bot.start) for bot in (ours, alone)]:
                booted.result()
        loops = ending.enter_context(LoopWatch((ours, alone)))
        yield Trouble(bus, server, network, venue, ours, alone, folder / "bot.json", address, loops)


def freqtrade_alone(like: Path, folder: Path, environment: dict[str, str]) -> Bot:
    """Return a bot with the config of ours, but another strategy: it knows no bus."""
    shutil.copytree(PLAIN_STRATEGIES, folder / "user_data/strategies")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config: dict[str, Any] = json.loads((like / "bot.json").read_text(encoding="utf-8"))
    del config["external_signal"]
    config |= {
        "strategy": "FreqtradeAlone",
        "flags": str(folder),
        "db_url": f"sqlite:///{folder / 'trades.sqlite'}",
    }
    config["api_server"]["listen_port"] = port
    path = folder / "bot.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return Bot(
        path,
        folder / "user_data",
        folder / "trades.sqlite",
        folder / "freqtrade.log",
        environment,
        f"http://127.0.0.1:{port}",
    )
