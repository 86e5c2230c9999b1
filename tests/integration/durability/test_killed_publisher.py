"""SIGKILL the publisher in the middle of a batch: a rerun completes, and nothing stands twice."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.documents import signal_from_row
from tests.fixtures.bus_load import scores_of
from tests.fixtures.victim import plan, publish_all

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[3]
KILLS, ROWS, REVISED = 5, 6_000, 2_000


def kill_one_publisher(connection: Connection, seconds: float) -> bool:
    """Start a publisher and kill it so long after its first batch began; return whether it was still at it."""
    uri = connection.settings.mongo_uri
    assert uri is not None
    arguments = [uri.get_secret_value(), connection.settings.signals_db, str(ROWS)]
    victim = subprocess.Popen(
        [sys.executable, "-m", "tests.fixtures.victim", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert victim.stdout is not None
    victim.stdout.readline()
    time.sleep(seconds)
    caught = victim.poll() is None
    victim.kill()
    victim.wait()
    victim.stdout.close()
    return caught


def kill_publishers(connection: Connection, kills: int, seed: int) -> int:
    chance = random.Random(seed)  # noqa: S311  # when to kill is no secret
    return sum(kill_one_publisher(connection, chance.uniform(0.0, 0.5)) for _ in range(kills))


def test_every_signal_stands_once_however_often_its_publisher_is_killed(connection: Connection) -> None:
    bus = SignalBus(connection, publisher="heir")
    publish_all(bus, plan(REVISED, score=0.1))  # these are revised by the victims, the others are new
    assert kill_publishers(connection, KILLS, seed=3) >= KILLS - 1, "the publishers were not killed at work"
    signals = plan(ROWS, score=0.5)
    left = publish_all(bus, signals)
    assert 0 < left < ROWS, "some rows were written before the kills, some after"
    assert publish_all(bus, signals) == 0, "a rerun finds nothing left to do"
    stored = stored_scores(connection)
    assert len(stored) == ROWS
    fresh = {signal.signal_id for signal in signals[REVISED:]}
    assert all(scores == ([0.5] if key in fresh else [0.1, 0.5]) for key, scores in stored.items())


def stored_scores(connection: Connection) -> dict[str, list[float | None]]:
    """Return the scores of all revisions of every stored signal."""
    rows = connection.client[connection.settings.signals_db]["crypto_signals"].find({})
    return {row["_id"]: scores_of(signal_from_row(row)) for row in rows}
