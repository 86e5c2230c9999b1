"""Three nodes: SIGKILL the primary under load. Nothing acknowledged is lost, the gap is short, the stream complete."""

from pathlib import Path

import pytest

from tests.fixtures.bus_load import (
    BusPublisher,
    NaivePublisher,
    StreamWatcher,
    await_progress,
    declare_load,
    verdict,
)
from tests.fixtures.own_mongod import TEST_COMMANDS, ReplicaSet, running_set

pytestmark = [pytest.mark.proof, pytest.mark.integration]
KILLS = 2
LONGEST_WRITE_GAP_SECONDS = 5.0


def kill_primaries(replica_set: ReplicaSet, publishers: list[BusPublisher], kills: int) -> None:
    for _ in range(kills):
        await_progress([*publishers], 5)
        primary = replica_set.await_primary()
        primary.kill()
        await_progress([*publishers], 5)
        primary.start()
        replica_set.await_members()
    await_progress([*publishers], 5)


def test_killing_primaries_loses_nothing_and_the_stream_misses_nothing(tmp_path: Path) -> None:
    with running_set(tmp_path / "set", nodes=3) as replica_set:
        settings = replica_set.settings(tmp_path)
        declare_load(settings, 2)
        publishers = [BusPublisher(number, settings, timeout_seconds=20.0) for number in range(2)]
        watcher, forgetful = StreamWatcher(settings), StreamWatcher(settings, forgetful=True)
        for thread in (watcher, forgetful, *publishers):
            thread.start()
        kill_primaries(replica_set, publishers, KILLS)
        for publisher in publishers:
            publisher.finish()
        found = verdict(publishers, settings)
        missed = watcher.missed(settings)
        missed_by_control = forgetful.missed(settings, seconds=1.0)
    assert found.acknowledged > 500
    assert (found.lost, found.twice) == (0, 0)
    gap = max(publisher.diary.longest_gap() for publisher in publishers)
    assert gap <= LONGEST_WRITE_GAP_SECONDS, f"{gap:.1f} s without an acknowledged write"
    assert not missed, f"{len(missed)} revisions never came by: {sorted(missed)[:3]}"
    assert missed_by_control, "the control forgets its place in the stream and must miss something"


def test_what_no_majority_has_seen_is_not_acknowledged_and_the_control_loses_it(tmp_path: Path) -> None:
    with running_set(tmp_path / "set", nodes=3, extra=(TEST_COMMANDS,)) as replica_set:
        settings = replica_set.settings(tmp_path)
        declare_load(settings, 1)
        publisher = BusPublisher(0, settings, timeout_seconds=20.0)
        naive = NaivePublisher(1, settings)
        for thread in (publisher, naive):
            thread.start()
        await_progress([publisher, naive], 5)
        primary = replica_set.await_primary()
        others = [node for node in replica_set.nodes if node is not primary]
        for node in others:
            node.replicate(False)
        await_progress([naive], 3)  # acknowledged by one node that is about to die
        primary.kill()
        for node in others:
            node.replicate(True)
        await_progress([publisher, naive], 3)
        primary.start()
        replica_set.await_members()
        for thread in (publisher, naive):
            thread.finish()
        found, lost = verdict([publisher], settings), naive.lost()
        naive.client.close()
    assert (found.lost, found.twice) == (0, 0)
    assert lost > 0
