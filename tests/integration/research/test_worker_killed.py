"""A worker that is killed anywhere, or runs twice, says on a real bus what one that ran through says."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.signal_reader import SignalReader
from tests.integration.research.worker_victim import ALL, STORED
from tests.unit.research.panels import MINUTE, START, make_panel
from tests.unit.research.sessions import candles_of

pytestmark = [pytest.mark.integration, pytest.mark.proof]
NOW = START + STORED * MINUTE.delta + timedelta(seconds=1)
END = START + (ALL + 10) * MINUTE.delta
PAIRS = ("BTC/USDT", "ETH/USDT")
KILLED = -9


class Victims:
    """Workers that die on demand; each speaks under an id of its own."""

    def __init__(self, connection: Connection, home: Path) -> None:
        settings = connection.settings
        assert settings.mongo_uri is not None
        self.connection, self.home = connection, home
        self.bars = candles_of(make_panel(ALL))
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.integration.research.worker_victim"),
                *(settings.mongo_uri.get_secret_value(), settings.market_db),
                *(settings.signals_db, settings.trading_db),
            ],
            cwd=Path(__file__).resolve().parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(
        self, speaks_as: str, now: datetime, *overrides: str, dies_after: int = 0, home: str = "home"
    ) -> int:
        """Run one from ``now`` on; return how it ended."""
        self.forget_bars_after(now)
        order = {
            "speaks_as": speaks_as,
            "home": str(self.home / home),
            "note": str(self.home / f"{speaks_as}.now"),
            "now": now.isoformat(),
            "dies_after": dies_after,
            "overrides": overrides,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def died_at(self, speaks_as: str) -> datetime:
        note = self.home / f"{speaks_as}.now"
        return datetime.fromisoformat(note.read_text()) if note.exists() else NOW

    def forget_bars_after(self, now: datetime) -> None:
        """Take away what has not closed yet by the clock of the next worker."""
        last = max(MINUTE.last_closed(now), START + (STORED - 1) * MINUTE.delta)
        self.connection.collection("crypto_market_1m").delete_many({"datetime": {"$gt": last}})
        known = CandleReader(self.connection).last_open_time("BINANCE:BTCUSDT", MINUTE)
        since = START if known is None else known + MINUTE.delta
        CandleWriter(self.connection).write([bar for bar in self.bars if since <= bar.open_time <= last])

    def said(self, speaks_as: str) -> dict[tuple[str, datetime], tuple[object, ...]]:
        """Return what stands on the bus, without when and by which computation."""
        reader = SignalReader(self.connection)
        return {
            (pair, row.signal.ts): (row.signal.content_hash, row.signal.model_hash, row.version)
            for pair in PAIRS
            for row in reader.range(speaks_as, MINUTE, pair, START, END)
        }

    def runs(self, speaks_as: str) -> dict[datetime, tuple[int, str | None]]:
        found = SignalReader(self.connection).runs(speaks_as, MINUTE, START, END)
        return {run.ts: (run.signals, run.degraded) for run in found}

    def origins(self, speaks_as: str) -> dict[datetime, str]:
        reader = SignalReader(self.connection)
        return {
            row.signal.ts: row.signal.origin for row in reader.range(speaks_as, MINUTE, PAIRS[0], START, END)
        }


@pytest.fixture
def victims(connection: Connection, tmp_path: Path) -> Iterator[Victims]:
    made = Victims(connection, tmp_path)
    yield made
    assert made.process.stdin is not None
    made.process.stdin.close()
    made.process.wait(timeout=30)
    assert made.process.stdout is not None
    made.process.stdout.close()


@pytest.mark.timeout(300)
def test_killed_at_any_point_and_started_again_it_says_the_same(victims: Victims) -> None:
    assert victims.run("through", NOW) == 0
    expected, evaluated = victims.said("through"), victims.runs("through")
    assert len(expected) > 4
    assert len(evaluated) == ALL - STORED + 1
    call, deaths, ends = 1, 0, KILLED
    while ends == KILLED:
        name = f"killed-{call}"
        # The first few die before there is a model; the others find it on the shelf.
        home = name if call <= 4 else "home"
        ends = victims.run(name, NOW, dies_after=call, home=home)
        if ends == KILLED:
            deaths += 1
            assert victims.run(name, victims.died_at(name) + timedelta(seconds=2), home=home) == 0, name
        assert victims.said(name) == expected, name
        assert victims.runs(name) == evaluated, name
        call += 1 if call < 6 else 9  # before there is a model each, then some of the others
    assert ends == 0
    assert deaths > 8


@pytest.mark.timeout(300)
def test_started_again_bars_later_it_says_nothing_live_about_what_it_missed(victims: Victims) -> None:
    catching_up = "nodes.publish.catch_up_bars=6"
    assert victims.run("late", NOW, catching_up, dies_after=45) == KILLED
    died = victims.died_at("late")
    before = victims.origins("late")
    back = died + timedelta(minutes=2)
    assert victims.run("late", back, catching_up) == 0
    newest = MINUTE.last_closed(back)
    missed = set(MINUTE.range(MINUTE.last_closed(died) + MINUTE.delta, newest))
    assert missed <= set(victims.runs("late")), "every bar was evaluated in the end"
    origins = victims.origins("late")
    assert {origins[bar] for bar in missed if bar in origins} <= {"backfill"}
    assert {origins[bar] for bar in origins if bar >= newest} == {"live"}
    assert {bar: origins[bar] for bar in before} == before
