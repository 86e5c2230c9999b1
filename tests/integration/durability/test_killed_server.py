"""SIGKILL the database in the middle of publishing: what was acknowledged stands, and stands once."""

from pathlib import Path

import pytest

from tests.fixtures.bus_load import BusPublisher, NaivePublisher, declare_load, kill_under_load, verdict
from tests.fixtures.own_mongod import running_set

pytestmark = [pytest.mark.proof, pytest.mark.integration]
KILLS = 5


def test_no_acknowledged_row_is_lost_or_applied_twice_when_the_server_is_killed(tmp_path: Path) -> None:
    with running_set(tmp_path / "set") as replica_set:
        settings = replica_set.settings(tmp_path)
        # One gives up before the server is back and asks again, one waits for it.
        declare_load(settings, 2)
        publishers = [
            BusPublisher(0, settings, timeout_seconds=1.0),
            BusPublisher(1, settings, timeout_seconds=20.0),
        ]
        met = kill_under_load(replica_set, [*publishers], kills=KILLS, seed=1)
        found = verdict(publishers, settings)
    assert met > 0, "no kill met a publisher in the middle of a batch"
    assert found.acknowledged > 1_000
    assert (found.lost, found.twice) == (0, 0)


def test_the_control_that_does_not_wait_for_the_journal_loses_acknowledged_rows(tmp_path: Path) -> None:
    # The longest pause between journal flushes that the server allows makes the loss certain enough to assert.
    with running_set(tmp_path / "set", extra=("--journalCommitInterval=500",)) as replica_set:
        settings = replica_set.settings(tmp_path)
        naive = NaivePublisher(0, settings)
        kill_under_load(replica_set, [naive], kills=KILLS, seed=1)
        lost = naive.lost()
        naive.client.close()
    assert lost > 0
