"""SIGKILL the publisher in the middle of a batch: a rerun completes, and nothing stands twice."""

import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.documents import signal_from_row
from tests.fixtures.bus_load import check_audit, scores_of
from tests.fixtures.victim import plan, publish_all

pytestmark = [pytest.mark.proof, pytest.mark.integration]
ROOT = Path(__file__).resolve().parents[3]
ROUNDS, KILLS_PER_ROUND, ROWS = 2, 3, 6_000


def kill_one_publisher(connection: Connection, score: float, seconds: float) -> bool:
    """Start a publisher and kill it so long after its first batch began; return whether it was still at it."""
    uri = connection.settings.mongo_uri
    assert uri is not None
    arguments = [uri.get_secret_value(), connection.settings.signals_db, str(ROWS), str(score)]
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


@dataclass
class Toll:
    """How many publishers were caught at work, and how many rows they left to their heir."""

    killed: int = 0
    left: int = 0


def kill_publishers(connection: Connection, *, rounds: int, kills: int, seed: int) -> Toll:
    """In each round publish one new opinion about every key, by publishers that are killed and an heir."""
    chance = random.Random(seed)  # noqa: S311  # when to kill is no secret
    heir = SignalBus(connection, publisher="heir")
    toll = Toll()
    for number in range(rounds):
        score = (number + 1) / 1000
        for _ in range(kills):
            toll.killed += kill_one_publisher(connection, score, chance.uniform(0.0, 0.3))
        toll.left += publish_all(heir, plan(ROWS, score=score))
        assert publish_all(heir, plan(ROWS, score=score)) == 0, "a rerun finds nothing left to do"
    return toll


def test_every_signal_stands_once_however_often_its_publisher_is_killed(connection: Connection) -> None:
    toll = kill_publishers(connection, rounds=ROUNDS, kills=KILLS_PER_ROUND, seed=3)
    assert toll.killed > 0, "the publishers were not killed at work"
    assert 0 < toll.left < ROUNDS * ROWS, "some rows were written before the kills, some after"
    check_signals(connection, ROUNDS)


def check_signals(connection: Connection, rounds: int) -> None:
    """Every key stands once, with one revision for each round."""
    stored = stored_scores(connection)
    assert len(stored) == ROWS
    expected = [(number + 1) / 1000 for number in range(rounds)]
    assert all(scores == expected for scores in stored.values())
    check_audit(connection)


def stored_scores(connection: Connection) -> dict[str, list[float | None]]:
    """Return the scores of all revisions of every stored signal."""
    rows = connection.client[connection.settings.signals_db]["crypto_signals"].find({})
    return {row["_id"]: scores_of(signal_from_row(row)) for row in rows}
