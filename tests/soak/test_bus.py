"""The bus's failure tests for as long as it takes: `make soak`. Figures are printed, so run with ``-s`` to keep them.

``SOAK_KILLS`` and ``SOAK_EXAMPLES`` (environment) make a run shorter or longer.
"""

import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from quantbus_contracts.mongo.client import Connection
from tests.fixtures.bus_load import (
    BusPublisher,
    NaivePublisher,
    StreamWatcher,
    declare_load,
    kill_under_load,
    verdict,
)
from tests.fixtures.own_mongod import running_set
from tests.integration.bus_model.test_model import run_machine
from tests.integration.durability.test_killed_primary import LONGEST_WRITE_GAP_SECONDS, kill_primaries
from tests.integration.durability.test_killed_publisher import ROWS, check_signals, kill_publishers

pytestmark = pytest.mark.soak
KILLS = int(os.environ.get("SOAK_KILLS", "100"))
EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "400"))


def say(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")


def test_a_hundred_kills_of_the_server_lose_nothing_and_the_control_loses(tmp_path: Path) -> None:
    begun = time.monotonic()
    with running_set(tmp_path / "set") as replica_set:
        given = replica_set.settings(tmp_path)
        declare_load(given, 2)
        publishers = [
            BusPublisher(0, given, timeout_seconds=1.0),
            BusPublisher(1, given, timeout_seconds=20.0),
        ]
        kill_under_load(replica_set, [*publishers], kills=KILLS, seed=int(begun))
        found = verdict(publishers, given)
    interrupted = sum(publisher.diary.interrupted for publisher in publishers)
    say(f"{KILLS} SIGKILLs of mongod: {found}, {interrupted} batches sent again")
    with running_set(tmp_path / "control") as replica_set:  # with the journal's usual pauses
        given = replica_set.settings(tmp_path)
        naive = NaivePublisher(0, given)
        kill_under_load(replica_set, [naive], kills=KILLS, seed=int(begun))
        lost = naive.lost()
        naive.client.close()
    say(
        f"control w:1 j:false, {KILLS} SIGKILLs: {lost} of {naive.diary.acknowledged_rows} acknowledged rows lost"
    )
    assert (found.lost, found.twice) == (0, 0)
    assert interrupted > 0
    assert lost > 0


def test_twenty_kills_of_primaries(tmp_path: Path) -> None:
    kills = max(2, KILLS // 5)
    with running_set(tmp_path / "set", nodes=3) as replica_set:
        given = replica_set.settings(tmp_path)
        declare_load(given, 2)
        publishers = [BusPublisher(number, given, timeout_seconds=20.0) for number in range(2)]
        watcher = StreamWatcher(given)
        for thread in (watcher, *publishers):
            thread.start()
        kill_primaries(replica_set, publishers, kills)
        for publisher in publishers:
            publisher.finish()
        found = verdict(publishers, given)
        missed = watcher.missed(given)
    gap = max(publisher.diary.longest_gap() for publisher in publishers)
    say(f"{kills} SIGKILLs of primaries: {found}, longest write gap {gap:.1f} s, {len(missed)} events missed")
    assert (found.lost, found.twice, len(missed)) == (0, 0, 0)
    assert gap <= LONGEST_WRITE_GAP_SECONDS


def test_a_hundred_kills_of_publishers(connection: Connection) -> None:
    rounds = max(1, KILLS // 5)
    toll = kill_publishers(connection, rounds=rounds, kills=5, seed=int(time.monotonic()))
    say(
        f"{toll.killed} publishers of {5 * rounds} killed at work, {toll.left} of {rounds * ROWS} rows left to rerun"
    )
    assert toll.killed > KILLS // 2
    check_signals(connection, rounds)


def test_the_bus_and_its_model_agree_for_long(connection: Connection) -> None:
    rig = run_machine(
        connection,
        settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    say(f"model: {dict(rig.steps)}")
